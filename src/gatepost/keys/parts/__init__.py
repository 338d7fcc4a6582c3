"""What the keys are made of: their settings, checked, and what is there while they are open. Verbs work with it; of the
others it knows all from `connections` down.
"""

from gatepost.keys.parts.forking import forget_at_fork as forget_at_fork
from gatepost.keys.parts.opened import Opened as Opened
from gatepost.keys.parts.parts import Parts as Parts
from gatepost.keys.parts.parts import do_nothing as do_nothing
from gatepost.keys.parts.parts import know_nothing as know_nothing
from gatepost.keys.parts.settings import DEFAULT_DATABASE as DEFAULT_DATABASE
from gatepost.keys.parts.settings import GRACE_MAX as GRACE_MAX
from gatepost.keys.parts.settings import MAX_GRACE as MAX_GRACE
from gatepost.keys.parts.settings import Settings as Settings
from gatepost.keys.parts.variables import SERVER_KEYS as SERVER_KEYS
from gatepost.keys.parts.variables import VAULT_KEYS as VAULT_KEYS
from gatepost.keys.parts.variables import load as load
from gatepost.keys.parts.vault import Vault as Vault
