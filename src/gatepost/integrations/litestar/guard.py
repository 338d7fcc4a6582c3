"""`Guard`: the keys around a Litestar app, asked first, told in its document."""

import copy
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import fields
from functools import partial
from typing import Any, TypeAlias, Unpack, cast

import litestar.exceptions
from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.di import NamedDependency, Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi.spec import OpenAPI
from litestar.params import SkipValidation
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.utils.helpers import unwrap_partial
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.asgi import (
    APIKeyMiddleware,
    PermissionCheck,
    RefusalLog,
    Requirement,
    checks_of,
    faults_among,
    faults_of,
    first_refusal,
    litestar_refusal,
)
from gatepost.asgi.lifespan import kept
from gatepost.asgi.routes import Handler, Pages, litestar_before, litestar_handler
from gatepost.base import APIKey, BadInputError, ConfigurationError, UnavailableError
from gatepost.integrations.openapi import Json, Options, exempt_paths, gate_of
from gatepost.keys import APIKeys

_OF_DOCUMENT = {"litestar._openapi.plugin", "litestar.openapi.plugins", "litestar.openapi.controller"}
"""Where the functions are by which Litestar answers with its document and the pages of it."""


class Guard(InitPlugin, ReceiveRoutePlugin):
    """A plugin: `Litestar([...], plugins=[Guard(keys)])`. Every route needs a usable key, unless its path is exempt.

    It adds `APIKeyMiddleware` with these options to the app's middleware, as the outermost of it, opens and closes
    `keys` with the app, and has permissions asked before the body is read, a guard or a dependency runs: those of
    `@requires` on handlers and of `guards=[requires(...)]` on any layer. `api_key: CurrentKey` is the caller's
    `APIKey`, in handlers and dependencies. The document tells where a key is sent, what each operation needs, and how
    it refuses.

    `docs`: whether the document and its pages (`/schema`) can be read without a key, as in Litestar itself; `False` =
    they need one. What else the app has at these paths, or below, needs a key in any case. What no route takes is
    answered 404 without a key: where strangers are to be told nothing at all, wrap the app in
    `APIKeyMiddleware(app, keys)`. Raises `BadInputError` for options that cannot be used, and for a second one in an
    app. `Litestar([...])` raises `ConfigurationError` for a permission that no key can be given, with the line.
    """

    def __init__(self, keys: APIKeys, *, docs: bool = True, **options: Unpack[Options]) -> None:
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}: write Guard(keys)", "keys")
        self._keys = keys
        self._pages = Pages()
        given = kept(options)
        self._gate = gate_of(keys, given)
        exempt = [*given.get("exempt", ()), *([self._pages] if docs else ())]
        self._options = {"refusal_log": RefusalLog(), **given, "exempt": exempt}
        self._routes: list[HTTPRoute] = []
        self._handlers: list[Handler] = []
        self.standing = APIKeyMiddleware(_nowhere, keys, **self._options).standing
        """Where it was made, and what it reads: a middleware around the app may be in its way."""

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Called by Litestar."""
        earlier = next(each for each in app_config.plugins if isinstance(each, Guard))
        if earlier is not self:
            raise BadInputError(
                f"The app has a Guard already, made at {earlier.standing.place}: take one of them out", "plugins"
            )
        config = app_config.openapi_config
        if config is not None:
            config = app_config.openapi_config = copy.copy(config)
            vars(config)["to_openapi_schema"] = partial(self._document, config.to_openapi_schema)
        app_config.middleware[:0] = [
            DefineMiddleware(cast("Any", APIKeyMiddleware), keys=self._keys, **self._options),
            DefineMiddleware(cast("Any", _First)),
        ]
        app_config.lifespan.insert(0, self._open)
        app_config.dependencies.setdefault("api_key", Provide(current_key, sync_to_thread=False))
        app_config.exception_handlers.setdefault(litestar_refusal(), _answer)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Called by Litestar, for each route once all is known of it."""
        handlers: Any = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for each in handlers:
            self._handlers.append(litestar_handler(route.path, each))
            for fault in faults_of(self._handlers[-1], self._keys.catalogue, is_wrapped=True):
                raise ConfigurationError(fault)
        if isinstance(route, HTTPRoute):
            self._routes.append(route)
            if not route.path_parameters:
                self._pages.known |= {
                    (str(method), route.path)
                    for handler in route.route_handlers
                    for method in handler.http_methods
                    if unwrap_partial(handler.fn).__module__ in _OF_DOCUMENT
                }

    def _document(self, make: Callable[[], OpenAPI]) -> OpenAPI:
        bare = make()
        document = _Document(**{field.name: getattr(bare, field.name) for field in fields(bare)})
        document.tell = self._told
        return document

    def _told(self, document: Json) -> Json:
        exempt = exempt_paths(self._options)
        asked = {
            (route.path_format or "/", str(method).lower()): _told_checks(handler)
            for route in self._routes
            for handler in route.route_handlers
            for method in handler.http_methods
            if not exempt.match({"type": "http", "method": str(method), "path": route.path_format or "/"})
        }
        return self._gate.told_in(document, asked)

    @asynccontextmanager
    async def _open(self, _app: Litestar) -> AsyncIterator[None]:
        listed = [(each, self._keys.catalogue, None) for each in self._handlers]
        if found := [fault for fault, _ in faults_among(listed)]:  # now that all are known
            raise ConfigurationError("\n".join(found))
        opened = await self._keys.open()
        try:
            with suppress(UnavailableError):  # went away in between: requests are answered 503 until it is back
                await self._keys.serve()
            yield
        finally:
            if opened:
                await self._keys.close()


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of the app, before there is one."""


class _Document(OpenAPI):
    """Litestar's, which tells more when it is written."""

    tell: Callable[[Json], Json]

    def to_schema(self) -> Json:
        return self.tell(super().to_schema())


