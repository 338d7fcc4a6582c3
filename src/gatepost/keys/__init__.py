"""The managed object and its verbs: `APIKeys`, its settings and parts, and how keys are told. Knows nothing of ASGI.
Gives out too what others may know of the rules below.
"""

from gatepost.keys.api_keys import APIKeys as APIKeys
from gatepost.keys.environment import SERVER_KEYS as SERVER_KEYS
from gatepost.keys.environment import VAULT_KEYS as VAULT_KEYS
from gatepost.keys.environment import load as load
from gatepost.keys.how import Wait as Wait
from gatepost.keys.parts import DEFAULT_DATABASE as DEFAULT_DATABASE
from gatepost.keys.parts import GRACE_MAX as GRACE_MAX
from gatepost.keys.parts import MAX_GRACE as MAX_GRACE
from gatepost.keys.presentation import actor_text as actor_text
from gatepost.keys.presentation import event_json as event_json
from gatepost.keys.presentation import key_json as key_json
from gatepost.keys.presentation import propagation_json as propagation_json
from gatepost.keys.presentation import propagation_text as propagation_text
from gatepost.keys.which import Which as Which
from gatepost.rules import ACCESS_MANAGE as ACCESS_MANAGE
from gatepost.rules import ACCESS_READ as ACCESS_READ
from gatepost.rules import DAM as DAM
from gatepost.rules import IDEMPOTENCY_KEY_MAX as IDEMPOTENCY_KEY_MAX
from gatepost.rules import IDEMPOTENCY_KEY_MIN as IDEMPOTENCY_KEY_MIN
from gatepost.rules import NAME_MAX as NAME_MAX
from gatepost.rules import PAGE_MAX as PAGE_MAX
from gatepost.rules import UNSET as UNSET
from gatepost.rules import Authority as Authority
from gatepost.rules import Catalogue as Catalogue
from gatepost.rules import Permission as Permission
from gatepost.rules import check_declared as check_declared
