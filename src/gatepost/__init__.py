"""API keys for ASGI apps: one middleware lets in only callers with a usable key.

from gatepost import APIKeys, APIKeyMiddleware, requires

Importing this loads no database or Redis library; each is loaded when keys are opened.
"""

from typing import TYPE_CHECKING, Any

from gatepost.audit.endpoint import AuditEndpoint as AuditEndpoint
from gatepost.catalogue import DAM as DAM
from gatepost.catalogue import Catalogue as Catalogue
from gatepost.catalogue import Permission as Permission
from gatepost.errors import AccessDeniedError as AccessDeniedError
from gatepost.errors import BadInputError as BadInputError
from gatepost.errors import ConfigurationError as ConfigurationError
from gatepost.errors import ForceNeededError as ForceNeededError
from gatepost.errors import GatepostError as GatepostError
from gatepost.errors import IdempotencyError as IdempotencyError
from gatepost.errors import KeyNotFoundError as KeyNotFoundError
from gatepost.errors import MissingExtraError as MissingExtraError
from gatepost.errors import ReplicaError as ReplicaError
from gatepost.errors import SchemaError as SchemaError
from gatepost.errors import SecretNotStoredError as SecretNotStoredError
from gatepost.errors import StaleKeyError as StaleKeyError
from gatepost.errors import StillSpreadingError as StillSpreadingError
from gatepost.errors import UnavailableError as UnavailableError
from gatepost.errors import UncertainCommitError as UncertainCommitError
from gatepost.errors import UnknownPermissionError as UnknownPermissionError
from gatepost.keyring import APIKeys as APIKeys
from gatepost.middleware import APIKeyMiddleware as APIKeyMiddleware
from gatepost.models import Actor as Actor
from gatepost.models import ActorKind as ActorKind
from gatepost.models import APIKey as APIKey
from gatepost.models import ChangeEvent as ChangeEvent
from gatepost.models import EditedKey as EditedKey
from gatepost.models import ImportedKey as ImportedKey
from gatepost.models import Issued as Issued
from gatepost.models import OldSecret as OldSecret
from gatepost.models import Outcome as Outcome
from gatepost.models import Page as Page
from gatepost.models import Propagation as Propagation
from gatepost.models import Receipt as Receipt
from gatepost.models import State as State
from gatepost.models import Total as Total
from gatepost.models import Verdict as Verdict
from gatepost.models import Worker as Worker
from gatepost.precheck import PermissionsFirst as PermissionsFirst
from gatepost.readiness import Readiness as Readiness
from gatepost.refusal_log import RefusalLog as RefusalLog
from gatepost.requires import requires as requires
from gatepost.responses import Problem as Problem
from gatepost.secret import secret_pattern as secret_pattern
from gatepost.sources import Bearer as Bearer
from gatepost.sources import Header as Header
from gatepost.sources import Query as Query
from gatepost.sources import Subprotocol as Subprotocol
from gatepost.status import Finding as Finding
from gatepost.status import Status as Status
from gatepost.streams import ConnectionEndedError as ConnectionEndedError

if TYPE_CHECKING:
    from gatepost.admin.app import Admin as Admin


def __getattr__(name: str) -> Any:
    """`Admin`, whose extra not everybody has, and `__version__`, read from the installed package's metadata: only where
    they are asked for. Raises `MissingExtraError`."""
    if name == "Admin":
        try:
            from gatepost.admin.app import Admin  # noqa: PLC0415
        except ModuleNotFoundError as missing:
            if str(missing.name).partition(".")[0] == "gatepost":
                raise
            raise MissingExtraError(str(missing.name), "admin") from missing
        return Admin
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("gatepost")
    raise AttributeError(f"module 'gatepost' has no attribute {name!r}")
