"""The one tree of exceptions. Outcomes of verifying a secret are values (`Outcome`), never exceptions."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatepost.base import APIKey

ID_SHOWN_MAX = 12
"""The length of an id."""


class GatepostError(Exception):
    """Base of all that gatepost raises on purpose."""


def line_of(failure: BaseException) -> str:
    """What a system below failed with, in a line for people: the type, and its text where it has one (timeouts of
    drivers have none)."""
    text = " ".join(str(failure).split()).rstrip(".: ")
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__


class BadInputError(GatepostError, ValueError):
    """An argument cannot be used; the message names it and says what to do. Nothing was changed.

    `field`: the argument's name, `None` where the fault is not in a single one.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownPermissionError(BadInputError):
    """A permission name that no catalogue has.

    `name`: the name; `nearest`: the most similar name that exists, or `None` where none is similar.
    """

    def __init__(self, name: str, catalogue: str, nearest: str | None, advice: str = "") -> None:
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"No permission {name!r} in {catalogue}.{hint}{advice and ' '}{advice}", "permissions")
        self.name = name
        self.nearest = nearest


class PolicyError(BadInputError):
    """What was asked for does not fit a policy, which binds operators too. Nothing was changed.

    `policy`: its name, as the message has it. `term`: which of its terms (`Policy`). `field`: as for `BadInputError`.
    """

    def __init__(self, message: str, policy: str, term: str, field: str | None = None) -> None:
        super().__init__(f"{message}: {policy} says so ({term})", field)
        self.policy = policy
        self.term = term


class KeyNotFoundError(GatepostError, LookupError):
    """No key has this id. `ids`: the ids that are unknown."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: Sequence[str] = tuple(ids)
        super().__init__("No key with id " + ", ".join(_shown(i) for i in self.ids))


def _shown(key_id: str) -> str:
    """An id as a message may show it: what is too long for one may be a secret that was given by mistake."""
    if len(key_id) <= ID_SHOWN_MAX:
        return repr(key_id)
    return (
        f"{key_id[:ID_SHOWN_MAX]!r}... (an id has {ID_SHOWN_MAX} characters; a secret has it between its underscores)"
    )


class RoleNotFoundError(GatepostError, LookupError):
    """There is no role of this name for keys of this project; or it is none that the actor may know of. `nearest`: the
    most similar name that there is, of those that the actor may know of; `None` where none is similar."""

    def __init__(self, name: str, project: str | None) -> None:
        whose = "that is company-wide" if project is None else f"of project {project!r}"
        super().__init__(f"No role {name!r} {whose}")
        self.name = name
        self.project = project
        self.nearest: str | None = None


class AccessDeniedError(GatepostError):
    """The actor may not do this; nothing was changed. `missing`: the permissions that would be needed."""

    def __init__(self, message: str, missing: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.missing = frozenset(missing)


class ForceNeededError(GatepostError):
    """An actor is about to weaken the key that it uses itself: say `force` if that is meant. Nothing was changed."""


class StaleKeyError(GatepostError):
    """The key is not what the caller took it for (`if_version=`): somebody changed it in between. Nothing was changed.

    `key`: the key as it is now.
    """

    def __init__(self, key: "APIKey") -> None:
        super().__init__(f"Key {key.id} was changed in between, at {key.updated_at.isoformat()}: look at it again")
        self.key = key


class IdempotencyError(GatepostError):
    """An idempotency key was used before, for another request, too long ago, or for a key changed since."""


class SecretNotStoredError(GatepostError):
    """The secret cannot be shown again: none is stored that could be read back; the message says why."""


class UnavailableError(GatepostError):
    """The truth could not be read, or a change not written, because a system below failed. Nothing was decided.

    `retry_after`: whole seconds after which trying again makes sense.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ReplicaError(UnavailableError):
    """The database is a copy that follows another: it may not know yet that a key was deactivated, so nothing that it
    says of keys counts. The message says what to write instead."""


class UncertainCommitError(UnavailableError):
    """The database went away while a change was being committed, and did not come back in time to tell whether it was.

    Do it again: the verbs that take something away may be repeated. `seq`: the number that the change would have.
    """

    def __init__(self, message: str, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


class StillSpreadingError(GatepostError, TimeoutError):
    """The change is committed, but the caller's `timeout` came before every worker acts on it.

    `result`: what the verb would have returned, with a new secret if there is one; its `propagation` tells who is
    waited for and by when it holds everywhere at the latest.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


class ConfigurationError(GatepostError, RuntimeError):
    """The pieces were put together in a way that cannot work; the message says how to mend it."""


class SchemaError(ConfigurationError):
    """The database's tables are missing, or older or newer than this code; the message names the command."""


class MissingExtraError(ConfigurationError, ImportError):
    """A library of an optional extra is not installed; the message holds the install line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Run: pip install 'gatepost[{extra}]'")


class PermissionDeniedError(GatepostError):
    """A caller lacks a permission, in a framework whose responses `requires` does not know: let it answer 403."""
