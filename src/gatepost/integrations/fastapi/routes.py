"""What stands in a FastAPI app: its routes, those of included routers among them, and the apps mounted in it."""

from collections.abc import Iterable, Iterator
from typing import Any

import fastapi.routing
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Match, Mount, Router
from starlette.types import Scope

from gatepost.asgi import PermissionCheck, asked_at
from gatepost.asgi.routes import Handler, is_ours, reached


def contexts(app: FastAPI) -> Iterator[Any]:
    """The routes, each as it is where it is included: with that prefix, and those dependencies."""
    found: Iterable[Any] = getattr(fastapi.routing, "iter_route_contexts", iter)(app.routes)
    return (each for each in found if getattr(each, "endpoint", None) is not None)


def mounted(app: FastAPI, *, past_keys: bool = True) -> Iterator[tuple[FastAPI, str]]:
    """The FastAPI apps within, each with the path that it is mounted at: below other apps, of hosts, and in wrappers
    too. `past_keys`: also those that have a guard of their own, and what is in them."""
    within = [(each, path) for each, path in reached(app) if isinstance(each, FastAPI) and each is not app]
    keyed = [each for each, _ in within if not past_keys and any(is_ours(one.cls) for one in each.user_middleware)]
    left_out = {id(one) for each in keyed for one, _ in reached(each)}
    return ((each, path) for each, path in within if id(each) not in left_out)


def is_page(app: Any, path: str, scope: Scope | None = None) -> bool:
    """Whether a page that FastAPI has of its own answers `GET` there: no route that stands before it. `scope`: of the
    request, in an app that is mounted. `app`: one of Starlette's, or a router; of another one, a wrapper say, none is:
    what it makes of a path is not known."""
    if not isinstance(app, Starlette | Router):
        return False
    scope = scope or {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for route in app.routes:
        match, within = route.matches(scope)
        if match is Match.FULL:
            if isinstance(route, Mount):
                return is_page(route.app, path, {**scope, **within})
            return getattr(getattr(route, "endpoint", None), "__module__", None) == FastAPI.__module__
    return False


def operations(app: FastAPI) -> Iterator[tuple[str, str, list[PermissionCheck]]]:
    """What the app's document has: path, method in lower case, and what `requires` asks there."""
    for context in contexts(app):
        if isinstance(getattr(context, "original_route", context), APIRoute) and context.include_in_schema:
            for method in context.methods or ():
                yield context.path_format, method.lower(), asked_at(_handler(context))


def handlers(app: FastAPI, prefix: str) -> Iterator[Handler]:
    """What answers at its routes."""
    return (_handler(context, prefix) for context in contexts(app))


def _handler(context: Any, prefix: str = "") -> Handler:
    return Handler(prefix + context.path, context.endpoint, dependant=getattr(context, "dependant", None))
