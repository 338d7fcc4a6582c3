"""How errors are told to people: status, title, text. The one table of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from gatepost.base import (
    AccessDeniedError,
    BadInputError,
    ForceNeededError,
    GatepostError,
    KeyNotFoundError,
    RoleNotFoundError,
    UnavailableError,
    UncertainCommitError,
)

TOLD = (KeyNotFoundError, RoleNotFoundError, AccessDeniedError, UnavailableError, BadInputError, HTTPException)
"""Errors that have a page of their own; any other is a fault of ours."""

REFUSALS = (BadInputError, AccessDeniedError, ForceNeededError)
"""Errors that belong beside the form that led to them."""

FORGED = (
    "This form did not come from this page, or it is too old: somebody else has signed in since, or the browser did "
    "not send the page's cookies back. Nothing was changed. Go back, reload the page, and try again."
)
_OWN_KEY = "This would take the key away that you are using. Tick the box if you mean it."
_DELETED = "It may have been deleted since, by somebody else."
_UNCERTAIN = (
    "The database went away while the change was being made, and did not come back in time to tell whether it was. "
    "Look at the list, and do it again if need be: nothing happens twice."
)
_AWAY = "The database does not answer, so nothing can be shown or changed. Nothing is lost. Try again in a moment."
_FAULT = "The fault is not yours. Whoever runs this app finds it in the server's log."


@dataclass(frozen=True, slots=True)
class Failure:
    """What a page says instead of what was asked for. `headers`: that go with it."""

    status: int
    title: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def failure_of(error: Exception) -> Failure:
    """The page for an error."""
    match error:
        case KeyNotFoundError():
            failure = Failure(404, "There is no such key", _DELETED)
        case RoleNotFoundError():
            failure = Failure(404, "There is no such role", _DELETED)
        case AccessDeniedError():
            failure = Failure(403, "This is not allowed", sentence(error))
        case UncertainCommitError():
            failure = Failure(503, "Nobody knows whether this was done", _UNCERTAIN, _later(error))
        case UnavailableError():
            failure = Failure(503, "The keys cannot be reached", _AWAY, _later(error))
        case BadInputError():
            failure = Failure(400, "This cannot be used", sentence(error))
        case HTTPException(status_code=404):
            failure = Failure(404, "There is no such page", "The address is not one of this page.")
        case HTTPException():
            failure = Failure(error.status_code, "This was refused", error.detail, error.headers or {})
        case _:
            failure = Failure(500, "Something went wrong", _FAULT)
    return failure


def refusal_status(error: GatepostError) -> int:
    """The HTTP status of a form that is shown again because of one of `REFUSALS`."""
    match error:
        case BadInputError():
            return 400
        case AccessDeniedError():
            return 403
        case _:
            return 409


def _later(error: UnavailableError) -> Mapping[str, str]:
    return {"Retry-After": str(error.retry_after)}


def sentence(error: Exception) -> str:
    """The error's message as a sentence."""
    if isinstance(error, ForceNeededError):
        return _OWN_KEY
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"
