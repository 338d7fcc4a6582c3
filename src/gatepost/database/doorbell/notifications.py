"""PostgreSQL's `LISTEN` and `NOTIFY`, on a connection of its own beside the pool.

    nudge ──SELECT pg_notify, own transaction, after the change's──> server ──> each listening worker ──> nudged
    listen ──> no pooler? ──> LISTEN ──> ring at oneself by the pool: heard? ──> every 3 s: does the connection answer?

A pooler that gives each transaction another connection (pgbouncer's transaction mode) takes `LISTEN` and passes nothing
on: so it is looked for, and each listener first rings at itself. A connection whose other end has gone without a word
hears nothing for ever: hence the question every few seconds.
"""

import asyncio
import contextlib
import logging
import random
import secrets as randomness
from collections.abc import AsyncIterator, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.base import Timeout, UnavailableError, line_of
from gatepost.database.connecting import Pooling, mapped_errors, pooling_of
from gatepost.database.doorbell.doorbell import Doorbell
from gatepost.database.doorbell.listeners import LISTENERS, Listener

logger = logging.getLogger("gatepost.doorbell")

CHANNEL = "gatepost"
"""One for the whole database: installations in other schemas of it only cost each other polls."""

RING = text("SELECT pg_notify(:channel, :payload)")

HEARTBEAT_SECONDS = 3.0
"""Between two questions whether the connection still answers, and the longest wait for an answer."""

RETRY_SECONDS = (0.5, 30.0)
"""First and longest pause before listening is begun anew."""

JITTER = 0.1

REMEDY = "Name PostgreSQL itself, a pooler in session mode, or a Redis"


class DeafError(Exception):
    """Rings do not reach this connection, though it answers."""


class Notifications(Doorbell):
    """The doorbell of a PostgreSQL, by a driver of `LISTENERS`. `timeout`: seconds that one exchange may take."""

    def __init__(self, engine: AsyncEngine, timeout: float) -> None:
        super().__init__()
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # no statement on PostgreSQL
        self._timeout = timeout
        self._task: asyncio.Task[None] | None = None
        self._hears = False
        self._fault: str | None = None

    @property
    def hears(self) -> bool:
        """Whether `LISTEN` stands on a connection that answered lately."""
        return self._hears

    @property
    def fault(self) -> str | None:
        """Why not, in a line."""
        return self._fault

    def listen(self) -> None:
        """Begin: takes one connection more than the pool has."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_listening())

    async def nudge(self) -> None:
        """Ring. One statement, in a transaction of its own: a `NOTIFY` within the change's would make all that is
        committed in the server wait in one line with it."""
        try:
            with mapped_errors("Ringing"):
                await self._ring("")
        except UnavailableError as failure:
            logger.warning("Workers hear of a change only at their next poll: %s", failure)

    async def close(self) -> None:
        """End the background task, and with it the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._hears = False

    async def _ring(self, payload: str) -> None:
        async with Timeout(self._timeout), self._engine.connect() as connection:
            await connection.execute(RING, {"channel": CHANNEL, "payload": payload})

    async def _keep_listening(self) -> None:
        pause, longest = RETRY_SECONDS
        while True:
            try:
                await self._hear()
            except Exception as failure:  # noqa: BLE001 - the driver's own kinds too; a fault of ours ends up here as well
                self._tell(failure)
            if self._hears:  # it did until now
                self._hears, pause = False, RETRY_SECONDS[0]
                self.nudged.set()
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - spreads load
            pause = min(2 * pause, longest)

    def _tell(self, failure: Exception) -> None:
        """Once for each kind of trouble."""
        told, self._fault = self._fault, line_of(failure)
        if told != self._fault:
            logger.warning("Changes are not heard of at once, but at the next poll: %s", self._fault)

    async def _hear(self) -> None:
        """Listen until the connection ends. Raises what the driver raises, `DeafError`, `TimeoutError`."""
        async with Timeout(2 * self._timeout):
            pooling = await pooling_of(self._engine, self._timeout)
        if pooling is Pooling.TRANSACTION:
            raise DeafError(f"a pooler in transaction mode keeps no LISTEN. {REMEDY}")
        token = randomness.token_hex(8)
        heard = False

        def ring(payload: str) -> None:
            nonlocal heard
            heard |= payload == token
            if not payload:
                self.nudged.set()

        async with self._own_connection(ring) as listener:
            async with Timeout(self._timeout):
                await listener.begin()
            await self._ring(token)
            await listener.hear(self._timeout, lambda: heard)
            if not heard:
                raise DeafError(f"what is notified does not come through LISTEN: a pooler may be in between. {REMEDY}")
            if self._fault is not None:
                logger.warning("Changes are heard of at once again")
            self._hears, self._fault = True, None
            self.nudged.set()  # what was rung before was not heard
            while True:
                await listener.hear(HEARTBEAT_SECONDS * random.uniform(1 - JITTER, 1), lambda: False)  # noqa: S311
                async with Timeout(min(HEARTBEAT_SECONDS, self._timeout)):
                    await listener.ask()

    @contextlib.asynccontextmanager
    async def _own_connection(self, ring: Callable[[str], None]) -> AsyncIterator[Listener]:
        """A connection taken out of the pool: a listener must not stay on one that others use."""
        async with Timeout(self._timeout):
            connection = await self._engine.connect()
        listener: Listener | None = None
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await connection.run_sync(_detach)
            listener = LISTENERS[self._engine.dialect.driver](driver, CHANNEL, ring)
            yield listener
        finally:
            if listener is not None:
                listener.end()
            with contextlib.suppress(Exception):
                await connection.invalidate()  # not rolled back: it has ended
            with contextlib.suppress(Exception):
                await connection.close()


def _detach(connection: Any) -> None:
    connection.detach()
