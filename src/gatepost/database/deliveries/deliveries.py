"""`Deliveries`: the tables of what is told to the outside, over the database's connections."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import TargetStatus, Timeout
from gatepost.database.deliveries import lease, queue, sending, sweep
from gatepost.database.deliveries.queue import Render
from gatepost.database.deliveries.sending import Delivery
from gatepost.database.deliveries.sweep import Wanted

Connecting = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class Deliveries:
    """What one process delivers for all. `reading`, `writing`: a connection for what they are told, for single
    statements and for a transaction. `timeout`: seconds that a transaction may take. Every method raises
    `UnavailableError`; `queue` and `sweep` raise `LeaseLostError` where the lease is another's, and have changed
    nothing then."""

    def __init__(self, reading: Connecting, writing: Connecting, *, timeout: float) -> None:
        self._reading = reading
        self._writing = writing
        self._timeout = timeout

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._writing("Delivering what is told to the outside") as connection, Timeout(self._timeout):
            yield connection
            await connection.commit()

    async def take_lease(self, holder: str, seconds: float) -> bool:
        """Take or renew the lease, unless another has it. `holder`: 32 characters, random. One transaction."""
        async with self._transaction() as connection:
            return await lease.take(connection, holder, seconds)

    async def lease_left(self, holder: str) -> float:
        """For how many seconds another has the lease; 0 = nobody else has. One row by key."""
        async with self._reading("Looking for who delivers") as connection:
            return await lease.seconds_left(connection, holder)

    async def give_up_lease(self, holder: str) -> None:
        """Let another deliver at once. One transaction."""
        async with self._transaction() as connection:
            await lease.give_up(connection, holder)

    async def has_news(self, names: Sequence[str]) -> bool:
        """Whether there is anything to queue. Two statements by key."""
        async with self._reading("Looking for what is to be told") as connection:
            return await queue.has_news(connection, names)

    async def queue(self, holder: str, seconds: float, renders: Mapping[str, Render]) -> int:
        """Queue what is new for each target, by its name, and renew the lease; answers how many deliveries that makes.
        One transaction."""
        async with self._transaction() as connection:
            await lease.renew(connection, holder, seconds)
            return await queue.queue(connection, renders)

    async def sweep(self, holder: str, seconds: float, wanted: Wanted) -> int:
        """Note what has happened by itself since the last time, and renew the lease; answers how much that is. One
        transaction."""
        async with self._transaction() as connection:
            await lease.renew(connection, holder, seconds)
            return await sweep.sweep(connection, wanted)

    async def note(self, kind: str, key_id: str, project: str | None) -> None:
        """Note that something has happened to a key now. `kind`: a type of events. One transaction."""
        async with self._transaction() as connection:
            await sweep.note(connection, kind, key_id, project)

    async def read_due(self, target: str, most: int) -> Sequence[Delivery]:
        """What is to be sent there now. One statement."""
        async with self._reading("Looking for what is to be sent") as connection:
            return await sending.read_due(connection, target, most)

    async def remove(self, target: str, ids: Sequence[str]) -> None:
        """They have arrived. One transaction."""
        async with self._transaction() as connection:
            await sending.remove(connection, target, ids)

    async def fail(self, delivery: Delivery, error: str, delay: float | None) -> None:
        """It has not arrived: another attempt in `delay` seconds, `None` = no more. One transaction."""
        async with self._transaction() as connection:
            await sending.fail(connection, delivery, error, delay)

    async def stop(self, target: str, reason: str | None) -> bool:
        """Send nothing there any more; `None` = send again. Answers whether there is such a target."""
        async with self._transaction() as connection:
            return await sending.stop(connection, target, reason)

    async def forget(self, target: str) -> bool:
        """Remove a target, with all that is on its way there. Answers whether there was one."""
        async with self._transaction() as connection:
            return await sending.forget(connection, target)

    async def read_dead(
        self, target: str | None, after: tuple[str, int] | None, most: int
    ) -> Sequence[tuple[int, Delivery]]:
        """What was given up, with places, from after that target and place. One statement."""
        async with self._reading("Reading what was given up") as connection:
            return await sending.read_dead(connection, target, after, most)

    async def revive(self, target: str, ids: Sequence[str] | None) -> int:
        """Send what was given up again; `None` = all of it. Answers how many. One transaction."""
        async with self._transaction() as connection:
            return await sending.revive(connection, target, ids)

    async def read_states(self) -> Sequence[TargetStatus]:
        """How each target does. Two statements."""
        async with self._reading("Looking at what is told to the outside") as connection:
            return await sending.read_states(connection)
