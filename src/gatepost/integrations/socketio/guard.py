"""`Guard`: events of socket.io know who sends them, and are refused in socket.io's own form."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import orjson
import socketio  # type: ignore[import-untyped]
from starlette.types import Receive, Scope, Send

from gatepost.asgi import serving, set_serving
from gatepost.base import BadInputError, PermissionDeniedError, UnavailableError

_SERVED = "gatepost.served"
"""Where a client's environ keeps the last request that the middleware let in for it: an event may be handled after that
has ended, for clients that poll."""

_OF_FRAMEWORKS = ("app", "endpoint", "litestar_app", "route_handler")
"""What an app that socket.io is mounted in puts into the scope: it is not the one who refuses."""


class Guard:
    """Lets `requires` stand on the event handlers of `sio`, an `AsyncServer`: `Guard(sio)` once, below the server, the
    app of which stands behind `APIKeyMiddleware`.

        sio = socketio.AsyncServer(async_mode="asgi")
        Guard(sio)

        @sio.event
        @requires("FILE_UPLOAD")
        async def upload(sid, data): ...

    Who lacks the permission of `connect` is refused the connection (`connect_error`, the problem is its `data`). To any
    other event the acknowledgement is `{"error": problem}`, and the client gets an event `error` with the problem. A
    session is its key's: requests with another key that name its `sid` are answered as if it did not exist. An event is
    judged by what the latest request of its client was let in with, a poll or the WebSocket's handshake; `fresh=True`
    asks anew. No I/O of its own.

    Raises `BadInputError` for what is no `AsyncServer`.
    """

    def __init__(self, sio: Any) -> None:
        if not isinstance(sio, socketio.AsyncServer):
            raise BadInputError(
                f"Guard is for socketio.AsyncServer, not {type(sio).__name__}: write "
                'sio = socketio.AsyncServer(async_mode="asgi"), and give Guard that',
                "sio",
            )
        self._sio: Any = sio
        self._trigger_event = self._sio._trigger_event  # noqa: SLF001 - as its own `instrument()` does
        self._handle_request = self._sio.handle_request
        self._sio._trigger_event = self._event  # noqa: SLF001
        self._sio.handle_request = self._request

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> Any:
        query = scope["query_string"].decode("latin-1")
        environ = self._sio.environ.get(parse_qs(query).get("sid", [""])[0])
        if environ is not None:
            if _key_id(scope) != _key_id(environ["asgi.scope"]):
                scope = {**scope, "query_string": _of_nobody(query)}
            else:
                _keep(environ)
        return await self._handle_request(scope, receive, send)

    async def _event(self, event: str, namespace: str, sid: str, *arguments: Any) -> Any:
        environ = arguments[0] if event == "connect" else self._sio.get_environ(sid, namespace)
        if environ is not None and _SERVED not in environ:
            _keep(environ)
        before = serving()
        set_serving((environ or {}).get(_SERVED))
        try:
            return await self._trigger_event(event, namespace, sid, *arguments)
        except (PermissionDeniedError, UnavailableError) as refusal:
            problem = _problem_of(refusal)
            if problem is None:
                raise
        finally:
            set_serving(before)
        if event == "connect":
            raise socketio.exceptions.ConnectionRefusedError(problem["message"], problem)
        if event != "disconnect":
            await self._sio.emit("error", problem, to=sid, namespace=namespace)
        return {"error": problem}


def _of_nobody(query: str) -> bytes:
    """The same query with the `sid` of nobody, however it was written."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, f"of-another-key-{value}" if name == "sid" else value) for name, value in pairs]).encode()


def _keep(environ: dict[str, Any]) -> None:
    """Keep the request being served with its client; without a middleware there is none."""
    served = serving()
    if served:
        scope, judge, digest, *_ = served
        environ[_SERVED] = [{name: scope[name] for name in scope if name not in _OF_FRAMEWORKS}, judge, digest]


def _key_id(scope: Scope) -> str | None:
    key = scope.get("api_key")
    return None if key is None else key.id


def _problem_of(refusal: Exception) -> Mapping[str, Any] | None:
    """The problem that `requires` refuses with; `None` for an error of the handler's own."""
    try:
        problem = orjson.loads(str(refusal))
    except orjson.JSONDecodeError:
        return None
    return problem if isinstance(problem, dict) and "code" in problem else None
