"""The rows of the workers: who may hold a lease, and what each has applied.

Nothing here reads a wall clock: whether a worker lives is told by its `beat`, which each renewal changes, and by how
long an observer has seen it unchanged on a clock of its own (docs/decisions/0005). A beat is random, not counted: in a
database that was put back to an older state a count would repeat, and a live worker look like a dead one.
"""

import secrets as randomness
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Worker
from gatepost.database.schema import events, workers

NEVER_ACKED = -1
"""`acked_seq` of a worker that has not applied anything yet."""

BEAT_BITS = 63
"""What a signed BIGINT holds."""

NAME_MAX = 200
"""Characters: the width of the column."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One row. `acked_seq`: the worker has applied every change up to here. `max_staleness`: seconds that its lease
    lasts at most. `seen_at`: its last renewal, for people. `beat`: 63 random bits, new with each renewal."""

    worker: Worker
    acked_seq: int
    max_staleness: float
    seen_at: datetime
    beat: int


def _following() -> Select[Any]:
    """The next rows of a ring: first those above, then, from the other end, those below. A few rows of the index, where
    putting all of them in the ring's order would read the whole table."""
    parts, most = [], bindparam("most", type_=Integer)
    for number, where in enumerate((workers.c.id > bindparam("worker"), workers.c.id < bindparam("worker"))):
        part: ColumnElement[int] = literal_column(str(number))
        rows = select(part.label("part"), workers).where(where).order_by(workers.c.id).limit(most)
        parts.append(select(rows.subquery()))
    ring = union_all(*parts).subquery()
    return select(ring).order_by(ring.c.part, ring.c.id).limit(most)


_FOLLOWING = _following()
_COUNT = select(func.count()).select_from(workers)
_ALL = select(workers).order_by(workers.c.id)
_ACKED = select(workers.c.id, workers.c.acked_seq)
_RENEW = (
    update(workers)
    .where(
        workers.c.id == bindparam("worker"),
        exists().where(
            events.c.seq == bindparam("applied"), events.c.n == 0, events.c.nonce == bindparam("applied_nonce")
        ),
    )
    .values(acked_seq=bindparam("applied"), beat=bindparam("new_beat"), seen_at=bindparam("now"))
)
"""Made once: every worker asks for it at every change."""


class Workers:
    """The table of workers. Every method is one statement, and raises `UnavailableError`."""

    def __init__(self, connection: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._connection = connection

    async def join(self, worker: Worker, max_staleness: float, seen_at: datetime) -> None:
        """Add a row."""
        row = {
            "id": worker.id,
            "name": worker.name[:NAME_MAX],
            "seen_at": seen_at,
            "beat": randomness.randbits(BEAT_BITS),
            "acked_seq": NEVER_ACKED,
            "max_staleness": max_staleness,
        }
        await self._write("Joining the workers", insert(workers).values(row))

    async def renew(self, worker_id: str, seq: int, nonce: int, seen_at: datetime) -> bool:
        """Say that the worker lives and has applied every change up to `seq`. Answers whether its row is there *and*
        the log holds that very change (its nonce): an answer of another timeline must not count for this one."""
        values = {
            "worker": worker_id,
            "applied": seq,
            "applied_nonce": nonce,
            "new_beat": randomness.randbits(BEAT_BITS),
            "now": seen_at,
        }
        return await self._write("Acknowledging changes", _RENEW, values) == 1

    async def leave(self, worker_id: str) -> None:
        """Remove a row, whose worker's lease has ended."""
        await self._write("Leaving the workers", delete(workers).where(workers.c.id == worker_id))

    async def remove(self, row: WorkerRow) -> None:
        """Remove the row of a worker that is gone, unless it has renewed since `row` was read."""
        statement = delete(workers).where(workers.c.id == row.worker.id, workers.c.beat == row.beat)
        await self._write("Removing a worker that is gone", statement)

    async def read_all(self) -> Sequence[WorkerRow]:
        """Every row."""
        return await self._read(_ALL)

    async def read_acked(self) -> Mapping[str, int]:
        """Of each worker's id its `acked_seq`: a fifth of what `read_all` costs."""
        async with self._connection("Reading the workers") as connection:
            return dict((await connection.execute(_ACKED)).all())

    async def count(self) -> int:
        """How many rows there are."""
        async with self._connection("Counting the workers") as connection:
            return await connection.scalar(_COUNT) or 0

    async def read_after(self, worker_id: str, most: int) -> Sequence[WorkerRow]:
        """The rows that follow `worker_id` in a ring by id, without its own; at most `most`. Looks at twice as many
        rows at most, however many workers there are: each of them asks this."""
        return await self._read(_FOLLOWING, {"worker": worker_id, "most": most})

    async def _read(self, statement: Any, values: Mapping[str, Any] | None = None) -> Sequence[WorkerRow]:
        async with self._connection("Reading the workers") as connection:
            rows = await connection.execute(statement, values)
            return [
                WorkerRow(Worker(row.id, row.name), row.acked_seq, row.max_staleness, row.seen_at, row.beat)
                for row in rows
            ]

    async def _write(self, doing: str, statement: Any, values: Mapping[str, Any] | None = None) -> int:
        """Run one statement in a transaction of its own; answers how many rows it changed."""
        async with self._connection(doing) as connection:
            changed: int = (await connection.execute(statement, values)).rowcount
            if connection.dialect.name == "sqlite":  # the others commit by themselves, see `reading`
                await connection.commit()
            return changed
