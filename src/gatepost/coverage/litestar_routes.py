"""The routes of Litestar apps."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from gatepost.asgi.routes import function_of, litestar_before
from gatepost.coverage.listed import listed_middlewares
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import ANY, ANYTHING, SAMPLES, Hole, Template

AUTOMATIC = "OPTIONS"
NOT_FOUND = "handle_schema_path_not_found"
"""What answers 404 beside the document's pages: no route takes that path."""


def read_app(app: Any, place: Place) -> Iterator[Route | Below]:
    """What an app answers."""
    for route in sorted(app.routes, key=_preferred):
        handlers = getattr(route, "route_handlers", None) or [route.route_handler]
        for handler in handlers:
            methods = sorted(getattr(handler, "http_methods", ()))
            if handler.fn.__module__.startswith("litestar.") and (
                methods == [AUTOMATIC] or getattr(handler.fn, "__name__", None) == NOT_FOUND
            ):
                continue
            yield from _read(route, handler, methods, place, app)


def _read(route: Any, handler: Any, methods: list[str], place: Place, app: Any) -> Iterator[Route | Below]:
    behind = place.behind(*listed_middlewares(handler.resolve_middleware(), app))
    checks = [check for each in litestar_before(handler) for check in asked_by(function_of(each))]
    template = _template(route)
    function = function_of(handler.fn)
    if methods:
        yield behind.route("http", methods, template, function, checks=checks, taken=["ANY"])
    elif hasattr(handler, "is_mount"):
        if handler.is_mount:
            yield Below(function, behind.below(template).asked(checks))
        else:
            yield behind.route("app", (), template, function, checks=checks)
    else:
        route = behind.route("websocket", (), template, function, checks=checks)
        if hasattr(handler, "default_connection_lifespan"):  # a listener: called for messages of who is in
            before_it = tuple(dict.fromkeys((*behind.checks, *checks)))
            route = replace(route, checks=before_it, later=asked_by(function))
        yield route


def _preferred(route: Any) -> list[int]:
    """How Litestar looks: segment by segment, for that very text, then for a parameter, then for a whole path."""
    return [0 if isinstance(each, str) else 1 + (each.type is FilePath) for each in route.path_components]


def _template(route: Any) -> Template:
    parts: list[str | Hole] = []
    for each in route.path_components:
        parts.append("/")
        parts.append(each if isinstance(each, str) else _hole(each.type))
    text = route.path_format if parts else "/"
    return Template(text, tuple(parts) or ("/",))


def _hole(kind: Any) -> Hole:
    if kind is FilePath:
        return Hole(ANYTHING, is_wide=True, sample=ANY.sample)
    return Hole(sample=SAMPLES.get(getattr(kind, "__name__", "").lower()))
