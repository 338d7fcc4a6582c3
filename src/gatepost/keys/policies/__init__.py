"""What is asked of keys: the verbs that say it, and what all others ask of it inside their own change."""

from gatepost.keys.policies.asking import Asked as Asked
from gatepost.keys.policies.asking import check_grace as check_grace
from gatepost.keys.policies.asking import fitting_rows as fitting_rows
from gatepost.keys.policies.asking import keys_to_count as keys_to_count
from gatepost.keys.policies.idle import IDLE_ACTOR as IDLE_ACTOR
from gatepost.keys.policies.policies import MISFITS_MAX as MISFITS_MAX
from gatepost.keys.policies.policies import Policies as Policies
from gatepost.keys.policies.policies import PolicyPreview as PolicyPreview
