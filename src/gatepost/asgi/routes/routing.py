"""The paths that an app may take a request for: frameworks route below a root path, not all in the same way, and some
put a root path of their own in the place of the server's, out of sight of what stands around them."""

import functools
import inspect
import sys
from collections.abc import Iterator, Sequence
from types import CellType
from typing import Any

from starlette.types import Scope

_EMPTY_CELL = CellType()
_ASGI_PARAMETERS = 3
_APPS = (
    ("fastapi", "fastapi", "FastAPI"),
    ("litestar", "litestar", "Litestar"),
    ("quart", "quart", "Quart"),
    ("django", "django.core.handlers.asgi", "ASGIHandler"),
)
"""Frameworks, and the module and class of their apps."""


class Routing:
    """How `app`, and what it hands requests on to at the same path, will route.

    Seen are `FastAPI(root_path=)` and Django's `FORCE_SCRIPT_NAME`, in whatever lies around them: middleware that keeps
    its app as `app` or in another attribute, functions that close over it or name it, mounts at `/`. Not seen is what a
    wrapper sets itself: what changes `path` or `root_path` belongs outside.
    """

    def __init__(self, app: object = None) -> None:
        self._app = app

    @functools.cached_property  # at the first request: an app may be finished after it was wrapped
    def _chains(self) -> Sequence[Sequence[object]]:
        return list(_chains(self._app, (), set(), frozenset()))

    @property
    def frameworks(self) -> Sequence[tuple[str, Any]]:
        """The whole apps of frameworks among what the requests are handed on to, each by its framework's name."""
        found = {id(app): (_framework_of(app), app) for chain in self._chains for app in chain}
        return [(name, app) for name, app in found.values() if name is not None]

    def paths(self, scope: Scope) -> frozenset[str]:
        """Each path that some part of the app may route `scope` by. Mostly one: `scope["path"]` below the root path."""
        found: set[str] = set()
        for chain in self._chains:
            root: str = next(filter(None, map(_own_root_path, reversed(chain))), scope.get("root_path", ""))
            below = _below(scope["path"], root)
            found |= below
            if any(_framework_of(app) == "litestar" for app in chain):
                found.update(*(_without(root, path) for path in below))
        return frozenset(found)

    def views(self, scope: Scope) -> Sequence[Scope]:
        """The scope as each part of the app may route it: the path below the root path as `path`, and no root path.
        For functions of the scope that an app gives. Copies, where they differ."""
        has_root = bool(scope.get("root_path"))
        return [
            {**scope, "path": path or "/", "root_path": ""} if has_root or path != scope["path"] else scope
            for path in self.paths(scope)
        ]


def _below(path: str, root: str) -> set[str]:
    """What frameworks make of a path and a root path. One answer, unless the root stands in the path in an odd way."""
    if root in {"", "/"}:
        return {path}
    if path == root or (path.startswith(root + "/") and not root.endswith("/")):
        return {path[len(root) :]}
    return {
        path,  # Starlette, FastAPI
        path.removeprefix(root),  # Quart, Django
        "/" + path.split(root, 1)[-1].lstrip("/"),  # Litestar, wherever the root stands
    }


def _without(root: str, path: str) -> Iterator[str]:
    """The path without the root path wherever that comes again: Litestar leaves it to its mounts, and takes it off in
    each anew."""
    while root.strip("/") and root in path:
        path = path.replace(root, "", 1)
        yield path


def _chains(
    app: object, above: tuple[object, ...], seen: set[tuple[int, ...]], around: frozenset[int]
) -> Iterator[tuple[object, ...]]:
    """For each part of the app that may route: the frameworks' apps on the way to it, outermost first.

    `above`: those around `app`. `seen`: what was looked at, since wrappers may know each other; `around`: the ids of
    all that is around it, which it may know too."""
    place = (id(app), *map(id, above))
    if place in seen or id(app) in around:
        return
    seen.add(place)
    around |= {id(app)}
    if _framework_of(app) is not None:
        above = (*above, app)
    mounted = _mounted_at_root(app)
    held = handed_on(app) if mounted is None else mounted
    found = [chain for each in held for chain in _chains(each, above, seen, around)]
    yield from found
    if not found or mounted is not None or inspect.isroutine(app):
        yield above  # it routes itself; a function may look at the path


def _framework_of(app: object) -> str | None:
    """The framework that a whole app is of; `None` for Starlette's, which route as the root path says."""
    for name, place, kind in _APPS:
        module = sys.modules.get(place)
        if module is not None and isinstance(app, getattr(module, kind)):
            return name
    return None


def _own_root_path(app: Any) -> str:
    """The root path that a framework's app puts in the place of the server's; empty where it keeps that."""
    framework = _framework_of(app)
    if framework == "fastapi":
        return str(app.root_path)
    if framework == "django":
        return str(sys.modules["django.conf"].settings.FORCE_SCRIPT_NAME or "")
    return ""


def _mounted_at_root(app: object) -> Sequence[Any] | None:
    """What gets the path whole from an app or a router of Starlette's; `None` where it is neither."""
    from starlette.applications import Starlette  # noqa: PLC0415 - at the first request, not at the start of all apps
    from starlette.routing import Host, Mount, Router  # noqa: PLC0415

    if not isinstance(app, Starlette | Router):
        return None
    return [each.app for each in app.routes if isinstance(each, Host) or (isinstance(each, Mount) and not each.path)]


def handed_on(app: object) -> Sequence[Any]:
    """The apps that a wrapper holds."""
    if _framework_of(app) is not None:
        return []
    inner = getattr(app, "app", None)
    if callable(inner):
        return [inner]
    held: list[object] = []
    if isinstance(app, functools.partial):
        held += [app.func, *app.args, *app.keywords.values()]
    elif inspect.isfunction(app):
        held += [cell.cell_contents for cell in app.__closure__ or () if cell != _EMPTY_CELL]
        held += [app.__globals__[name] for name in app.__code__.co_names if name in app.__globals__]
    else:
        for each in getattr(app.__self__ if inspect.ismethod(app) else app, "__dict__", {}).values():
            held += each.values() if isinstance(each, dict) else each if isinstance(each, list | tuple) else [each]
    return [each for each in held if _is_app(each)]


def only_names(function: object, app: object) -> bool:
    """Whether a function has an app from its module alone, and does not close over it: it may not call it."""
    return inspect.isfunction(function) and not any(
        cell != _EMPTY_CELL and cell.cell_contents is app for cell in function.__closure__ or ()
    )


def _is_app(value: object) -> bool:
    """Whether it may be called as an ASGI app is."""
    if inspect.isclass(value) or not callable(value):
        return False
    if isinstance(value, functools.partial):
        return True
    function = value if inspect.isroutine(value) else type(value).__call__
    code = getattr(inspect.unwrap(function), "__code__", None)
    takes_self = inspect.ismethod(function) or function is not value
    if code is None:
        return False
    return bool(code.co_flags & inspect.CO_VARARGS) or code.co_argcount - takes_self == _ASGI_PARAMETERS
