"""The app's lifespan, with the keys opened before the app starts and closed after it ended."""

import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.base import GatepostError, UnavailableError
from gatepost.keys import APIKeys

logger = logging.getLogger("gatepost.lifespan")


class Lifespan:
    """Serves one `lifespan` scope of `app`, in the same task.

    Opens `keys` when the server starts up, unless somebody has, and closes them again if it was this that opened them.
    Where they cannot be opened the server is told so, and does not start. An app without lifespan support (it raises or
    returns before it asks for the first event) gets served one all the same, so that the keys are closed at the end;
    what it raised is in the log. `begin`: what is asked first: the scope for the app, or raises what keeps it from
    starting. Under `uvicorn --lifespan on`, which demands that the app has one, it is raised.
    """

    def __init__(self, keys: APIKeys, app: ASGIApp, begin: Callable[[Scope], Scope] | None = None) -> None:
        self._keys = keys
        self._begin = begin
        self._app = app
        self._to_close = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve from startup to shutdown. Raises what kept the keys from being opened, once the server knows."""
        startup = await receive()
        try:
            if self._begin is not None:
                scope = self._begin(scope)
            opened = await self._keys.open()
        except Exception as failure:  # whatever it is, the server must not take it for an app without lifespan support
            if not isinstance(failure, GatepostError):
                logger.exception("The keys could not be opened")
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            raise  # as Starlette's own lifespan does: its test client takes a quiet end for a start, and waits for ever
        self._to_close = opened
        try:
            with suppress(UnavailableError):  # went away in between: requests are answered 503 until it is back
                await self._keys.serve()
            if not await self._run_app(scope, startup, receive, send):
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
        finally:
            await self._close()

    async def _close(self) -> None:
        """Close the keys if it was this that opened them: before the server hears that shutdown is complete, because
        then it may end the loop at any moment."""
        if self._to_close:
            self._to_close = False
            await self._keys.close()

    async def _run_app(self, scope: Scope, startup: Message, receive: Receive, send: Send) -> bool:
        """Run the app's own lifespan; answers whether it has one."""
        asked = False

        async def receive_for_app() -> Message:
            nonlocal asked
            if asked:
                return await receive()
            asked = True
            return startup

        async def send_for_app(message: Message) -> None:
            if not message["type"].startswith("lifespan."):
                raise RuntimeError("the app answered a lifespan scope as if it were a request")
            if message["type"].startswith("lifespan.shutdown."):
                await self._close()
            await send(message)

        try:
            await self._app(scope, receive_for_app, send_for_app)
        except Exception as failure:
            if asked or _is_demanded(receive):
                raise
            level = logging.INFO if "lifespan" in str(failure) else logging.WARNING  # that it has none, or a fault
            logger.log(
                level,
                "The app raised before its lifespan began: it is served without one, so whatever it does at its start "
                "is not done",
                exc_info=failure,
            )
        return asked


def _is_demanded(receive: Receive) -> bool:
    """Whether the server does not start an app without a lifespan. Only uvicorn can be told that, and ASGI has no word
    for it: so its settings are looked at."""
    config = getattr(getattr(receive, "__self__", None), "config", None)
    return getattr(config, "lifespan", None) == "on"