class _First:
    """Asks a route's permissions. Called once Litestar knows the route, and before it does anything with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[int, tuple[object, Sequence[PermissionCheck]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            handler = scope["route_handler"]
            known = self._known.get(id(handler))
            if known is None:
                known = self._known[id(handler)] = handler, _checks(handler)
            problem = first_refusal(known[1], scope)
            if problem is not None:
                await problem(scope, receive, send)
                return
        await self._app(scope, receive, send)


CurrentKey: TypeAlias = NamedDependency[SkipValidation[APIKey]]
"""The caller's key, as a handler's parameter: `api_key: CurrentKey`. Of the class that a request has, which Litestar
would not take for an `APIKey`."""


def current_key(request: Request[Any, Any, Any]) -> APIKey:
    """The caller's key. Raises `ConfigurationError` where there is none, on a path that is exempt say."""
    key = request.scope.get("api_key")
    if not isinstance(key, APIKey):
        raise ConfigurationError("the dependency api_key found no caller with a key: is the path exempt, or optional?")
    return key


def _checks(handler: Any) -> Sequence[PermissionCheck]:
    guards = (guard.check for guard in handler.resolve_guards() if isinstance(guard, Requirement))
    return [*dict.fromkeys((*checks_of(handler.fn), *guards))]


def _told_checks(handler: Any) -> Sequence[PermissionCheck]:
    """What is asked at first, and then by dependencies."""
    asked = (check for each in litestar_before(handler) for check in checks_of(each))
    return [*dict.fromkeys((*_checks(handler), *asked))]


def _answer(_request: Request[Any, Any, Any], error: litestar.exceptions.HTTPException) -> Response[bytes]:
    problem = error.problem  # type: ignore[attr-defined]  # of `litestar_refusal`
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    return Response(
        problem.body,
        status_code=problem.status,
        headers={"cache-control": "no-store", **headers},
        media_type="application/problem+json",
    )
