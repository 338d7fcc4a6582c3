"""What the app is handed in place of the server's functions, so that its connection can be ended from outside.

    stream   end ──> the middleware's task is cancelled; at the middleware's own frame that becomes a
                     ConnectionEndedError, so that the server, and whatever lies between, drops the response
    socket   end ──> websocket.close to the server; the app that waits in receive gets websocket.disconnect

Either way what the app sends later raises `ConnectionEndedError`, an `OSError`: what ASGI says of closed connections.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.types import Message, Receive, Send

from gatepost.asgi.responses import close_message
from gatepost.base import Outcome

if TYPE_CHECKING:
    from gatepost.asgi.current import Served

logger = logging.getLogger("gatepost.streams")

Attend = Callable[[Callable[[Outcome], None]], Callable[[], None]]
"""Has what it is given called when the connection must end; answers what to call when it is over."""

_EVENT_STREAM = b"text/event-stream"
_LENGTH = b"content-length"


class ConnectionEndedError(OSError):
    """The connection was ended because its key is not usable any more."""


def send_watched(served: "Served", message: Message) -> Awaitable[None]:
    """Send a message of a response, which is watched over from the first sign of a stream on: `more_body`, or a start
    that announces server-sent events, whose first may be long in coming. A response in one piece costs this call.

    `served`: as `Served`, with the `Stream` or `None` in fourth place, then the server's `send`, the key, and the
    middleware's task (or `None`).
    Raises `ConnectionEndedError` once the request is over.
    """
    try:
        stream = served[3]  # Python is quicker at places from the front
    except IndexError:
        raise ConnectionEndedError("The request is over") from None
    if stream is None:
        if message["type"] != "http.response.start":
            begins = "more_body" in message and message["more_body"]
        else:
            try:
                first = message["headers"][0][0]
            except (KeyError, IndexError, TypeError):  # none, or not a list
                first = None
            if first == _LENGTH:  # Starlette tells it first, and server-sent events have none: spare the look
                begins = False
            else:
                message, begins = _look_for_events(message)
        if not begins:
            sent: Awaitable[None] = served[4](message)
            return sent
        stream = served[3] = Stream(served)
    return stream.send(message)  # type: ignore[no-any-return]  # a list of Any


def _look_for_events(start: Message) -> tuple[Message, bool]:
    """A start of a response to send in its place, and whether it announces events. Its headers may be an iterable that
    can be read but once (ASGI says no more of them)."""
    headers = start.get("headers", ())
    if not isinstance(headers, list | tuple):
        headers = [*headers]
        start = {**start, "headers": headers}
    for name, value in headers:
        if name.lower() == b"content-type":  # ASGI wants it in lower case, but Django leaves it as it is
            return start, value[: len(_EVENT_STREAM)].lower() == _EVENT_STREAM
    return start, False


def _out_of_place(reason: str) -> Message:
    """A message that middleware passes on, that ends a body handed on from another task, and that no server takes for
    the end of one: a file to send, in the middle of a body. There is no such file."""
    return {"type": "http.response.pathsend", "path": f"/dev/null/ended: {reason}"}


class Stream:
    """A response in several pieces, until the last of them is sent."""

    __slots__ = ("_cancelled", "_leave", "_send", "_task", "outcome")

    def __init__(self, served: "Served") -> None:
        scope, middleware, digest, _, self._send, key, self._task = served
        self._cancelled = False
        self.outcome: Outcome | None = None
        self._leave: Callable[[], None] = middleware.attend(digest, key, scope, self.end)

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Raises `ConnectionEndedError` once it has been ended."""
        if self.outcome is not None:
            raise ConnectionEndedError(self.outcome.value)
        if not message.get("more_body") and message["type"] == "http.response.body":
            self._leave()  # complete: what the app does after it, background tasks above all, is not cut
        return self._send(message)  # type: ignore[no-any-return]  # a list of Any

    def end(self, outcome: Outcome) -> None:
        """Cut it off."""
        self.outcome = outcome
        self._cancelled = self._task is not None and self._task.cancel()

    def absorbs(self, raised: BaseException) -> bool:
        """Whether what came out of the app is the work of `end`, and of nothing else."""
        if isinstance(raised, asyncio.CancelledError):
            return self._cancelled and self._uncancel() == 0
        return isinstance(raised, ConnectionEndedError) and self.outcome is not None

    async def cut(self) -> NoReturn:
        """Have whatever stands outside drop the response, once the app is done. Raises `ConnectionEndedError`.

        That alone would do for servers and plain middleware. But what hands a body on from another task, as Starlette's
        `BaseHTTPMiddleware` does, completes it when its app has failed: so it gets a message to fail at itself.
        """
        reason = "" if self.outcome is None else self.outcome.value
        with suppress(Exception):  # a server that is asked directly fails here
            await self._send(_out_of_place(reason))
        raise ConnectionEndedError(reason)

    def leave(self) -> None:
        """The app is done."""
        self._leave()
        if self._cancelled:  # and the app swallowed it
            self._uncancel()

    def _uncancel(self) -> int:
        """Take back the cancellation; answers how many others there are."""
        self._cancelled = False
        others: int = self._task.uncancel()
        return others


class Socket:
    """A WebSocket from the handshake on. `attend`: has it watched over. `refuse(outcome, receive)`: denies a handshake
    that the app has not answered yet."""

    def __init__(
        self, receive: Receive, send: Send, attend: Attend, refuse: Callable[[Outcome, Receive], Awaitable[None]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Task[Any] | None = None
        self._cancelled: asyncio.Task[Any] | None = None
        self._connected = False
        self._accepted = False
        self._closing: asyncio.Task[None] | None = None
        self.outcome: Outcome | None = None
        self._leave = attend(self.end)

    async def receive(self) -> Message:
        """The next message; `websocket.disconnect` once it has been ended, also for who waits already."""
        if self.outcome is not None:
            return self._disconnect(self.outcome)
        task = self._waiting = asyncio.current_task(self._loop)
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self.outcome is None or task is None or self._cancelled is not task:
                raise
            self._cancelled = None
            if task.uncancel() > 0:  # somebody else cancelled it too
                raise
            return self._disconnect(self.outcome)
        finally:
            if self._waiting is task:
                self._waiting = None
        if message["type"] == "websocket.connect":
            self._connected = True
        elif message["type"] == "websocket.disconnect":
            self._leave()
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Raises `ConnectionEndedError` once it has been ended."""
        if self.outcome is not None:
            raise ConnectionEndedError(self.outcome.value)
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind != "websocket.send":  # closed or denied by the app
            self._leave()
        return self._send(message)

    def end(self, outcome: Outcome) -> None:
        """Close it, or deny it where it is not open yet."""
        self.outcome = outcome
        self._closing = self._loop.create_task(self._close(outcome))
        if self._waiting is not None and self._waiting.cancel():
            self._cancelled = self._waiting

    async def leave(self) -> None:
        """The app is done; return once the server has been told of an end."""
        self._leave()
        if self._closing is not None:
            await self._closing

    async def _close(self, outcome: Outcome) -> None:
        try:
            if self._accepted:
                await self._send(close_message(outcome))
            else:
                await self._refuse(outcome, self._receive_connect)
        except Exception:  # the client may have gone in the same moment
            logger.debug("A WebSocket was gone before it could be closed", exc_info=True)

    async def _receive_connect(self) -> Message:
        if self._connected:
            return {"type": "websocket.connect"}
        return await self._receive()

    @staticmethod
    def _disconnect(outcome: Outcome) -> Message:
        close = close_message(outcome)
        return {"type": "websocket.disconnect", "code": close["code"], "reason": close["reason"]}
