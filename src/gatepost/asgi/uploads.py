"""`EndUploads`: no further body is handed to a request whose key has died while it was still being sent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.asgi.current import serving
from gatepost.asgi.streams import ConnectionEndedError
from gatepost.base import Outcome


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
        key = scope["api_key"]

        async def judge() -> Outcome:
            outcome: Outcome = await middleware.outcome_of(digest, scope)
            return outcome

        upload = Upload(receive, send, lambda end: middleware.attend(digest, key, scope, end), judge)
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
    """One request, until its body is complete. `attend(end)`: has it watched over, so that one that waits is ended.
    `judge()`: how a request that began now would be: what comes in is handed on only to whom it would be let in with.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        attend: Callable[[Callable[[Outcome], None]], Callable[[], None]],
        judge: Callable[[], Awaitable[Outcome]],
    ) -> None:
        self._receive = receive
        self._send = send
        self._attend = attend
        self._judge = judge
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
        if self._is_complete:
            return await self._receive()
        if self._leave is None:
            self._leave = self._attend(self._end)
        message = await self._wait() if self.outcome is None else {"type": "http.disconnect"}
        if self.outcome is None and message["type"] == "http.request":
            outcome = await self._judge()  # word of a change may have come, and the guard not yet
            self.outcome = None if outcome is Outcome.VALID else outcome
        if self.outcome is not None:
            return {"type": "http.disconnect"}
        if message["type"] != "http.request" or not message.get("more_body"):
            self._is_complete = True
            self.leave()
        return message

    async def _wait(self) -> Message:
        """What comes next, or the end."""
        task = self._waiting = asyncio.current_task()
        try:
            return await self._receive()
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
