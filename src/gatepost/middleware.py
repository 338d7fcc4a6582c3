"""`APIKeyMiddleware`: lets in only who holds a usable key, and tells the app what the key may do. Pure ASGI."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus

from starlette.authentication import UnauthenticatedUser
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.context import current_scope
from gatepost.decision import of_another_project
from gatepost.errors import BadInputError, ConfigurationError, UnavailableError
from gatepost.exempt import Exemption, Exemptions
from gatepost.keyring import APIKeys
from gatepost.lifespan import Lifespan
from gatepost.models import Outcome
from gatepost.record import Credentials, Record
from gatepost.responses import Problem, challenge, checked_realm
from gatepost.sources import Bearer, Extractor, Header, Source, shown

logger = logging.getLogger("gatepost.middleware")

OnError = Callable[[Scope, Problem], Awaitable[ASGIApp | None] | ASGIApp | None]

_NO_PERMISSIONS: frozenset[str] = frozenset()
_NO_CREDENTIALS = Credentials()
_NOBODY = UnauthenticatedUser()


class APIKeyMiddleware:
    """Wraps an ASGI app. `http` and `websocket` need a usable key; `lifespan` opens and closes `keys`.

    `sources`: where a secret may stand. `exempt`: paths that need no key: `/health`, `/public/*`, or a function of the
    scope. `optional`: let requests without any secret in, unauthenticated; a wrong secret is refused all the same.
    `strip`: take what carried the secret out of the scope. `project`: the one that requests belong to, or a function of
    the scope that tells it; a key of another project is refused; `None` = every key is let in. `realm`: for the
    challenge of a 401. `on_error(scope, problem)`: answers another ASGI app to refuse with, or `None` for the usual
    response; may be async.

    Into the scope go `api_key` (the `APIKey`; `None` where there is none), `permissions` (a frozenset of names), `user`
    and `auth` (Starlette's). What stood there under these names is replaced. Raises `BadInputError` for options that
    cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: APIKeys,
        *,
        sources: Sequence[Source] = (Bearer(), Header("X-API-Key")),
        exempt: Sequence[Exemption] = (),
        optional: bool = False,
        strip: bool = True,
        project: str | Callable[[Scope], str | None] | None = None,
        realm: str = "api",
        on_error: OnError | None = None,
    ) -> None:
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}")
        self.app = app
        self.keys = keys
        self._take = Extractor(sources, strip=strip).take
        self._exempt = Exemptions(exempt) if exempt else None
        self._optional = optional
        self._project = project
        self._realm = checked_realm(realm)
        self._scheme = "Bearer" if Bearer() in sources else "ApiKey"
        self._on_error = on_error
        self._how = f"This needs an API key: send it as {' or '.join(shown(source) for source in sources)}."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - on the path of every request
            await self._serve_other(scope, receive, send)
            return
        raw = self._take(scope)
        key: Record | None = None
        if self._exempt is not None and self._exempt.match(scope):
            pass
        elif isinstance(raw, bytes):
            key = self.keys.recall(raw)
            if key is None:
                key = await self._admit(raw, scope, receive, send)
                if key is None:
                    return
            if self._project is not None and self._is_of_another_project(key, scope):
                await self._refuse(Problem(Outcome.PROJECT_DENIED), scope, receive, send)
                return
        elif not (self._optional and raw is Outcome.MISSING):
            await self._refuse(self._unauthenticated(raw), scope, receive, send)
            return

        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
        else:
            scope["api_key"] = None
            scope["user"] = _NOBODY
            scope["permissions"] = _NO_PERMISSIONS
            scope["auth"] = _NO_CREDENTIALS
        token = current_scope.set(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            current_scope.reset(token)

    async def _admit(self, raw: bytes, scope: Scope, receive: Receive, send: Send) -> Record | None:
        """The key of a secret that memory does not know as usable, or `None` once the caller has been refused."""
        try:
            if not self.keys.is_open:  # a server without lifespan
                await self.keys.open()
            outcome, key = await self.keys.judge(raw)
        except UnavailableError as failure:
            logger.error("%s", failure)  # noqa: TRY400 - an outage is no fault of ours: no traceback per request
            retry_after = (b"retry-after", str(failure.retry_after).encode())
            await self._refuse(Problem(Outcome.UNAVAILABLE, headers=(retry_after,)), scope, receive, send)
            return None
        if outcome is Outcome.VALID:
            return key
        await self._refuse(self._unauthenticated(outcome), scope, receive, send)
        return None

    def _unauthenticated(self, outcome: Outcome) -> Problem:
        problem = Problem(outcome, {"detail": self._how} if outcome is Outcome.MISSING else {})
        if problem.status != HTTPStatus.UNAUTHORIZED:
            return problem
        return replace(problem, headers=(challenge(outcome, self._realm, self._scheme),))

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp | None = None
        if self._on_error is not None:
            answer = self._on_error(scope, problem)
            app = await answer if inspect.isawaitable(answer) else answer
        await (app or problem)(scope, receive, send)

    def _is_of_another_project(self, key: Record, scope: Scope) -> bool:
        project = self._project(scope) if callable(self._project) else self._project
        return of_another_project(key.project, project)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise ConfigurationError(f"{scope['type']!r} connections cannot be checked for a key, so none is let in")
        await Lifespan(self.keys, self.app)(scope, receive, send)
