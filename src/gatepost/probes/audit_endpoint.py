"""What a worker tells the auditor: how it would answer for a digest. An ASGI app beside the middleware."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gatepost.base import DIGEST_BYTES, BadInputError, GatepostError
from gatepost.keys import APIKeys

TOKEN_HEADER = "x-gatepost-audit"  # noqa: S105 - the header's name
"""Carries the token. Not `Authorization`: the middleware takes that out where the path is not exempt."""

TOKEN_MIN = 32
"""Least characters of the shared token: hexadecimal ones hold 128 bits then."""

DIGESTS_MAX = 500
"""Most digests in one question: one statement's worth."""

BODY_MAX = 64 * 1024
"""Bytes: `DIGESTS_MAX` digests in hexadecimal, with quotes and commas, and some room."""


class AuditEndpoint:
    """A pure ASGI app that answers `gatepost audit`, and nobody else.

        app.add_route("/_gatepost", AuditEndpoint(keys, token=os.environ["GATEPOST_AUDIT_TOKEN"]))
        app = APIKeyMiddleware(app, keys, exempt=["/_gatepost"])  # it has a token of its own

    `token`: 32 characters or more, the same for the auditor; `openssl rand -hex 32` makes one. Who has it learns how
    this worker answers for a digest, never a secret, and can change nothing. Whoever has not is told nothing but 401,
    after a comparison in constant time. It answers a POST of `{"digests": ["<64 hex digits>", …]}`, at most 500.

    Raises `BadInputError` for a token that is too short, which an unset variable is too.
    """

    def __init__(self, keys: APIKeys, *, token: str) -> None:
        self._keys = keys
        self._expected = sha256(checked_token(token).encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close"})
            return
        if not self._is_auditor(scope):
            await _respond(send, HTTPStatus.UNAUTHORIZED, b"", (b"www-authenticate", b'Token realm="audit"'))
            return
        if scope["method"] != "POST":
            await _respond(send, HTTPStatus.METHOD_NOT_ALLOWED, b"", (b"allow", b"POST"))
            return
        body = await _read(receive)
        digests = None if body is None else _digests(body)
        if digests is None:
            await _respond(send, HTTPStatus.BAD_REQUEST, b'{"error":"digests"}')
            return
        try:
            if not self._keys.is_open:
                await self._keys.open()
            testimony = await self._keys.testify(digests)
        except GatepostError:
            await _respond(send, HTTPStatus.SERVICE_UNAVAILABLE, b'{"error":"unavailable"}')
            return
        worker = testimony.worker
        answer = {
            "worker": None if worker is None else {"id": worker.id, "name": worker.name},
            "max_staleness": testimony.max_staleness,
            "applied_seq": testimony.applied_seq,
            "lease_seconds": testimony.lease_seconds,
            "answers": {
                digest.hex(): {"outcome": each.outcome.value, "as_of": each.as_of}
                for digest, each in testimony.answers.items()
            },
        }
        await _respond(send, HTTPStatus.OK, orjson.dumps(answer))

    def _is_auditor(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name.lower() == TOKEN_HEADER.encode()]
        return len(given) == 1 and hmac.compare_digest(sha256(given[0]).digest(), self._expected)


def checked_token(token: str) -> str:
    """The token itself. Raises `BadInputError`, without its text."""
    if not isinstance(token, str) or len(token) < TOKEN_MIN or not token.isascii() or not token.isprintable():
        raise BadInputError(
            f"token must be {TOKEN_MIN} or more printable ASCII characters. Make one with: openssl rand -hex 32"
        )
    return token


async def _read(receive: Receive) -> bytes | None:
    """The body, `None` where it is too long or breaks off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > BODY_MAX:
            return None
        if not message.get("more_body", False):
            return body


def _digests(body: bytes) -> Sequence[bytes] | None:
    try:
        asked: Any = orjson.loads(body)
        digests = [bytes.fromhex(text) for text in asked["digests"]]
    except (ValueError, TypeError, KeyError):
        return None
    if len(digests) > DIGESTS_MAX or any(len(digest) != DIGEST_BYTES for digest in digests):
        return None
    return list(dict.fromkeys(digests))


async def _respond(send: Send, status: HTTPStatus, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
