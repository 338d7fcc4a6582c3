"""The only way in: whoever calls must hold a usable key, whatever stands around the app."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp, Scope

from gatepost.admin.api.shapes import ALWAYS
from gatepost.asgi import APIKeyMiddleware, Bearer, Counting, Header, Problem, Source, serving
from gatepost.base import BadInputError, Outcome, Presented
from gatepost.keys import APIKeys
from gatepost.temporary import TemporaryRecord

HEADERS: Sequence[Source] = (Bearer(), Header("X-API-Key"))
"""Where a secret stands unless told otherwise."""

NOT_FROM_URLS = (
    "The app around this API takes API keys from URLs or subprotocols too, so the key that it let in does not count "
    "here. Have its middleware leave this path alone (exempt=...), and send the key in a header."
)


_AROUND = "gatepost.around"
"""Where a scope tells that a middleware with the same keys is around, which counts the request."""


class _Counting(Counting):
    """Counts what nobody around counts."""

    def let_in(self, uses: Any, key: Any, digest: bytes, scope: Scope, began: float) -> None:
        """As `Counting.let_in`."""
        if not scope.pop(_AROUND, False):
            super().let_in(uses, key, digest, scope, began)


class Entrance(APIKeyMiddleware):
    """Wraps an ASGI app. What others put into the scope is not believed.

    Inside an app that is wrapped already, the middleware around that has taken the secret out of the headers: the one
    that it let in is judged again. `sources`: headers only, so that neither a cookie nor a link is a way in.
    Raises `BadInputError` for another source.
    """

    def __init__(self, app: ASGIApp, keys: APIKeys, *, sources: Sequence[Source], realm: str) -> None:
        for source in sources:
            if not isinstance(source, Bearer | Header):
                raise BadInputError(f"The REST API takes keys from headers only: Bearer() or Header(), not {source!r}")
        super().__init__(app, keys, sources=sources, realm=realm, on_error=self._answer)
        self._take = self._take_again
        self._counting = _Counting(self.addresses)

    def _take_again(self, scope: Scope) -> Presented | Outcome | bytes:
        """What the request shows, or has shown to a middleware around the app. Another secret that was left in the
        headers beside that one is an error, never a choice."""
        taken = self._extractor.take(scope)
        served = self._served_digest(scope)
        if served is None:
            return taken
        if taken is not Outcome.MISSING and (isinstance(taken, Outcome) or Presented(taken).digest != served):
            return Outcome.AMBIGUOUS
        scope[_AROUND] = True
        presented, key = Presented(digest=served), scope["api_key"]
        presented.claims = key.claims if isinstance(key, TemporaryRecord) else None  # not all that its parent may
        return presented

    def _answer(self, _scope: Scope, problem: Problem) -> Problem:
        """What is answered with a refusal. Who was let in by an app that takes keys from URLs too is told why that does
        not count: they may have sent the very header that is asked for, and it was taken out."""
        if problem.outcome is Outcome.MISSING and self._is_let_in_around:
            problem = replace(problem, extra={**problem.extra, "detail": NOT_FROM_URLS})
        return _hardened(problem)

    @property
    def _is_let_in_around(self) -> bool:
        """Whether a middleware with the same keys, around this one, has let the request in."""
        served: Any = serving()
        return bool(served) and isinstance(served[1], APIKeyMiddleware) and served[1].keys is self.keys

    def _served_digest(self, scope: Scope) -> bytes | None:
        """The digest (32 bytes) that a middleware with the same keys let this request in with; `None` where there is no
        such middleware, or it asked for none. A request that the app makes to itself while it serves another is not
        that one."""
        served: Any = serving()
        if not self._is_let_in_around:
            return None
        if not served[1].takes_headers_only:  # a link may be a way into that app, but not into this one
            return None
        digest: bytes | None = served[2]
        return digest if scope.get("api_key") is served[0]["api_key"] else None


def digest_of_caller() -> bytes:
    """The digest (32 bytes) of the secret that the entrance let this request in with."""
    served: Any = serving()
    digest: bytes = served[2]
    return digest


def _hardened(problem: Problem) -> Problem:
    """A refusal with the headers of every other answer."""
    said = {name for name, _ in problem.all_headers}
    more = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
    return replace(problem, headers=(*problem.headers, *(line for line in more if line[0] not in said)))
