"""The managed object and its verbs: `APIKeys`, its settings and parts, and how keys are told. Knows nothing of ASGI."""

from gatepost.keys.api_keys import APIKeys as APIKeys
from gatepost.keys.given import SELECTED_MAX as SELECTED_MAX
from gatepost.keys.given import Filters as Filters
from gatepost.keys.given import Order as Order
from gatepost.keys.given import Selection as Selection
from gatepost.keys.given import Wait as Wait
from gatepost.keys.parts import DEFAULT_DATABASE as DEFAULT_DATABASE
from gatepost.keys.parts import GRACE_MAX as GRACE_MAX
from gatepost.keys.parts import MAX_GRACE as MAX_GRACE
from gatepost.keys.parts import SERVER_KEYS as SERVER_KEYS
from gatepost.keys.parts import VAULT_KEYS as VAULT_KEYS
from gatepost.keys.parts import do_nothing as do_nothing
from gatepost.keys.parts import load as load
from gatepost.keys.policies import MISFITS_MAX as MISFITS_MAX
from gatepost.keys.policies import PolicyPreview as PolicyPreview
from gatepost.keys.presentation import actor_text as actor_text
from gatepost.keys.presentation import event_json as event_json
from gatepost.keys.presentation import key_json as key_json
from gatepost.keys.presentation import propagation_json as propagation_json
from gatepost.keys.presentation import propagation_text as propagation_text
from gatepost.keys.presentation import usage_json as usage_json
from gatepost.keys.retention import USAGE_DAYS as USAGE_DAYS
from gatepost.keys.retention import USAGE_MONTHS as USAGE_MONTHS
from gatepost.keys.retention import AuditLog as AuditLog
