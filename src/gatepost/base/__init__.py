"""What everything else is made of: values, errors, clocks, the text of a secret. Knows no other room; does no I/O."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gatepost.base.actor import Actor as Actor
from gatepost.base.actor import ActorKind as ActorKind
from gatepost.base.clock import Clock as Clock
from gatepost.base.clock import boot_clock as boot_clock
from gatepost.base.coalescing import Coalescer as Coalescer
from gatepost.base.decision import decide as decide
from gatepost.base.decision import of_another_address as of_another_address
from gatepost.base.decision import of_another_project as of_another_project
from gatepost.base.errors import AccessDeniedError as AccessDeniedError
from gatepost.base.errors import BadInputError as BadInputError
from gatepost.base.errors import ConfigurationError as ConfigurationError
from gatepost.base.errors import ForceNeededError as ForceNeededError
from gatepost.base.errors import GatepostError as GatepostError
from gatepost.base.errors import IdempotencyError as IdempotencyError
from gatepost.base.errors import KeyNotFoundError as KeyNotFoundError
from gatepost.base.errors import MissingExtraError as MissingExtraError
from gatepost.base.errors import PermissionDeniedError as PermissionDeniedError
from gatepost.base.errors import ReplicaError as ReplicaError
from gatepost.base.errors import SchemaError as SchemaError
from gatepost.base.errors import SecretNotStoredError as SecretNotStoredError
from gatepost.base.errors import StaleKeyError as StaleKeyError
from gatepost.base.errors import StillSpreadingError as StillSpreadingError
from gatepost.base.errors import UnavailableError as UnavailableError
from gatepost.base.errors import UncertainCommitError as UncertainCommitError
from gatepost.base.errors import UnknownPermissionError as UnknownPermissionError
from gatepost.base.errors import line_of as line_of
from gatepost.base.limit_text import LIMIT_EXAMPLES as LIMIT_EXAMPLES
from gatepost.base.limit_text import limit_of_text as limit_of_text
from gatepost.base.limit_text import limit_text as limit_text
from gatepost.base.limits import COST_MAX as COST_MAX
from gatepost.base.limits import LIMITS_MAX as LIMITS_MAX
from gatepost.base.limits import MICROSECONDS as MICROSECONDS
from gatepost.base.limits import NO_LIMITS as NO_LIMITS
from gatepost.base.limits import ON_OUTAGE as ON_OUTAGE
from gatepost.base.limits import PER_MAX as PER_MAX
from gatepost.base.limits import PERIOD_SECONDS as PERIOD_SECONDS
from gatepost.base.limits import UNITS_MAX as UNITS_MAX
from gatepost.base.limits import UNREADABLE as UNREADABLE
from gatepost.base.limits import Limit as Limit
from gatepost.base.limits import Limits as Limits
from gatepost.base.limits import OnOutage as OnOutage
from gatepost.base.limits import Quota as Quota
from gatepost.base.limits import QuotaPeriod as QuotaPeriod
from gatepost.base.limits import Rate as Rate
from gatepost.base.limits import Slots as Slots
from gatepost.base.limits import checked_limits as checked_limits
from gatepost.base.limits import limit_as_json as limit_as_json
from gatepost.base.limits import limit_of_json as limit_of_json
from gatepost.base.limits import limits_of as limits_of
from gatepost.base.limits import limits_of_json as limits_of_json
from gatepost.base.limits import limits_of_stored as limits_of_stored
from gatepost.base.limits import readable_limits as readable_limits
from gatepost.base.limits import stored_limits as stored_limits
from gatepost.base.models import ACTOR_ID_MAX as ACTOR_ID_MAX
from gatepost.base.models import ACTOR_MAX as ACTOR_MAX
from gatepost.base.models import ADDRESS_MAX as ADDRESS_MAX
from gatepost.base.models import DESCRIPTION_MAX as DESCRIPTION_MAX
from gatepost.base.models import EVENT_KINDS as EVENT_KINDS
from gatepost.base.models import EXPIRES_WITHIN_MAX as EXPIRES_WITHIN_MAX
from gatepost.base.models import EXPIRING_SECONDS as EXPIRING_SECONDS
from gatepost.base.models import MAKING_KINDS as MAKING_KINDS
from gatepost.base.models import OWNER_MAX as OWNER_MAX
from gatepost.base.models import PROJECT_MAX as PROJECT_MAX
from gatepost.base.models import YEAR_MAX as YEAR_MAX
from gatepost.base.models import YEAR_MIN as YEAR_MIN
from gatepost.base.models import APIKey as APIKey
from gatepost.base.models import ChangeEvent as ChangeEvent
from gatepost.base.models import EditedKey as EditedKey
from gatepost.base.models import EventKind as EventKind
from gatepost.base.models import ImportedKey as ImportedKey
from gatepost.base.models import Issued as Issued
from gatepost.base.models import OldSecret as OldSecret
from gatepost.base.models import Outcome as Outcome
from gatepost.base.models import Page as Page
from gatepost.base.models import Propagation as Propagation
from gatepost.base.models import Receipt as Receipt
from gatepost.base.models import State as State
from gatepost.base.models import Total as Total
from gatepost.base.models import Verdict as Verdict
from gatepost.base.models import Worker as Worker
from gatepost.base.networks import NETWORKS_MAX as NETWORKS_MAX
from gatepost.base.networks import Networks as Networks
from gatepost.base.networks import address_of as address_of
from gatepost.base.networks import allow_of as allow_of
from gatepost.base.networks import checked_networks as checked_networks
from gatepost.base.networks import covers as covers
from gatepost.base.networks import networks_of as networks_of
from gatepost.base.networks import networks_text as networks_text
from gatepost.base.record import NEVER as NEVER
from gatepost.base.record import Absent as Absent
from gatepost.base.record import BoundedRecord as BoundedRecord
from gatepost.base.record import Credentials as Credentials
from gatepost.base.record import Found as Found
from gatepost.base.record import LimitedRecord as LimitedRecord
from gatepost.base.record import Record as Record
from gatepost.base.record import Row as Row
from gatepost.base.record import decode as decode
from gatepost.base.record import from_payload as from_payload
from gatepost.base.record import to_payload as to_payload
from gatepost.base.secret import BLANKS as BLANKS
from gatepost.base.secret import DEFAULT_PREFIX as DEFAULT_PREFIX
from gatepost.base.secret import DIGEST_BYTES as DIGEST_BYTES
from gatepost.base.secret import ID_CHARS as ID_CHARS
from gatepost.base.secret import SECRET_MAX as SECRET_MAX
from gatepost.base.secret import Presented as Presented
from gatepost.base.secret import SecretFormat as SecretFormat
from gatepost.base.secret import Untold as Untold
from gatepost.base.secret import check_prefix as check_prefix
from gatepost.base.secret import derived_seed as derived_seed
from gatepost.base.secret import digest as digest
from gatepost.base.secret import is_id as is_id
from gatepost.base.secret import new_id as new_id
from gatepost.base.secret import secret_pattern as secret_pattern
from gatepost.base.text import MARKS as MARKS
from gatepost.base.text import NOTHING as NOTHING
from gatepost.base.text import checked_line as checked_line
from gatepost.base.text import is_line as is_line
from gatepost.base.text import tidy_line as tidy_line
from gatepost.base.timeout import Timeout as Timeout
from gatepost.base.usage import NEVER_USED as NEVER_USED
from gatepost.base.usage import ROUTE_MAX as ROUTE_MAX
from gatepost.base.usage import SECRET_ID_BYTES as SECRET_ID_BYTES
from gatepost.base.usage import UNUSED as UNUSED
from gatepost.base.usage import USAGE_GROUPS as USAGE_GROUPS
from gatepost.base.usage import Pruned as Pruned
from gatepost.base.usage import SecretState as SecretState
from gatepost.base.usage import Usage as Usage
from gatepost.base.usage import Use as Use
from gatepost.base.usage import secret_id as secret_id

if TYPE_CHECKING:
    from gatepost.base.health import UNSEEN_FACTOR as UNSEEN_FACTOR
    from gatepost.base.health import Answer as Answer
    from gatepost.base.health import DatabaseStatus as DatabaseStatus
    from gatepost.base.health import Finding as Finding
    from gatepost.base.health import LookupCounts as LookupCounts
    from gatepost.base.health import MemoryStatus as MemoryStatus
    from gatepost.base.health import RedisStatus as RedisStatus
    from gatepost.base.health import ServingStatus as ServingStatus
    from gatepost.base.health import Status as Status
    from gatepost.base.health import WorkerAnswers as WorkerAnswers
    from gatepost.base.health import WorkerStatus as WorkerStatus
else:  # a checker finds wrong names by itself, unless it sees this

    def __getattr__(name: str) -> Any:
        """The values of `health`, which only who asks how a worker does needs: to make them takes as long as all else
        here."""
        if name == "health" or name.startswith("_"):  # the module, while it is being imported; no name of it
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("gatepost.base.health"), name)
