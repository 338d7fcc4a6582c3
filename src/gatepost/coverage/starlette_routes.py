"""The routes of apps and routers of Starlette's and FastAPI's."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Host, Mount, WebSocketRoute
from starlette.routing import Route as HTTPRoute

from gatepost.asgi import PermissionCheck, Requirement
from gatepost.coverage.fastmcp_tools import tell_tools
from gatepost.coverage.listed import listed_middlewares, middlewares_around
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import ANY, ANYTHING, SAMPLES, SEGMENT, Hole, Template, literal, parse

HOLES = re.compile(r"{(\w+)(?::\w+)?}")
AUTOMATIC = {"HEAD", "OPTIONS"}
OVERRIDES = "dependency_overrides"


def read_app(app: Any, place: Place) -> Iterator[Route | Below]:
    """What an app, or a router, answers."""
    if hasattr(app, "user_middleware"):
        behind = place.behind(*listed_middlewares(app.user_middleware, app))
    else:  # a router has been wrapped already
        behind = place.behind(*middlewares_around(app.middleware_stack))
    overridden = getattr(app, OVERRIDES, {})
    router = getattr(app, "router", app)
    files: Iterable[Any] = getattr(
        router, "_iter_low_priority_routes", tuple
    )()  # FastAPI asks these once no other route has fitted
    yield from tell_tools(app, _read((*_effective(app.routes), *files), behind, overridden))
    if router.default != router.not_found:  # an app that is asked for all that no route takes
        yield Below(router.default, behind)


def _effective(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes; where FastAPI has included a router, what it made of each of that one's."""
    for route in routes:
        if not hasattr(route, "original_router"):
            yield route
            continue
        for made in route.effective_candidates():
            if hasattr(made, "original_router"):
                yield from _effective([made])
            else:
                yield made.starlette_route or made


def _read(routes: Iterable[Any], place: Place, overridden: Mapping[Any, Any]) -> Iterator[Route | Below]:
    for route in routes:
        if isinstance(route, Mount):
            yield Below(route.app, place.below(literal(route.path) if "{" not in route.path else _template(route)))
        elif isinstance(route, Host):
            yield Below(route.app, place.at_host(route.host))
        elif isinstance(getattr(getattr(route, "original_route", route), "routes", None), list):
            yield from _read_files(route, place, overridden)  # a group that FastAPI makes for files
        elif isinstance(route, HTTPRoute | WebSocketRoute) or hasattr(route, "path_regex"):
            yield from _read_route(route, place, overridden)
        elif isinstance(route, BaseRoute):
            yield place.route("app", (), Template("/*", ("/", ANY)), type(route))


def _read_route(route: Any, place: Place, overridden: Mapping[Any, Any]) -> Iterator[Route]:
    template = _template(route)
    checks = tuple(_dependencies(getattr(route, "dependant", None), overridden))
    ignored = sorted(_ignored(getattr(route, "dependant", None), overridden))
    behind = place.behind(*middlewares_around(getattr(route, "app", None)))
    endpoint = route.endpoint
    if isinstance(route, WebSocketRoute) or not hasattr(route, "methods"):
        if inspect.isclass(endpoint):
            yield behind.asked(checks).socket(template, endpoint, ["on_connect"], ["on_receive"])
        else:
            yield behind.route("websocket", (), template, endpoint, checks=checks, ignored=ignored)
    elif inspect.isclass(endpoint) and issubclass(endpoint, HTTPEndpoint):
        for name, handler in _methods(endpoint):
            if not route.methods or name in route.methods:
                taken = [name] if route.methods else ["ANY"]
                yield behind.route("http", [name], template, handler, checks=checks, taken=taken)
    else:
        methods = set(route.methods or ())
        told = methods - AUTOMATIC or methods or {"ANY"}
        own = type(endpoint).__module__.startswith("gatepost.probes")
        yield behind.route(
            "http", sorted(told), template, endpoint, checks=checks, own=own, taken=methods, ignored=ignored
        )


def _methods(endpoint: type) -> Iterator[tuple[str, Any]]:
    for name in ("get", "post", "put", "patch", "delete", "options", "head"):
        if hasattr(endpoint, name):
            yield name.upper(), getattr(endpoint, name)


def _read_files(group: Any, place: Place, overridden: Mapping[Any, Any]) -> Iterator[Route]:
    checks = tuple(_dependencies(getattr(group, "dependant", None), overridden))
    for each in getattr(group, "original_route", group).routes:
        folder = (getattr(group, "frontend_prefix", "") + each.path).rstrip("/")
        yield place.route("app", (), Template(f"{folder}/*", (f"{folder}/", ANY)), type(each), checks=checks)


def _template(route: Any) -> Template:
    """The template of a route, whose parameters are of the kinds that it says."""
    kinds = getattr(route, "param_convertors", {})
    text = route.path if isinstance(route, Mount) else getattr(route, "path_format", None) or route.path

    def hole_of(match: "re.Match[str]") -> Hole:
        kind = kinds.get(match[1])
        regex = getattr(kind, "regex", SEGMENT)
        name = type(kind).__name__.removesuffix("Convertor").lower()
        return Hole(regex, is_wide=regex == ANYTHING, sample=SAMPLES.get(name))

    return parse(text, HOLES, hole_of)


def _dependencies(dependant: Any, overridden: Mapping[Any, Any]) -> Iterator[PermissionCheck]:
    """What `requires` asks among the dependencies of a route of FastAPI's, but for those that the app overrides."""
    for each in _running(dependant, overridden):
        if getattr(each.call, "goes_by_scopes", False) is True:  # Security(requires, scopes=[...])
            lists = (getattr(each, name, None) or () for name in ("parent_oauth_scopes", "own_oauth_scopes"))
            if scopes := frozenset(scope for each_list in lists for scope in each_list):
                yield PermissionCheck(scopes, frozenset())
        yield from asked_by(each.call)


def _ignored(dependant: Any, overridden: Mapping[Any, Any]) -> set[str]:
    """The scopes that stand at a `requires(...)`, which does not ask for them."""
    of_requires = (each for each in _running(dependant, overridden) if isinstance(each.call, Requirement))
    return {scope for each in of_requires for scope in getattr(each, "own_oauth_scopes", None) or ()}


def _running(dependant: Any, overridden: Mapping[Any, Any]) -> Iterator[Any]:
    """The dependencies of a route of FastAPI's that run, those of dependencies among them."""
    waiting = [dependant]
    while waiting:
        for each in getattr(waiting.pop(), "dependencies", ()):
            if each.call not in overridden:
                yield each
                waiting.append(each)
