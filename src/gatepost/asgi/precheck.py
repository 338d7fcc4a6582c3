"""`PermissionsFirst`: asks `requires` before a route reads its body and runs its dependencies. For FastAPI."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.asgi.limits import limits_in
from gatepost.asgi.permission_check import PermissionCheck
from gatepost.asgi.requires import Requirement, Uncalled, checks_of, ignored, requirement_of
from gatepost.asgi.responses import Problem
from gatepost.asgi.routes import reached
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
            for app, _ in reached(scope["app"]):
                _prepare(app.routes)
            self._is_prepared = True
        await self.app(scope, receive, send)


def _prepare(routes: Iterable["BaseRoute"]) -> None:
    """Have each route ask first. A router that FastAPI has included is a route, with the router as an attribute."""
    from starlette.routing import Route  # noqa: PLC0415 - only for who uses this

    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            _prepare(included.routes)
        elif isinstance(route, Route) and not isinstance(route.handle, _Asking):
            route.handle = _Asking(route)  # type: ignore[method-assign]


def first_refusal(checks: Iterable[PermissionCheck], scope: Scope) -> Problem | None:
    """What a request is refused with before its handler is called; `None` where it may go on."""
    for check in checks:
        problem = check.judge(scope)
        if problem is not None:
            limits = limits_in(scope)
            if limits is not None:
                limits.refuse()
            return problem
    return None


class _Asking:
    """In the place of a route's `handle`: refuses, or goes on."""

    def __init__(self, route: "Route") -> None:
        self._route = route
        self._handle = route.handle
        self._known: dict[int, tuple[object, Sequence[PermissionCheck]]] = {}
        """What is asked at each place that the route is included at, by the place's `id`: with it, so that it stays."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._route
        if not route.methods or scope["method"] in route.methods:  # else it is a 405
            problem = first_refusal(self._checks(scope), scope)
            if problem is not None:
                await problem(scope, receive, send)
                return
        await self._handle(scope, receive, send)

    def _checks(self, scope: Scope) -> Iterable[PermissionCheck]:
        """Those of the handler; and of the dependencies of a route of FastAPI, and of the routers that it is included
        by, except for those that the app overrides."""
        route = self._route
        if isinstance(route.endpoint, type):
            return checks_of(getattr(route.endpoint, scope["method"].lower(), None))
        place: Any = route
        for each in scope.get("fastapi", _NOWHERE).values():
            if getattr(each, "original_route", None) is route:
                place = each
                break
        overridden = getattr(scope["app"], "dependency_overrides", ())
        if overridden:
            return _asked(route, place, overridden)
        known = self._known.get(id(place))
        if known is None or known[0] is not place:
            known = self._known[id(place)] = place, _asked(route, place)
        return known[1]


_NOWHERE: dict[str, Any] = {}


def _asked(route: "Route", place: Any, overridden: Collection[Any] = ()) -> Sequence[PermissionCheck]:
    asked = requirements_of(getattr(place, "dependant", None), overridden)
    return [*dict.fromkeys((*checks_of(route.endpoint), *(requirement.check for _, requirement in asked)))]


def requirements_of(dependant: Any, overridden: Collection[Any] = ()) -> Iterator[tuple[Any, Requirement]]:
    """What stands in a tree of FastAPI's dependencies: each with the dependency. Not what is below those `overridden`.

    Raises `BadInputError` for scopes that name no permission, or one that no catalogue has.
    """
    for each in getattr(dependant, "dependencies", ()):
        if each.call in overridden:
            continue
        if isinstance(each.call, Requirement):
            if own := getattr(each, "own_oauth_scopes", None):
                raise ignored(own)
            yield each, each.call
        elif getattr(each.call, "goes_by_scopes", False) is True:
            scopes = scopes_of(each)
            if scopes or isinstance(each.call, Uncalled):
                yield each, requirement_of(scopes)
        yield from requirements_of(each, overridden)


def scopes_of(dependant: Any) -> tuple[str, ...]:
    """The scopes that FastAPI will hand to a dependency: its own, and of those that it is a dependency of."""
    lists = (getattr(dependant, name, None) or () for name in ("parent_oauth_scopes", "own_oauth_scopes"))
    return tuple(dict.fromkeys(scope for each in lists for scope in each))
