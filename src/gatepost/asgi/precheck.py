"""`PermissionsFirst`: asks `requires` before a route reads its body and runs its dependencies. For FastAPI."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.asgi.limits import limits_in
from gatepost.asgi.requires import PermissionCheck, Requirement, checks_of
from gatepost.base import ConfigurationError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute, Route


class PermissionsFirst:
    """Middleware for the app whose routes are decorated: `app.add_middleware(PermissionsFirst)`, before or after
    `APIKeyMiddleware` is added.

    FastAPI reads the body, validates it and runs all dependencies before it calls a handler, and so before `requires`
    on the handler is asked. With this a caller who lacks a permission is answered 403 first: by the decorators on the
    handler and by `Depends(requires(...))` of route, routers and app alike, also below mounts. They are asked again in
    their place: what this does not see, as a WebSocket or a route that is added once requests have been served, is
    guarded as without it. `fresh` is looked after in that place too.

    Raises `ConfigurationError` where it stands around the app, not in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._is_prepared = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if not self._is_prepared:
            if "app" not in scope:
                raise ConfigurationError("PermissionsFirst belongs into the app: app.add_middleware(PermissionsFirst)")
            _prepare(scope["app"].routes)
            self._is_prepared = True
        await self.app(scope, receive, send)


def _prepare(routes: Iterable["BaseRoute"]) -> None:
    """Have each route ask first. A router that FastAPI has included is a route, with the router as an attribute."""
    from starlette.routing import Mount, Route  # noqa: PLC0415 - only for who uses this

    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            _prepare(included.routes)
        elif isinstance(route, Mount):
            _prepare(route.routes or ())
        elif isinstance(route, Route) and not isinstance(route.handle, partial):
            route.handle = partial(_handle, route, route.handle)  # type: ignore[method-assign]


async def _handle(route: "Route", handle: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of a route's `handle`: refuse, or go on."""
    if not route.methods or scope["method"] in route.methods:  # else it is a 405
        for check in (*checks_of(_endpoint(route, scope)), *_dependencies(route, scope)):
            problem = check.judge(scope)
            if problem is not None:
                limits = limits_in(scope)
                if limits is not None:
                    limits.refuse()
                await problem(scope, receive, send)
                return
    await handle(scope, receive, send)


def _endpoint(route: "Route", scope: Scope) -> Any:
    """The handler; of an endpoint class, its method."""
    return (
        getattr(route.endpoint, scope["method"].lower(), None) if isinstance(route.endpoint, type) else route.endpoint
    )


def _dependencies(route: "Route", scope: Scope) -> Iterator[PermissionCheck]:
    """The checks among the dependencies of a route of FastAPI, and of the routers that it is included by, except for
    those that the app overrides."""
    places = scope.get("fastapi", {}).values()
    place = next((each for each in places if getattr(each, "original_route", None) is route), route)
    overridden = getattr(scope["app"], "dependency_overrides", {})
    waiting = [getattr(place, "dependant", None)]
    while waiting:
        dependant = waiting.pop()
        for each in getattr(dependant, "dependencies", ()):
            if each.call in overridden:
                continue
            if isinstance(each.call, Requirement):
                yield each.call.check
            waiting.append(each)
