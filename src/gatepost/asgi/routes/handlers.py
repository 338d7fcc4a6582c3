"""What an app has registered for its routes, in whatever framework: the functions, and what is called before them."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.asgi.routes.mcp_tools import mcp_tools
from gatepost.asgi.routes.reached import mounts_of
from gatepost.asgi.routes.routing import handed_on

OWN = ("gatepost.admin.", "gatepost.probes.", "gatepost.leaks.", "gatepost.issuing.")
"""Rooms whose apps ask for keys, or whatever they go by, themselves, also behind a middleware with the same keys."""

_METHODS = ("get", "post", "put", "patch", "delete", "options", "head", "on_connect", "on_receive", "on_disconnect")
"""Methods of classes that answer: of HTTP, and of Starlette's WebSockets."""

_EVENT = "on_"
"""How the methods begin by which a class takes events of socket.io's."""


@dataclass(frozen=True, slots=True)
class Handler:
    """`path`: as the framework writes it. `function`: what was registered there. `before`: what is called before it,
    and may ask for permissions. `dependant`: FastAPI's tree of dependencies; `None` = it has none. `keys`: of a
    middleware of ours that stands before it, and not before the whole app; `None` = there is none."""

    path: str
    function: Any
    before: Sequence[Any] = ()
    dependant: Any = None
    keys: Any = None


@dataclass(frozen=True, slots=True)
class Within:
    """An app at a path. `listed`: the middlewares that the app around it has put into a list, and that stand before
    it. `state`: of the app around it, where this is its router or leads there: FastMCP's knows its server by it."""

    path: str
    app: Any
    listed: Sequence[Any] = ()
    state: Any = None


def look_into(within: Within) -> Iterator[Handler | Within]:
    """What there is at the first look: handlers, or apps to be looked into; none of gatepost's own. Nothing is
    started."""
    app, path = within.app, within.path
    if type(app).__module__.startswith(OWN):
        return
    owner = getattr(app, "__self__", app)  # of Quart's `asgi_app`, before it was wrapped
    for module, name, read in _READERS:
        if module in sys.modules and isinstance(owner, getattr(sys.modules[module], name)):
            yield from read(owner, path)
            if not getattr(app, "user_middleware", ()):  # else its router has them
                state = getattr(app, "state", within.state)
                yield from (Handler(name, each[-1], each[:-1]) for name, each in mcp_tools(state, path))
            return
    yield from (Within(path, each, state=within.state) for each in handed_on(app))


def _starlettes(app: Any, path: str) -> Iterator[Handler | Within]:
    listed = getattr(app, "user_middleware", ())
    if listed:
        yield Within(path, app.router, listed, app.state)
        return
    keys = _keys_around(getattr(app, "middleware_stack", None))
    for each, below in mounts_of(app):
        yield Within(path + below, each)
    of_fastapi = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    for each in of_fastapi(app.routes):
        if getattr(each, "endpoint", None) is not None:
            nearer = _keys_around(getattr(each, "app", None)) or keys
            for function in _methods_of(each.endpoint) if inspect.isclass(each.endpoint) else (each.endpoint,):
                yield Handler(path + each.path, function, dependant=getattr(each, "dependant", None), keys=nearer)


def _keys_around(stack: Any) -> Any:
    """The keys of the innermost middleware of ours in a stack of them; `None` = none is there."""
    keys = None
    while stack is not None and not inspect.isroutine(stack) and not inspect.isclass(stack):
        keys = getattr(getattr(stack, "standing", None), "keys", keys)
        stack = getattr(stack, "app", None)
    return keys


def _litestars(app: Any, path: str) -> Iterator[Handler | Within]:
    for route in app.routes:
        for each in getattr(route, "route_handlers", None) or [route.route_handler]:
            if getattr(each, "is_mount", False):
                yield Within(path + route.path, function_of(each.fn))
            else:
                yield litestar_handler(path + route.path, each)


def litestar_handler(path: str, registered: Any) -> Handler:
    """What Litestar has registered at a path."""
    listed = [each for each in registered.resolve_middleware() if is_ours(getattr(each, "middleware", None))]
    keys = next((each.kwargs.get("keys", next(iter(each.args), None)) for each in listed), None)  # the innermost first
    return Handler(path, function_of(registered.fn), litestar_before(registered), keys=keys)


def litestar_before(registered: Any) -> Sequence[Any]:
    """What Litestar calls before what it has registered: guards, and the dependencies that are asked for, also by those
    that are: only they run."""
    known = registered.resolve_dependencies()
    found: dict[str, Any] = {}
    waiting = [*registered.parsed_fn_signature.parameters]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name] = known[name].dependency
            waiting += getattr(known[name].parsed_fn_signature, "parameters", ())
    return [*registered.resolve_guards(), *map(function_of, found.values())]


def listed_before(within: Within) -> Iterator[tuple[Any, Sequence[Any], dict[str, Any], str]]:
    """The middlewares of ours in a list that stand before an app, the outermost first: class, arguments, and how it was
    written; "" = as in Starlette. None of those that a plugin of Litestar's has put there: it tells of itself."""
    for each in within.listed:
        if is_ours(each.cls):
            yield each.cls, each.args, each.kwargs, ""
    litestar = sys.modules.get("litestar")
    if litestar is None or not isinstance(within.app, litestar.Litestar):
        return
    if not any(hasattr(plugin, "standing") for plugin in within.app.plugins):
        for each in within.app.middleware:
            if is_ours(getattr(each, "middleware", None)):
                yield each.middleware, each.args, each.kwargs, "DefineMiddleware(APIKeyMiddleware, ...)"


