"""From an app to its routes, whatever lies around them. No request is sent, and nothing is started.

app ──> middlewares, wrappers ──> the framework's routes ──> mounted apps ──> …
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gatepost.asgi import APIKeyMiddleware
from gatepost.asgi.routes import OWN, handed_on, wrapped_by
from gatepost.coverage import django_routes, litestar_routes, quart_routes, socketio_events, starlette_routes
from gatepost.coverage.graphql_fields import tell_fields
from gatepost.coverage.route import Below, Place, Route, told_by
from gatepost.coverage.template import ANY, Template

_ASGI_PARAMETERS = 3
_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

_READERS: Sequence[tuple[str, str, Callable[[Any, Place], Iterator[Route | Below]]]] = (
    ("starlette.applications", "Starlette", starlette_routes.read_app),
    ("starlette.routing", "Router", starlette_routes.read_app),
    ("litestar", "Litestar", litestar_routes.read_app),
    ("quart", "Quart", quart_routes.read_app),
    ("django.core.handlers.asgi", "ASGIHandler", django_routes.read_app),
    ("channels.routing", "URLRouter", django_routes.read_sockets),
    ("socketio", "ASGIApp", socketio_events.read_app),
)
"""Modules that may be loaded, what an app is an instance of there, and who reads it."""


def routes_of(app: Any) -> Sequence[Route]:
    """All routes of an app, in its order, mounts and WebSockets among them. An app that tells of none is one itself."""
    routes = list(_walk(Below(app, Place()), set(), frozenset()))
    used = {id(inner) for route in routes for inner in wrapped_by(route.endpoint)}
    return [replace(route, above=()) if id(route.endpoint) in used else route for route in routes]


def _walk(below: Below, seen: set[tuple[Any, ...]], around: frozenset[int]) -> Iterator[Route]:
    """The routes of an app. `seen`: what was looked into and where, since wrappers may know each other; `around`: the
    ids of the apps around it, which it may know too."""
    place = below.place
    known = (id(below.app), place.above.text, *(id(guard.middleware) for guard in place.guards))
    if known in seen or id(below.app) in around:
        return
    seen.add(known)
    around |= {id(below.app)}
    for each in tell_fields(_look(below.app, place)):
        if isinstance(each, Route):
            yield each
        else:
            yield from _walk(each, seen, around)


def _look(app: Any, place: Place) -> Iterator[Route | Below]:
    """What there is at the first look: routes, or apps to be looked into."""
    if isinstance(app, APIKeyMiddleware):
        yield Below(app.app, place.behind(app))
        return
    if type(app).__module__.startswith(OWN):
        yield place.route("app", (), _whole(), app, own=True)
        return
    owner = getattr(app, "__self__", None)
    if owner is not None and _kind_of(owner) is quart_routes.read_app:  # what its `asgi_app` was before it was wrapped
        yield from quart_routes.read_rules(owner, place)
        return
    read = _kind_of(app)
    if read is not None:
        yield from read(app, place)
        return
    held = [each for each in _held(app) if each is not app]
    if not any(_leads_on(each, {id(app)}) for each in held):
        yield place.route("app", (), _whole(), app)
        return
    for branch, each in enumerate(held):
        within = place.asked(told_by(app)).within(app, branch)
        if _leads_on(each, {id(app)}):
            yield Below(each, within)
        elif _is_asgi(each, by_name=inspect.isfunction(app) or isinstance(app, functools.partial)):
            yield within.route("app", (), _whole(), each)  # the wrapper may hand requests to it too


def _kind_of(app: Any) -> Callable[[Any, Place], Iterator[Route | Below]] | None:
    for module, name, read in _READERS:
        if module in sys.modules and isinstance(app, getattr(sys.modules[module], name)):
            return read
    return None


def _leads_on(app: Any, seen: set[int]) -> bool:
    """Whether there is a framework's app in it, or a middleware: other functions may just be called like apps."""
    if id(app) in seen:
        return False
    seen.add(id(app))
    if isinstance(app, APIKeyMiddleware) or _kind_of(app) is not None or type(app).__module__.startswith(OWN):
        return True
    owner = getattr(app, "__self__", None)
    if owner is not None and _kind_of(owner) is not None:
        return True
    return any(_leads_on(each, seen) for each in _held(app))


def _held(app: Any) -> Sequence[Any]:
    """What a wrapper holds that may be called as an app, each once: also beside the one that it calls its `app`."""
    is_function = inspect.isroutine(app) or isinstance(app, functools.partial)
    if not is_function and not hasattr(app, "__dict__"):
        return ()
    held = [*handed_on(app)]
    for each in () if is_function else vars(app).values():
        listed = each.values() if isinstance(each, dict) else each if isinstance(each, list | tuple) else [each]
        held += [one for one in listed if _is_asgi(one)]
    return [*{id(each): each for each in held}.values()]


def _is_asgi(value: Any, *, by_name: bool = False) -> bool:
    """Whether it is called as ASGI apps are: three arguments, and awaited, or the first one is `scope`. `by_name`: only
    the latter will do, since functions know helpers too."""
    if inspect.isclass(value) or not callable(value):
        return False
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [each.name for each in parameters if each.default is each.empty and each.kind in _NAMED]
    if len(needed) != _ASGI_PARAMETERS:
        return False
    is_awaited = inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__)
    return needed[0].strip("_") == "scope" or (is_awaited and not by_name)


def _whole() -> Template:
    """All that is below a place."""
    return Template("/*", ("/", ANY))
