"""A connection that hears PostgreSQL's notifications: asyncpg calls back, psycopg has to be asked for them."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Listener(Protocol):
    """One driver's connection, in autocommit and in nobody else's hands. Raises what the driver raises."""

    def __init__(self, driver: Any, channel: str, ring: Callable[[str], None]) -> None:
        """`driver`: the driver's own connection. `ring`: is told what each notification carries."""

    async def begin(self) -> None:
        """Ask for notifications."""

    async def hear(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Let notifications come in for so long, or until it is over. Raises `ConnectionError` where the end of the
        connection is noticed."""

    async def ask(self) -> None:
        """One small statement."""

    def end(self) -> None:
        """Close the connection, which may not answer any more."""


class AsyncpgListener:
    """See `Listener`."""

    def __init__(self, driver: Any, channel: str, ring: Callable[[str], None]) -> None:
        self._driver = driver
        self._channel = channel
        self._ring = ring
        self._stirred = asyncio.Event()
        self._has_ended = False

    async def begin(self) -> None:
        """`LISTEN`."""
        self._driver.add_termination_listener(self._note_end)
        await self._driver.add_listener(self._channel, self._note)

    async def hear(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait: the driver reads by itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._has_ended and not is_over():
                    self._stirred.clear()
                    await self._stirred.wait()
        if self._has_ended:
            raise ConnectionError("the connection that listens was closed")

    async def ask(self) -> None:
        """In the simple protocol."""
        await self._driver.execute("SELECT 1")

    def end(self) -> None:
        """Without a word to the server."""
        self._driver.terminate()

    def _note(self, _driver: object, _pid: int, _channel: str, payload: str) -> None:
        self._ring(payload)
        self._stirred.set()

    def _note_end(self, _driver: object) -> None:
        self._has_ended = True
        self._stirred.set()


class PsycopgListener:
    """See `Listener`."""

    def __init__(self, driver: Any, channel: str, ring: Callable[[str], None]) -> None:
        self._driver = driver
        self._channel = channel
        self._ring = ring

    async def begin(self) -> None:
        """`LISTEN`."""
        await self._driver.execute(f"LISTEN {self._channel}")

    async def hear(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Read from the connection, which nobody does otherwise."""
        async with contextlib.aclosing(self._driver.notifies(timeout=seconds)) as notifications:
            async for notification in notifications:
                self._ring(notification.payload)
                if is_over():
                    return

    async def ask(self) -> None:
        """A statement without parameters."""
        await self._driver.execute("SELECT 1")

    def end(self) -> None:
        """Close the socket."""
        self._driver.pgconn.finish()


LISTENERS: Mapping[str, type[Listener]] = {"asyncpg": AsyncpgListener, "psycopg": PsycopgListener}
"""By SQLAlchemy's name of the driver."""
