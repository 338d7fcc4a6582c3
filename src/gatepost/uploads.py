"""`EndUploads`: no further body is handed to a request whose key has died while it was still being sent."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.context import serving
from gatepost.models import Outcome
from gatepost.streams import ConnectionEndedError


class EndUploads:
    """Wraps the app inside an `APIKeyMiddleware`. A request whose body is still coming when its key dies receives
    `http.disconnect` in place of more of it, also where the app waits already; what the app sends then raises an
    `OSError`, and a caller who has had no answer gets the refusal that a new request would. Once the body is complete
    the request runs on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        served = serving()
        if scope["type"] != "http" or not served or served[2] is None:
            await self.app(scope, receive, send)
            return
        _, middleware, digest, *_ = served
        upload = Upload(receive, send, lambda end: middleware.keys.attend(digest, scope["api_key"], end))
        try:
            await self.app(scope, upload.receive, upload.send)
        except Exception:
            if upload.outcome is None or upload.is_answered:
                raise
        finally:
            upload.leave()
        if upload.outcome is not None and not upload.is_answered:
            await middleware.refuse_with(upload.outcome, scope, receive, send)


class Upload:
    """One request, until its body is complete. `attend(end)`: has it watched over."""

    def __init__(
        self, receive: Receive, send: Send, attend: Callable[[Callable[[Outcome], None]], Callable[[], None]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._attend = attend
        self._leave: Callable[[], None] | None = None
        self._is_complete = False
        self._waiting: asyncio.Task[Any] | None = None
        self._cancelled: asyncio.Task[Any] | None = None
        self.is_answered = False
        """Whether the response has begun."""
        self.outcome: Outcome | None = None
        """Why it was ended; `None` while it was not."""

    async def receive(self) -> Message:
        """The next message; `http.disconnect` once it has been ended, also for who waits already."""
        if self.outcome is not None:
            return {"type": "http.disconnect"}
        if self._is_complete:
            return await self._receive()
        if self._leave is None:
            self._leave = self._attend(self._end)
        task = self._waiting = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self.outcome is None or task is None or self._cancelled is not task:
                raise
            self._cancelled = None
            if task.uncancel() > 0:  # somebody else cancelled it too
                raise
            return {"type": "http.disconnect"}
        finally:
            if self._waiting is task:
                self._waiting = None
        if self.outcome is not None:
            return {"type": "http.disconnect"}
        if message["type"] != "http.request" or not message.get("more_body"):
            self._is_complete = True
            self.leave()
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on. Raises `ConnectionEndedError` once it has been ended."""
        if self.outcome is not None:
            raise ConnectionEndedError(self.outcome.value)
        self.is_answered = True
        await self._send(message)

    def leave(self) -> None:
        """It is over, or all of its body has come."""
        if self._leave is not None:
            self._leave()

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self._waiting is not None and self._waiting.cancel():
            self._cancelled = self._waiting
