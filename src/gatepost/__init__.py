"""API keys for ASGI apps: one middleware lets in only callers with a usable key.

from gatepost import APIKeys, APIKeyMiddleware, requires

Importing this loads no database or Redis library; each is loaded when keys are opened.
"""

from typing import TYPE_CHECKING, Any

from gatepost.asgi import APIKeyMiddleware as APIKeyMiddleware
from gatepost.asgi import Bearer as Bearer
from gatepost.asgi import ConnectionEndedError as ConnectionEndedError
from gatepost.asgi import Header as Header
from gatepost.asgi import PermissionsFirst as PermissionsFirst
from gatepost.asgi import Problem as Problem
from gatepost.asgi import Query as Query
from gatepost.asgi import RefusalLog as RefusalLog
from gatepost.asgi import Subprotocol as Subprotocol
from gatepost.asgi import requires as requires
from gatepost.base import AccessDeniedError as AccessDeniedError
from gatepost.base import Actor as Actor
from gatepost.base import ActorKind as ActorKind
from gatepost.base import APIKey as APIKey
from gatepost.base import BadInputError as BadInputError
from gatepost.base import ChangeEvent as ChangeEvent
from gatepost.base import ConfigurationError as ConfigurationError
from gatepost.base import EditedKey as EditedKey
from gatepost.base import ForceNeededError as ForceNeededError
from gatepost.base import GatepostError as GatepostError
from gatepost.base import IdempotencyError as IdempotencyError
from gatepost.base import ImportedKey as ImportedKey
from gatepost.base import Issued as Issued
from gatepost.base import KeyNotFoundError as KeyNotFoundError
from gatepost.base import Leak as Leak
from gatepost.base import MissingExtraError as MissingExtraError
from gatepost.base import OldSecret as OldSecret
from gatepost.base import Outcome as Outcome
from gatepost.base import Page as Page
from gatepost.base import PolicyError as PolicyError
from gatepost.base import Propagation as Propagation
from gatepost.base import Quota as Quota
from gatepost.base import Rate as Rate
from gatepost.base import Receipt as Receipt
from gatepost.base import ReplicaError as ReplicaError
from gatepost.base import RoleNotFoundError as RoleNotFoundError
from gatepost.base import SchemaError as SchemaError
from gatepost.base import SecretNotStoredError as SecretNotStoredError
from gatepost.base import SecretState as SecretState
from gatepost.base import Slots as Slots
from gatepost.base import StaleKeyError as StaleKeyError
from gatepost.base import State as State
from gatepost.base import StillSpreadingError as StillSpreadingError
from gatepost.base import Total as Total
from gatepost.base import UnavailableError as UnavailableError
from gatepost.base import UncertainCommitError as UncertainCommitError
from gatepost.base import UnknownPermissionError as UnknownPermissionError
from gatepost.base import Usage as Usage
from gatepost.base import Verdict as Verdict
from gatepost.base import Worker as Worker
from gatepost.base import normal_path as normal_path
from gatepost.base import secret_pattern as secret_pattern
from gatepost.idle import IdleKeys as IdleKeys
from gatepost.issuing import TemporarySecrets as TemporarySecrets
from gatepost.keys import APIKeys as APIKeys
from gatepost.keys import PolicyPreview as PolicyPreview
from gatepost.keys import Selection as Selection
from gatepost.leaks import GitHub as GitHub
from gatepost.leaks import GitLab as GitLab
from gatepost.leaks import Leaks as Leaks
from gatepost.leaks import Revoke as Revoke
from gatepost.limits import LimitState as LimitState
from gatepost.probes import AuditEndpoint as AuditEndpoint
from gatepost.probes import Readiness as Readiness
from gatepost.rules import DAM as DAM
from gatepost.rules import Catalogue as Catalogue
from gatepost.rules import Permission as Permission
from gatepost.rules import Policy as Policy
from gatepost.rules import Role as Role
from gatepost.rules import RoleChange as RoleChange
from gatepost.temporary import Template as Template
from gatepost.temporary import TemporarySecret as TemporarySecret
from gatepost.temporary import Terms as Terms

if TYPE_CHECKING:
    from gatepost.admin import Admin as Admin
    from gatepost.health import Finding as Finding
    from gatepost.health import Status as Status
    from gatepost.webhooks import EVENT_TYPES as EVENT_TYPES
    from gatepost.webhooks import LogTarget as LogTarget
    from gatepost.webhooks import Target as Target
    from gatepost.webhooks import Webhooks as Webhooks

    __version__: str
else:  # a checker finds wrong names by itself, unless it sees this

    def __getattr__(name: str) -> Any:
        """`Admin`, whose extra not everybody has, `Webhooks`, `__version__`, read from the installed metadata, and what
        `APIKeys.status` answers: only where they are asked for. Raises `MissingExtraError`."""
        if name == "Admin":
            try:
                from gatepost.admin import Admin  # noqa: PLC0415
            except ModuleNotFoundError as missing:
                if str(missing.name).partition(".")[0] == "gatepost":
                    raise
                raise MissingExtraError(str(missing.name), "admin") from missing
            return Admin
        if name in ("EVENT_TYPES", "LogTarget", "Target", "Webhooks"):
            from gatepost import webhooks  # noqa: PLC0415 - SQLAlchemy

            return getattr(webhooks, name)
        if name in ("Finding", "Status"):
            from gatepost import health  # noqa: PLC0415

            return getattr(health, name)
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415

            return version("gatepost")
        raise AttributeError(f"module 'gatepost' has no attribute {name!r}")
