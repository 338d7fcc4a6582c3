"""What an app of python-socketio's answers, each event a route of its own: `POST /socket.io/* event upload`."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from gatepost.asgi.routes import socketio_events
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import ANY, ROOT, Template, literal

_GUARDS = "gatepost.integrations.socketio"
CONNECT = "connect"
DISCONNECT = "disconnect"
"""What the server itself calls, when a client has gone: nobody asks for it."""


def read_app(app: Any, place: Place) -> Iterator[Route | Below]:
    """What it answers: events, files, and what the app beside it does. Where no `Guard` lets `requires` stand on events
    it is an app that tells of nothing."""
    path = app.engineio_path or "/"
    here = place.below(Template(f"{path}*", (path, ANY)))
    sio = app.engineio_server
    if _is_guarded(sio):
        for namespace in _namespaces(sio):
            yield from _told(sio, namespace, here)
    else:
        yield here.route("app", (), ROOT, app)
    for name, told in app.static_files.items():
        file = told["filename"] if isinstance(told, Mapping) else told
        folder = name.rstrip("/")
        template = literal(name) if PurePath(file).suffix else Template(f"{folder}/*", (f"{folder}/", ANY))
        yield place.route("app", (), template, app)
    if app.other_asgi_app is not None:
        yield Below(app.other_asgi_app, place)


def _is_guarded(sio: Any) -> bool:
    room = sys.modules.get(_GUARDS)
    guard = getattr(getattr(sio, "_trigger_event", None), "__self__", None)
    return room is not None and isinstance(guard, room.Guard)


def _namespaces(sio: Any) -> list[str]:
    """Those that somebody may connect to, and "*" for all others. What is there for all is also at those that need no
    handler of their own."""
    named = {*sio.handlers, *sio.namespace_handlers}
    return sorted(named | ({*sio.namespaces} if "*" in named else set()))


def _told(sio: Any, namespace: str, place: Place) -> Iterator[Route]:
    """The events of a namespace. Who has connected is sent what it sends, and may ask for events then: so whether
    anybody may connect is told first, and what is asked there is asked before each event."""
    handlers = socketio_events(sio, namespace)
    connect = handlers.pop(CONNECT, None)
    handlers.pop(DISCONNECT, None)
    where = "" if namespace == "/" else f"{namespace} "
    if namespace != "*":
        yield place.route("http", ["POST"], ROOT, connect or sio, call=f"event {where}{CONNECT}")
    asked = place.asked(() if connect is None else asked_by(connect))
    for event, handler in handlers.items():
        yield asked.route("http", ["POST"], ROOT, handler, call=f"event {where}{event}")
