"""`UsageTables`: what workers write of usage, and what people read of it, over the database's connections."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Timeout, Usage
from gatepost.base.trail import Pruned
from gatepost.database.usage.batch import UsageBatch
from gatepost.database.usage.page import UsagePage, read_days
from gatepost.database.usage.pruning import count, remove_months, remove_orphans, roll_up

Moment = TypeVar("Moment", date, datetime)

Connecting = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class UsageTables:
    """The tables of usage. `reading`, `writing`: a connection for what they are told, for single statements and for a
    transaction. `timeout`: seconds that a statement may take. Every method raises `UnavailableError`."""

    def __init__(self, reading: Connecting, writing: Connecting, *, timeout: float) -> None:
        self._reading = reading
        self._writing = writing
        self._timeout = timeout

    async def write(self, batch: UsageBatch) -> bool:
        """Add a batch to the counts, unless it is in them already: answers whether it was not. Where this raises, it
        may be in them; to write the same batch again is right in any case. One transaction."""
        async with self._writing("Writing usage") as connection:
            return await batch.write(connection, self._timeout)

    async def read(self, page: UsagePage) -> Sequence[Usage]:
        """The lines of a page. One round trip, two by secret."""
        async with self._reading("Reading usage") as connection:
            return await page.read(connection)

    async def read_days(
        self, ids: Sequence[str], since: date, among: Mapping[str, str]
    ) -> Mapping[str, Mapping[date, int]]:
        """How often each of these keys was used on each day from `since` on, of those that have this in these columns.
        One round trip."""
        async with self._reading("Reading usage") as connection:
            return await read_days(connection, ids, since, among)

    async def prune(self, *, days_before: date, months_before: date, silent_since: datetime) -> Pruned:
        """Roll up the days before `days_before`, the first of a month, and remove the months before `months_before`.
        Many transactions, 1,000 rows each."""
        rolled_up = await self._all_of(roll_up, days_before)
        removed = await self._all_of(remove_months, months_before)
        await self._all_of(remove_orphans, silent_since)
        return Pruned(rolled_up, removed)

    async def count_prunable(self, *, days_before: date, months_before: date) -> Pruned:
        """What `prune` would do. One statement that reads all rows from before."""
        async with self._reading("Looking at what is to be pruned") as connection:
            return Pruned(*await count(connection, days_before, months_before), is_preview=True)

    async def _all_of(self, some: Callable[[AsyncConnection, Moment], Awaitable[int]], before: Moment) -> int:
        total = 0
        while True:
            async with self._writing("Pruning usage") as connection, Timeout(self._timeout):
                done = await some(connection, before)
                await connection.commit()
            total += done
            if not done:
                return total
