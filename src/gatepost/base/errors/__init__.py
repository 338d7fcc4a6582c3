"""What goes wrong, as callers are told."""

from gatepost.base.errors.errors import AccessDeniedError as AccessDeniedError
from gatepost.base.errors.errors import BadInputError as BadInputError
from gatepost.base.errors.errors import ConfigurationError as ConfigurationError
from gatepost.base.errors.errors import ForceNeededError as ForceNeededError
from gatepost.base.errors.errors import GatepostError as GatepostError
from gatepost.base.errors.errors import IdempotencyError as IdempotencyError
from gatepost.base.errors.errors import KeyNotFoundError as KeyNotFoundError
from gatepost.base.errors.errors import MissingExtraError as MissingExtraError
from gatepost.base.errors.errors import PermissionDeniedError as PermissionDeniedError
from gatepost.base.errors.errors import PolicyError as PolicyError
from gatepost.base.errors.errors import ReplicaError as ReplicaError
from gatepost.base.errors.errors import RoleNotFoundError as RoleNotFoundError
from gatepost.base.errors.errors import SchemaError as SchemaError
from gatepost.base.errors.errors import SecretNotStoredError as SecretNotStoredError
from gatepost.base.errors.errors import StaleKeyError as StaleKeyError
from gatepost.base.errors.errors import StillSpreadingError as StillSpreadingError
from gatepost.base.errors.errors import UnavailableError as UnavailableError
from gatepost.base.errors.errors import UncertainCommitError as UncertainCommitError
from gatepost.base.errors.errors import UnknownPermissionError as UnknownPermissionError
from gatepost.base.errors.errors import line_of as line_of
