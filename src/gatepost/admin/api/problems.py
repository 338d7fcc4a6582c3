"""What a caller is told of an error: exception -> status, code, body (RFC 9457). The one table of them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from gatepost.admin.api.shapes import PROBLEM_JSON, Reply
from gatepost.base import (
    AccessDeniedError,
    BadInputError,
    ForceNeededError,
    IdempotencyError,
    KeyNotFoundError,
    PolicyError,
    RoleNotFoundError,
    SecretNotStoredError,
    StaleKeyError,
    UnavailableError,
    UncertainCommitError,
    UnknownPermissionError,
)


class Line(NamedTuple):
    """One line of the table. `code`: stable, for programs."""

    status: HTTPStatus
    code: str


LINES: Mapping[type[Exception], Line] = {
    BadInputError: Line(HTTPStatus.BAD_REQUEST, "bad_input"),
    UnknownPermissionError: Line(HTTPStatus.BAD_REQUEST, "unknown_permission"),
    PolicyError: Line(HTTPStatus.UNPROCESSABLE_ENTITY, "policy_denied"),
    AccessDeniedError: Line(HTTPStatus.FORBIDDEN, "permission_denied"),
    KeyNotFoundError: Line(HTTPStatus.NOT_FOUND, "key_not_found"),
    RoleNotFoundError: Line(HTTPStatus.NOT_FOUND, "role_not_found"),
    ForceNeededError: Line(HTTPStatus.CONFLICT, "force_needed"),
    IdempotencyError: Line(HTTPStatus.CONFLICT, "idempotency_conflict"),
    SecretNotStoredError: Line(HTTPStatus.CONFLICT, "secret_not_stored"),
    StaleKeyError: Line(HTTPStatus.PRECONDITION_FAILED, "stale_key"),
    UnavailableError: Line(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    UncertainCommitError: Line(HTTPStatus.SERVICE_UNAVAILABLE, "uncertain_commit"),
}
"""Errors that say something to the caller. All others are failures of ours: 500."""

HTTP_CODES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "bad_input",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "body_too_slow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}
"""Codes of the errors that HTTP itself has a status for, as `HTTPException`."""

FAILED = Line(HTTPStatus.INTERNAL_SERVER_ERROR, "failed")

_PLACES = {"idempotency_key": "Idempotency-Key", "if_version": "If-Match"}
"""Arguments of the verbs that come in a header of another name."""


def problem(error: Exception) -> Reply:
    """The answer to an error of the table, or of HTTP."""
    line = _line(error)
    members = _members(line, _detail(error))
    headers = {}
    match error:
        case HTTPException(headers=told) if told:
            headers = dict(told)
        case UnavailableError():
            headers["Retry-After"] = str(error.retry_after)
        case BadInputError(field=str(field)):
            members["field"] = _PLACES.get(field, field)
            if isinstance(error, PolicyError):
                members |= {"policy": error.policy, "term": error.term}
        case AccessDeniedError() if error.missing:
            members["required"] = members["missing"] = sorted(error.missing)
    return Reply(members, line.status, headers, PROBLEM_JSON)


def failure() -> Reply:
    """The answer to an error that nobody expected; the server's log has it."""
    detail = "This failed, and it is not your fault. The server's log tells why."
    return Reply(_members(FAILED, detail), FAILED.status, media_type=PROBLEM_JSON)


def _members(line: Line, detail: str) -> dict[str, Any]:
    """`message`: as in the middleware's refusals, for clients that show that member or none."""
    return {
        "title": line.status.phrase,
        "status": line.status,
        "detail": detail,
        "message": detail,
        "code": line.code,
    }


def _line(error: Exception) -> Line:
    if isinstance(error, HTTPException):
        return Line(HTTPStatus(error.status_code), HTTP_CODES[error.status_code])
    return next(LINES[kind] for kind in type(error).__mro__ if kind in LINES)


def _detail(error: Exception) -> str:
    if not isinstance(error, HTTPException):
        return str(error)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is no such path: /openapi.json lists all."
    return error.detail
