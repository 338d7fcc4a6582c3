"""What the document says in words, and the shapes that are the same in every app."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from gatepost.asgi import PermissionCheck, Problem
from gatepost.base import Outcome
from gatepost.rules import Catalogue, Permission

_NAMES = {"type": "array", "items": {"type": "string"}}

SCHEMA: Mapping[str, Any] = {
    "title": "APIKeyProblem",
    "type": "object",
    "description": "Why a request was refused (RFC 9457). `code`: for programs, stable. `detail`, and once more "
    "`message`: for people.",
    "required": ["title", "status", "detail", "message", "code"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "code": {"type": "string", "enum": [each.value for each in Outcome if each is not Outcome.VALID]},
        "required": {**_NAMES, "description": "The permissions that this needs."},
        "missing": {**_NAMES, "description": "Those that the key lacks."},
        "any_of": {"type": "boolean", "description": "Whether one of those required would do."},
        "type": {"type": "string"},
        "violated-policies": {**_NAMES, "description": "The limits that are used up."},
    },
}
"""A refusal's body, whatever its code."""

_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}}

HEADERS: Mapping[HTTPStatus, Mapping[str, Any]] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {
            "description": "The challenge (RFC 9110, RFC 6750).",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}
"""Headers of refusals, by their status."""


def statuses(problems: Mapping[Outcome, Problem], *, optional: bool) -> Mapping[HTTPStatus, Sequence[Outcome]]:
    """What each status may mean, in order. `optional`: a request without a key is let in."""
    found: defaultdict[HTTPStatus, list[Outcome]] = defaultdict(list)
    for outcome, problem in problems.items():
        if outcome is not Outcome.MISSING or not optional:
            found[HTTPStatus(problem.status)].append(outcome)
    return dict(sorted(found.items()))


def needs(checks: Sequence[PermissionCheck], catalogue: type[Catalogue]) -> str:
    """What an operation needs, as a sentence."""
    parts = [_named(sorted(check.all_of), catalogue, " and ") for check in checks if check.all_of]
    parts += [f"one of {_named(sorted(check.any_of), catalogue, ', ')}" for check in checks if check.any_of]
    return f"Needs {', and '.join(parts)}."


def _named(names: Iterable[str], catalogue: type[Catalogue], between: str) -> str:
    sentences: Mapping[str, Permission] = {str(each): each for each in catalogue}
    return between.join(
        f"`{name}` ({sentences[name].sentence})" if name in sentences else f"`{name}`" for name in names
    )
