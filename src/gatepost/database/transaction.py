"""One transaction that changes keys: the counter, the changes themselves, and their events, or nothing at all.

    begin: counter + 1, a nonce ─> change ─> change ─> … ─> new rows ─> the counter, if it is behind ─> COMMIT

The counter's row is taken first and held to the commit, so changes happen one after another: seq has no gaps and is in
commit order, a later change sees all that earlier ones did, and two transactions cannot deadlock.

Every row that a change makes or changes bears its nonce in `changed_nonce`, and is changed once under it: the triggers
take all else for a change by hand (docs/decisions/0003). What several changes add to the tables is gathered and goes
out in few statements, so it bears one nonce; a change of rows that are there already gets one of its own.
"""

import secrets as randomness
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Table, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Timeout
from gatepost.database.policies import PolicyRows
from gatepost.database.schema import batches, counter, database_now, events, keys, last_used, secrets, terms

Rows = dict[Table, list[Mapping[str, Any]]]
"""New rows by table."""

TABLES = (keys, secrets, terms, last_used, events)
"""What changes add rows to, in the order in which that is done."""

TICK = timedelta(microseconds=1)
"""From one change to the next of a transaction, so that no two of a key have the same moment (`APIKey.version`)."""


_PLACE = (counter.c.seq, database_now().label("now"), counter.c.policies)
_TAKE = update(counter).values(seq=counter.c.seq + 1, nonce=bindparam("new_nonce"))
_LOOK = select(*_PLACE)
_TAKE_AND_LOOK = _TAKE.returning(*_PLACE)
"""The clock goes on while the `UPDATE` waits for the lock: it is read once the row is taken."""


class Transaction:
    """A transaction and its place in the log. `timeout`: seconds that each statement may take.

    `seq`: of the last change in it, or of the last one before it. `last_nonce`: of that change. `nonce`: what rows that
    are written now bear, 63 random bits. `dialect`: SQLAlchemy's name. `returns_inserts`: whether an `INSERT` can
    answer with what it inserted, which spares a round trip. `is_broken`: a statement has failed.
    """

    def __init__(self, connection: AsyncConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._rows: Rows = {}
        self._first = 0
        self._place = (0, 0)
        self._nonce_is_used = False
        self._now = datetime.min.replace(tzinfo=UTC)
        self.dialect = connection.dialect.name
        self.returns_inserts = connection.dialect.insert_returning
        self.seq = 0
        self.nonce = self.last_nonce = randomness.randbits(63)
        self.is_broken = False
        self.policies = PolicyRows(self.execute)

    async def begin(self) -> None:
        """Take the counter. Waits for a transaction that is under way elsewhere."""
        nonce = {"new_nonce": self.nonce}
        if self._connection.dialect.update_returning:
            position = (await self._run(_TAKE_AND_LOOK, nonce)).one()
        else:
            await self._run(_TAKE, nonce)
            position = (await self._run(_LOOK)).one()
        self._first, self._place = position.seq, (position.seq, self.nonce)
        self.seq = position.seq - 1
        self.policies.number = position.policies
        self._now = datetime.fromtimestamp(float(position.now), UTC)

    def tick(self) -> datetime:
        """A moment by the database's clock, for the next change."""
        self._now += TICK
        return self._now

    def keep(self, seq: int, nonce: int, rows: Rows) -> None:
        """A change with events has ended. `rows`: those of it that are still to be added."""
        self.seq, self.last_nonce, self._nonce_is_used = seq, nonce, True
        for table, of_change in rows.items():
            self._rows.setdefault(table, []).extend(of_change)

    async def own_nonce(self, seq: int) -> int:
        """A nonce that no row bears yet, for the change `seq`: it is about to change rows. No statement for the first
        change."""
        if self._nonce_is_used:
            await self.add(self._rows)
            self.nonce = randomness.randbits(63)
            await self.place(seq, self.nonce)
        self._nonce_is_used = True
        return self.nonce

    async def place(self, seq: int, nonce: int) -> None:
        """Set the counter."""
        await self._run(update(counter).values(seq=seq, nonce=nonce))
        self._place = seq, nonce

    async def execute(self, statement: Any) -> CursorResult[Any]:
        """One statement, which sees all that was changed before."""
        await self.add(self._rows)
        return await self._run(statement)

    async def add(self, rows: Rows) -> None:
        """Add rows, which are then taken out of `rows`."""
        for table in TABLES:
            for batch in batches(rows.pop(table, ())):
                await self._run(insert(table), batch)

    async def finish(self) -> bool:
        """Write what is left; answers whether there is anything to commit: without, the counter must stay where it
        was."""
        if self.seq < self._first:
            return False
        await self.add(self._rows)
        if self._place != (self.seq, self.last_nonce):
            await self.place(self.seq, self.last_nonce)
        return True

    async def commit(self) -> None:
        """Make it true. Raises what the driver raises, also where it was made and only the answer got lost."""
        async with Timeout(self._timeout):
            await self._connection.commit()

    async def rollback(self) -> None:
        """Undo all of it."""
        await self._connection.rollback()

    async def invalidate(self) -> None:
        """Close the connection: nobody knows what is on its way there."""
        await self._connection.invalidate()

    async def _run(
        self, statement: Any, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """One statement, which may take `timeout`, waiting for another's change included."""
        try:
            async with Timeout(self._timeout):
                result: CursorResult[Any] = await self._connection.execute(statement, rows)
                return result
        except BaseException:
            self.is_broken = True
            raise
