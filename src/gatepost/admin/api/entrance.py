"""The only way in: whoever calls must hold a usable key, whatever stands around the app."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.admin.api.reply import ALWAYS
from gatepost.context import serving
from gatepost.errors import BadInputError
from gatepost.keyring import APIKeys
from gatepost.middleware import APIKeyMiddleware
from gatepost.models import Outcome
from gatepost.responses import Problem
from gatepost.secret import digest
from gatepost.sources import Bearer, Extractor, Header, Source

HEADERS: Sequence[Source] = (Bearer(), Header("X-API-Key"))
"""Where a secret stands unless told otherwise."""


class Entrance:
    """Wraps an ASGI app in an `APIKeyMiddleware` of its own. What others put into the scope is not believed.

    Inside an app that is wrapped already, the middleware around that has taken the secret out of the headers: it is put
    back, and judged again. `sources`: headers only, so that neither a cookie nor a link is a way in.
    Raises `BadInputError` for another source.
    """

    def __init__(self, app: ASGIApp, keys: APIKeys, *, sources: Sequence[Source], realm: str) -> None:
        for source in sources:
            if not isinstance(source, Bearer | Header):
                raise BadInputError(f"The REST API takes keys from headers only: Bearer() or Header(), not {source!r}")
        self._checked = APIKeyMiddleware(app, keys, sources=sources, realm=realm, on_error=_hardened)
        self._keys = keys
        self._take = Extractor(sources).take
        header = next((source.name for source in sources if isinstance(source, Header)), None)
        self._carrier = b"authorization" if header is None else header.lower().encode()
        self._scheme = b"Bearer " if header is None else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            scope = self._with_secret(scope)
        await self._checked(scope, receive, send)

    def _with_secret(self, scope: Scope) -> Scope:
        """The scope with the secret that a middleware around it took out. Beside another one that it left in there are
        two then, which is an error, never a choice."""
        secret = self._served_secret(scope)
        if secret is Outcome.AMBIGUOUS:
            return {**scope, "headers": [*scope["headers"], *[(self._carrier, self._scheme + b"several")] * 2]}
        if not isinstance(secret, bytes):
            return scope
        left = self._take(dict(scope))
        if left == secret:
            return scope
        headers = [line for line in scope["headers"] if left is not Outcome.MISSING or line[0].lower() != self._carrier]
        return {**scope, "headers": [*headers, (self._carrier, self._scheme + secret)]}

    def _served_secret(self, scope: Scope) -> bytes | Outcome | None:
        """What a middleware with the same keys took out of this request, also on a path that is exempt: a secret, or
        that there were several; `None` where there is no such middleware. A request that the app makes to itself while
        it serves another is not that one."""
        served = serving()
        if not served or served[1].keys is not self._keys or "api_key" not in scope:
            return None
        if not served[1].takes_headers_only:  # a link may be a way into that app, but not into this one
            return None
        taken: bytes | Outcome | None = served[2] or served[4]
        return taken if scope["api_key"] is served[0]["api_key"] else None


def digest_of_caller() -> bytes:
    """The digest of the secret that the entrance let this request in with."""
    served: Any = serving()
    return digest(served[2].strip(b" "))


def _hardened(_scope: Scope, problem: Problem) -> Problem:
    """A refusal with the headers of every other answer."""
    said = {name for name, _ in problem.all_headers}
    more = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
    return replace(problem, headers=(*problem.headers, *(line for line in more if line[0] not in said)))