def is_ours(kind: Any) -> bool:
    """Whether a class is that of the middleware, or of one of a user's that is made of it."""
    return any(each.__module__ == "gatepost.asgi.middleware" for each in getattr(kind, "__mro__", ()))


def _quarts(app: Any, path: str) -> Iterator[Handler | Within]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        shown, before = getattr(view, "view_class", None), [*before_rule(app, rule)]
        if shown is None:
            yield Handler(path + rule.rule, view, before)
        else:
            for function in (shown.dispatch_request, *_methods_of(shown)):
                yield Handler(path + rule.rule, function, (view, *before))


def _djangos(_app: Any, path: str) -> Iterator[Handler | Within]:
    yield from _patterns(sys.modules["django.urls"].get_resolver().url_patterns, path + "/")


def _patterns(patterns: Any, path: str) -> Iterator[Handler]:
    for each in patterns:
        here = path + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from _patterns(each.url_patterns, here)
            continue
        view = each.callback
        shown: Any = getattr(view, "view_class", None) or getattr(view, "cls", None)  # Django's; REST framework's
        operations = [*ninja_operations(view)]
        for operation in operations:
            yield Handler(here, operation.view_func)
        actions = getattr(view, "actions", None)  # of REST framework's sets of views
        of_class = () if shown is None else _methods_of(shown, (actions or {}).values() or _METHODS)
        for function in of_class:
            yield Handler(here, function, (view, shown.dispatch))
        if shown is None and not operations:
            yield Handler(here, view)


def _socketios(app: Any, path: str) -> Iterator[Handler | Within]:
    sio = app.engineio_server
    for namespace in {*sio.handlers, *sio.namespace_handlers}:
        for event, function in socketio_events(sio, namespace).items():
            yield Handler(f"{path}{app.engineio_path or '/'} event {event}", function)
    if app.other_asgi_app is not None:
        yield Within(path, app.other_asgi_app)


def _methods_of(shown: type, names: Iterable[str] = _METHODS) -> Iterator[Any]:
    """The methods by which a class answers."""
    return (getattr(shown, name) for name in names if hasattr(shown, name))


def function_of(held: Any) -> Any:
    """What is called in the end: Litestar keeps sync functions, and listeners, in objects of its own."""
    while type(held).__module__.startswith("litestar."):
        inner = getattr(held, "func", None) or getattr(held, "_fn", None)
        if inner is None:
            break
        held = inner
    return held


def before_rule(app: Any, rule: Any) -> Iterator[Any]:
    """What Quart calls before the view of a rule: the app's, and of the blueprints that it is in."""
    listed = app.before_websocket_funcs if rule.websocket else app.before_request_funcs
    names = rule.endpoint.split(".")[:-1]
    for name in (None, *(".".join(names[: end + 1]) for end in range(len(names)))):
        yield from listed.get(name, ())


def as_awaited(answer: Any, function: Any, arguments: Sequence[Any]) -> Any:
    """An answer in the place of a sync function's: to be awaited where that is the `dispatch` of a view of Django's
    whose methods are async, since it hands on what they give. Django's `method_decorator` binds it to the view."""
    view = getattr(getattr(function, "func", None), "__self__", arguments[0] if arguments else None)
    views = sys.modules.get("django.views.generic.base")
    if views is None or not isinstance(view, views.View) or not view.view_is_async:
        return answer

    async def answering() -> Any:
        return answer

    return answering()


def ninja_operations(view: Any) -> Iterator[Any]:
    """The operations of a view that Django Ninja has made: it closes over what knows them."""
    for cell in getattr(view, "__closure__", None) or ():
        if type(cell.cell_contents).__module__ == "ninja.operation":
            yield from cell.cell_contents.operations


def socketio_events(sio: Any, namespace: str) -> dict[str, Any]:
    """What takes the events of a namespace of socket.io's, by event, in the order in which it looks: functions of that
    namespace, those of all ("*"), then methods of a class. One for "*" takes each event that stands in none before it,
    but for those that the server makes."""
    held = sio.namespace_handlers.get(namespace) or sio.namespace_handlers.get("*")
    methods = [name for name in dir(held) if name.startswith(_EVENT)]
    taken: dict[str, Any] = {}
    for layer in (
        sio.handlers.get(namespace, {}),
        sio.handlers.get("*", {}),
        {name.removeprefix(_EVENT): getattr(held, name) for name in methods},
    ):
        is_open = "*" not in taken
        taken |= {
            event: handler
            for event, handler in layer.items()
            if event not in taken and (is_open or event in sio.reserved_events)
        }
    return taken


_READERS: Sequence[tuple[str, str, Callable[[Any, str], Iterator[Handler | Within]]]] = (
    ("starlette.applications", "Starlette", _starlettes),
    ("starlette.routing", "Router", _starlettes),
    ("litestar", "Litestar", _litestars),
    ("quart", "Quart", _quarts),
    ("django.core.handlers.asgi", "ASGIHandler", _djangos),
    ("socketio", "ASGIApp", _socketios),
)
"""Modules that may be loaded, what an app is an instance of there, and who reads it."""
