"""What a refused caller is told: outcome -> status, headers, body. The one table of errors (RFC 9457, RFC 6750)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from gatepost.asgi.responses.mcp import is_of_mcp, json_rpc_error
from gatepost.base import BadInputError, Outcome

WEBSOCKET_UNAUTHENTICATED = 3000
WEBSOCKET_FORBIDDEN = 3003
WEBSOCKET_TRY_AGAIN_LATER = 1013
"""Close codes, all three registered in IANA's WebSocket Close Code Number Registry."""

MEDIA_TYPE = b"application/problem+json"

DENIAL_EXTENSION = "websocket.http.response"
"""The ASGI extension of servers that can answer a WebSocket handshake with an HTTP response."""


QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""The type of a problem, from the registry's entries of draft-ietf-httpapi-ratelimit-headers-11."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table. `error`: the code of RFC 6750, section 3.1, for the challenge of a 401."""

    status: HTTPStatus
    detail: str
    close_code: int
    error: str | None = None


_TABLE: Mapping[Outcome, _Line] = {
    Outcome.MISSING: _Line(HTTPStatus.UNAUTHORIZED, "This needs an API key.", WEBSOCKET_UNAUTHENTICATED),
    Outcome.INVALID: _Line(
        HTTPStatus.UNAUTHORIZED, "The API key is not valid.", WEBSOCKET_UNAUTHENTICATED, "invalid_token"
    ),
    Outcome.DEACTIVATED: _Line(
        HTTPStatus.UNAUTHORIZED, "The API key is deactivated.", WEBSOCKET_UNAUTHENTICATED, "invalid_token"
    ),
    Outcome.EXPIRED: _Line(
        HTTPStatus.UNAUTHORIZED, "The API key has expired.", WEBSOCKET_UNAUTHENTICATED, "invalid_token"
    ),
    Outcome.AMBIGUOUS: _Line(
        HTTPStatus.BAD_REQUEST, "The request holds more than one API key: send exactly one.", WEBSOCKET_UNAUTHENTICATED
    ),
    Outcome.PERMISSION_DENIED: _Line(
        HTTPStatus.FORBIDDEN, "The API key lacks a permission that this needs.", WEBSOCKET_FORBIDDEN
    ),
    Outcome.ADDRESS_DENIED: _Line(
        HTTPStatus.FORBIDDEN, "The API key may not be used from this address.", WEBSOCKET_FORBIDDEN
    ),
    Outcome.ORIGIN_DENIED: _Line(
        HTTPStatus.FORBIDDEN, "The API key may not be used from pages of this origin.", WEBSOCKET_FORBIDDEN
    ),
    Outcome.SUBJECT_DENIED: _Line(HTTPStatus.FORBIDDEN, "The API key is for somebody else.", WEBSOCKET_FORBIDDEN),
    Outcome.PROJECT_DENIED: _Line(HTTPStatus.FORBIDDEN, "The API key belongs to another project.", WEBSOCKET_FORBIDDEN),
    Outcome.ENVIRONMENT_DENIED: _Line(
        HTTPStatus.FORBIDDEN, "The API key is for another environment.", WEBSOCKET_FORBIDDEN
    ),
    Outcome.LIMIT_EXCEEDED: _Line(
        HTTPStatus.TOO_MANY_REQUESTS, "The API key has used up one of its limits.", WEBSOCKET_TRY_AGAIN_LATER
    ),
    Outcome.UNAVAILABLE: _Line(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The API key could not be checked right now. Try again later.",
        WEBSOCKET_TRY_AGAIN_LATER,
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, ready to be sent: itself an ASGI app for `http` and `websocket`.

    `outcome`: why; its value is the `code` in the body. `extra`: further members of the body. `headers`: beside content
    type and length. A WebSocket is refused before it is accepted: by an HTTP response where the server can send one,
    else by a close code.
    """

    outcome: Outcome
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Sequence[tuple[bytes, bytes]] = ()
    status: int = field(init=False, repr=False, compare=False)
    """The HTTP status."""
    body: bytes = field(init=False, repr=False, compare=False)
    """The body: an `application/problem+json` object (RFC 9457). Made once, since a refusal may be sent very often."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", int(_TABLE[self.outcome].status))
        object.__setattr__(self, "body", orjson.dumps(self.members))

    @property
    def close_code(self) -> int:
        """The close code for a WebSocket."""
        return _TABLE[self.outcome].close_code

    @property
    def members(self) -> dict[str, Any]:
        """What the body says: `title`, `status`, `detail`, `code`, and `extra`. `message` is the detail once more:
        clients that are made from an OpenAPI document show that member, or none."""
        line = _TABLE[self.outcome]
        detail = self.extra.get("detail", line.detail)
        return {
            "title": line.status.phrase,
            "status": int(line.status),
            "detail": detail,
            "message": detail,
            "code": self.outcome.value,
            **self.extra,
        }

    @property
    def all_headers(self) -> list[tuple[bytes, bytes]]:
        """Every header of the response, names in lower case."""
        return [
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or the WebSocket handshake."""
        if scope["type"] == "http":
            if is_of_mcp(scope):
                await self._respond(send, "http", json_rpc_error(self.members, self.headers), b"application/json")
            else:
                await self._respond(send, "http", self.body if scope["method"] != "HEAD" else b"")
            return
        await receive()  # websocket.connect: nothing may be sent before it came
        if DENIAL_EXTENSION in (scope.get("extensions") or {}):
            await self._respond(send, "websocket.http", self.body)
        else:
            await send(close_message(self.outcome))

    async def _respond(self, send: Send, kind: str, body: bytes, media_type: bytes = MEDIA_TYPE) -> None:
        headers = self.all_headers
        if media_type != MEDIA_TYPE:
            headers[:2] = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
        await send({"type": f"{kind}.response.start", "status": self.status, "headers": headers})
        await send({"type": f"{kind}.response.body", "body": body})


def unavailable(retry_after: int) -> Problem:
    """The refusal of a request that nobody can judge now. `retry_after`: seconds."""
    return Problem(Outcome.UNAVAILABLE, headers=((b"retry-after", str(retry_after).encode()),))


def close_message(outcome: Outcome) -> Message:
    """What ends a WebSocket: the outcome's close code, and its value as the reason."""
    return {"type": "websocket.close", "code": _TABLE[outcome].close_code, "reason": outcome.value}


def challenge(outcome: Outcome, realm: str, scheme: str) -> tuple[bytes, bytes]:
    """The `WWW-Authenticate` header of a 401 (RFC 9110, section 11.6.1; RFC 6750, section 3).

    `scheme`: `Bearer`, or another token where no source is a bearer token.
    """
    line = _TABLE[outcome]
    text = f'{scheme} realm="{realm}"'
    if line.error and scheme == "Bearer":
        text += f', error="{line.error}", error_description="{line.detail}"'
    return (b"www-authenticate", text.encode("ascii"))


def checked_realm(realm: str) -> str:
    """`realm` itself. Raises `BadInputError` where it cannot stand between quotes in a header."""
    if not realm.isascii() or not realm.isprintable() or '"' in realm or "\\" in realm:
        raise BadInputError(f"realm {realm!r} must be printable ASCII without quotes and backslashes")
    return realm


def denied(required: frozenset[str], missing: frozenset[str], *, any_of: bool) -> Problem:
    """The 403 for missing permissions. The body lists what was `required` and what is `missing`, sorted.

    `any_of`: one of those required would do.
    """
    extra: dict[str, Any] = {"required": sorted(required), "missing": sorted(missing)}
    if any_of:
        extra["any_of"] = True
    return Problem(Outcome.PERMISSION_DENIED, extra)
