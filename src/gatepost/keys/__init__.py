"""The managed object and its verbs: `APIKeys`, who may do what, and what may be stored. Knows nothing of ASGI."""

from gatepost.keys.api_keys import DEFAULT_DATABASE as DEFAULT_DATABASE
from gatepost.keys.api_keys import GRACE_MAX as GRACE_MAX
from gatepost.keys.api_keys import MAX_GRACE as MAX_GRACE
from gatepost.keys.api_keys import PAGE_MAX as PAGE_MAX
from gatepost.keys.api_keys import UNSET as UNSET
from gatepost.keys.api_keys import APIKeys as APIKeys
from gatepost.keys.api_keys import Wait as Wait
from gatepost.keys.authority import ACCESS_MANAGE as ACCESS_MANAGE
from gatepost.keys.authority import ACCESS_READ as ACCESS_READ
from gatepost.keys.authority import Authority as Authority
from gatepost.keys.catalogue import DAM as DAM
from gatepost.keys.catalogue import NAME_MAX as NAME_MAX
from gatepost.keys.catalogue import Catalogue as Catalogue
from gatepost.keys.catalogue import Permission as Permission
from gatepost.keys.catalogue import check_declared as check_declared
from gatepost.keys.environment import SERVER_KEYS as SERVER_KEYS
from gatepost.keys.environment import VAULT_KEYS as VAULT_KEYS
from gatepost.keys.environment import load as load
from gatepost.keys.inputs import IDEMPOTENCY_KEY_MAX as IDEMPOTENCY_KEY_MAX
from gatepost.keys.inputs import IDEMPOTENCY_KEY_MIN as IDEMPOTENCY_KEY_MIN
from gatepost.keys.presentation import actor_text as actor_text
from gatepost.keys.presentation import event_json as event_json
from gatepost.keys.presentation import key_json as key_json
from gatepost.keys.presentation import propagation_json as propagation_json
from gatepost.keys.presentation import propagation_text as propagation_text
from gatepost.keys.which import Which as Which
