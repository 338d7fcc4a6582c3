"""The rules that verbs ask: who may do what to keys, which permissions there are, and what may be stored. Pure; of the
others it knows `base`.
"""

from gatepost.rules.authority import ACCESS_MANAGE as ACCESS_MANAGE
from gatepost.rules.authority import ACCESS_READ as ACCESS_READ
from gatepost.rules.authority import Authority as Authority
from gatepost.rules.authority import Subject as Subject
from gatepost.rules.catalogue import DAM as DAM
from gatepost.rules.catalogue import NAME_MAX as NAME_MAX
from gatepost.rules.catalogue import Catalogue as Catalogue
from gatepost.rules.catalogue import Permission as Permission
from gatepost.rules.catalogue import check_declared as check_declared
from gatepost.rules.inputs import IDEMPOTENCY_KEY_MAX as IDEMPOTENCY_KEY_MAX
from gatepost.rules.inputs import IDEMPOTENCY_KEY_MIN as IDEMPOTENCY_KEY_MIN
from gatepost.rules.inputs import PAGE_MAX as PAGE_MAX
from gatepost.rules.inputs import UNNAMED as UNNAMED
from gatepost.rules.inputs import UNSET as UNSET
from gatepost.rules.inputs import Unset as Unset
from gatepost.rules.inputs import check_id as check_id
from gatepost.rules.inputs import check_in_future as check_in_future
from gatepost.rules.inputs import checked_actor as checked_actor
from gatepost.rules.inputs import checked_bound as checked_bound
from gatepost.rules.inputs import checked_choice as checked_choice
from gatepost.rules.inputs import checked_description as checked_description
from gatepost.rules.inputs import checked_environment as checked_environment
from gatepost.rules.inputs import checked_idempotency_key as checked_idempotency_key
from gatepost.rules.inputs import checked_ids as checked_ids
from gatepost.rules.inputs import checked_limit as checked_limit
from gatepost.rules.inputs import checked_moment as checked_moment
from gatepost.rules.inputs import checked_owner as checked_owner
from gatepost.rules.inputs import checked_project as checked_project
from gatepost.rules.inputs import checked_text as checked_text
from gatepost.rules.policies import COUNT_MAX as COUNT_MAX
from gatepost.rules.policies import DAYS_MAX as DAYS_MAX
from gatepost.rules.policies import IDLE_NOTICE as IDLE_NOTICE
from gatepost.rules.policies import SLACK_SECONDS as SLACK_SECONDS
from gatepost.rules.policies import TERMS as TERMS
from gatepost.rules.policies import Bounds as Bounds
from gatepost.rules.policies import Policy as Policy
from gatepost.rules.policies import PolicyTerms as PolicyTerms
from gatepost.rules.policies import checked_terms as checked_terms
from gatepost.rules.policies import policy_of as policy_of
from gatepost.rules.policies import span_text as span_text
