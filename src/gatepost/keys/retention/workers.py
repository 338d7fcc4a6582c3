"""Removing the rows of workers that are gone, where no other worker is there to do it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatepost.base import Worker

if TYPE_CHECKING:
    from gatepost.database import WorkerRow
    from gatepost.keys.parts import Parts

LOOK_SECONDS = 0.5


async def silent_workers(parts: "Parts") -> "Sequence[WorkerRow]":
    """The rows that look as if their workers were gone, by the database's clock: they may be no more than that. Two
    statements."""
    from gatepost.freshness import KEEP_FACTOR, certainly_over  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    database = parts.database
    now = (await database.read_position()).now
    rows = await database.workers.read_all()
    return [row for row in rows if now - row.seen_at.timestamp() > certainly_over(row.max_staleness * KEEP_FACTOR)]


async def remove_dead(parts: "Parts") -> Sequence[Worker]:
    """Remove the rows whose workers have given no sign of life for as long as this process has watched them, which is
    longer than any lease lasts: twice the `max_staleness` of each, 20 s as it comes. Nothing to wait for where none is
    silent. No clock but this process's own decides (docs/decisions/0005)."""
    from gatepost.freshness import KEEP_FACTOR, certainly_over  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    silent = {row.worker.id: row for row in await silent_workers(parts)}
    began = parts.clock()  # once they were read
    removed: list[Worker] = []
    while silent:
        rows = {row.worker.id: row for row in await parts.database.workers.read_all()}
        now = parts.clock()
        for worker_id, row in list(silent.items()):
            held = rows.get(worker_id)
            if held is None or held.beat != row.beat:
                del silent[worker_id]
            elif now - began > certainly_over(row.max_staleness * KEEP_FACTOR):
                await parts.database.workers.remove(row)
                removed.append(row.worker)
                del silent[worker_id]
        if silent:
            await asyncio.sleep(LOOK_SECONDS)
    return removed
