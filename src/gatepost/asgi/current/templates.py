"""The template of the route that a request took, as the app's router knows it: `/assets/{id}`. Never a path."""

import sys
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Send

from gatepost.asgi.current.context import serving
from gatepost.asgi.routes import Routing
from gatepost.asgi.sources import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.routing import BaseRoute

ROUTE = "route"
"""Where Starlette and FastAPI put into the scope the route that they have chosen."""

TEMPLATE = "path_template"
"""Where Litestar puts a route's template; where `telling_routes` does, for frameworks that tell nothing."""

FASTAPI = "fastapi"
"""Where FastAPI puts what else it knows of a route: one of a router that was included has its prefix there only."""

REMEMBERED_MAX = 4096
"""Most routes whose template is remembered."""

_SILENT = ("quart", "django.core.handlers.asgi")
"""Modules of frameworks that tell nothing by themselves."""

BELOW = "/*"
"""What follows the path of a mount whose app tells of no route."""


class Templates:
    """The templates of one app's routes. `remembered`: by the `id` of a route, or of what FastAPI made of it, that and
    the template."""

    def __init__(self) -> None:
        self.remembered: dict[int, tuple[object, str]] = {}

    def of(self, scope: Scope) -> str:
        """The template of the route that a request took, once the app is done with it; empty = nobody knows it."""
        template: str | None = scope.get(TEMPLATE)
        route = scope.get(ROUTE)
        if route is None:
            return template or ""
        chosen = _in_fastapi(scope, route) or route
        held = self.remembered.get(id(chosen))
        if held is not None and held[0] is chosen:
            found = held[1]
        else:
            found = _template(scope, route, chosen)
            if len(self.remembered) < REMEMBERED_MAX:
                self.remembered[id(chosen)] = (chosen, found)
        return found if template is None else found.removesuffix(BELOW) + template


def telling_routes(app: ASGIApp) -> ASGIApp:
    """The app, so that the scope of a request tells the template of its route also where its framework does not tell
    it: Django and Quart."""
    if sys.modules.keys().isdisjoint(_SILENT):
        return app
    frameworks = Routing(app).frameworks
    for name, each in frameworks:
        if name == "quart":
            for signal in (sys.modules["quart"].request_started, sys.modules["quart"].websocket_started):
                signal.connect(_tell_of_quart, each)
    return DjangoRoutes(app) if any(name == "django" for name, _ in frameworks) else app


class DjangoRoutes:
    """Django keeps which route it chose in its request, out of sight here. So its resolver is asked for the path once
    more, when the response is there: a small part of what Django takes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._routing = Routing(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self.app(scope, receive, send)
        finally:
            template = None if scope.get("api_key") is None else self._template(scope)  # nobody's is not counted
            if template is not None:
                scope[TEMPLATE] = template

    def _template(self, scope: Scope) -> str | None:
        urls: Any = sys.modules["django.urls"]
        for path in self._routing.paths(scope):
            try:
                return f"/{urls.resolve(path).route}"
            except urls.Resolver404:
                continue
        return None


async def _tell_of_quart(_app: object, **_more: object) -> None:
    """What Quart's signals call in the task in which it serves a request."""
    quart: Any = sys.modules["quart"]
    connection = quart.request if quart.has_request_context() else quart.websocket
    rule, served = connection.url_rule, serving()
    if served and rule is not None:
        served[0][TEMPLATE] = rule.rule


def _in_fastapi(scope: Scope, route: object) -> Any:
    """What FastAPI has made of a route where it included it, if it says so."""
    told = scope.get(FASTAPI)
    if not isinstance(told, dict):
        return None
    made = told.values()
    return next((each for each in made if getattr(each, "original_route", None) is route), None)


def _template(scope: Scope, route: Any, chosen: Any) -> str:
    """The template of a route below those of the mounts that lead to it. `chosen`: the route, or what FastAPI made of
    it."""
    from starlette.routing import Mount  # noqa: PLC0415 - at the first request, not at the start of all apps

    own = getattr(chosen, "path_format", None) or getattr(chosen, "path", None)
    own = own if isinstance(own, str) else ""
    if isinstance(route, Mount):
        own = route.path + BELOW
    outermost = getattr(scope.get("router"), "routes", ())
    innermost = getattr(scope.get("app"), "routes", None)
    for routes, prefix in _levels(outermost, "", set()):
        if chosen is route and any(each is route for each in routes):
            return prefix + own
        if chosen is not route and routes is innermost:
            return prefix + own
    return own


def _levels(routes: "Iterable[BaseRoute]", prefix: str, seen: set[int]) -> "Iterator[tuple[Iterable[BaseRoute], str]]":
    """The lists of routes of a router and of those mounted in it, each with the template of the mounts before it."""
    from starlette.routing import Host, Mount  # noqa: PLC0415

    if id(routes) in seen:
        return
    seen.add(id(routes))
    yield routes, prefix
    for each in routes:
        if isinstance(each, Mount | Host):
            yield from _levels(each.routes, prefix + (each.path if isinstance(each, Mount) else ""), seen)
