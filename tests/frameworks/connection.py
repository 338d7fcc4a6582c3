"""One ASGI connection, with the test in the server's place: each message is given and taken by hand."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx2
from starlette.types import ASGIApp, Message, Scope

from gatepost.asgi.streams import ConnectionEndedError

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

DENIAL: Mapping[str, Any] = {"websocket.http.response": {}}
"""What a server that can answer a handshake with an HTTP response says in the scope."""

_PATIENCE_SECONDS = 120.0


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(b"host", b"testserver"), *((n.lower().encode(), v.encode("latin-1")) for n, v in pairs)]


def http_scope(path: str = "/", headers: Headers = (), **entries: Any) -> dict[str, Any]:
    """The scope of one GET, as a server makes it; `entries` replace or add."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": _raw(headers),
        "client": ("127.0.0.1", 5000),
        "server": ("testserver", 80),
    } | entries


def websocket_scope(path: str, headers: Headers = (), **entries: Any) -> dict[str, Any]:
    """The scope of one handshake, by a server that can deny it; `extensions={}`: by one that cannot."""
    scope = http_scope(path, headers, scheme="ws", type="websocket", subprotocols=[], extensions=DENIAL) | entries
    del scope["method"]
    return scope


class Connection:
    """Serves one scope in a task: `async with Connection(app, scope) as connection`."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._waits = asyncio.Event()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._has_told = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._app(self._scope, self._next, self._from_app.put))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Fails with the app's error, unless the test has had it already."""
        self._task.cancel()
        with suppress(asyncio.CancelledError, *([Exception] if kind or self._has_told else [])):
            await self._task

    def give(self, type: str, **entries: Any) -> None:  # noqa: A002 - the message's own word
        """Let the app receive a message."""
        self._waits.clear()
        self._to_app.put_nowait({"type": type, **entries})

    async def waits(self) -> None:
        """Return when the app has received all that was given, and waits for more."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._waits.wait()

    async def _next(self) -> Message:
        if self._to_app.empty():
            self._waits.set()
        return await self._to_app.get()

    async def take(self) -> Message:
        """The next message that the app sends. Fails with the app's error, or where it ended without one."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            taking = asyncio.ensure_future(self._from_app.get())
            await asyncio.wait({taking, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
                self._has_told = True
                await self._task
                raise AssertionError("the app ended without a message")
            return await taking

    async def end(self) -> None:
        """Return when the app is done with the connection. Fails with the app's error."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.wait({self._task})
        self._has_told = True
        await self._task

    async def cut(self) -> None:
        """Return when the app's response has been ended from outside: with an error, and incomplete, but for a message
        that is there to be failed at."""
        try:
            await self.end()
        except ConnectionEndedError:
            pass
        else:
            raise AssertionError("the app ended as if its response were complete")
        left = [self._from_app.get_nowait() for _ in range(self._from_app.qsize())]
        assert left[-1]["type"] == "http.response.pathsend", left
        assert all(each.get("more_body") for each in left if each["type"] == "http.response.body"), left

    async def answer(self) -> httpx2.Response:
        """The whole response, also where it denies a WebSocket."""
        start = await self.take()
        kind = start["type"].removesuffix(".start")
        assert kind in {"http.response", "websocket.http.response"}, start
        body, more = b"", True
        while more:
            message = await self.take()
            assert message["type"] == f"{kind}.body", message
            body += message.get("body", b"")
            more = message.get("more_body", False)
        assert all(isinstance(name, bytes) and name == name.lower() for name, _ in start["headers"])
        return httpx2.Response(start["status"], headers=list(start["headers"]), content=body)


async def ask(app: ASGIApp, scope: Scope, body: bytes = b"") -> httpx2.Response:
    """The response to one request."""
    async with Connection(app, scope) as connection:
        connection.give("http.request", body=body)
        return await connection.answer()


def client_of(app: ASGIApp, **options: Any) -> httpx2.AsyncClient:
    """A client of an app in this process. What the app raises is a 500, as on a server."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, **options)
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver")
