"""The wait for every worker: a change that takes something away is true everywhere when it ends.

    commit ──> nudge ──> read the workers (after the commit) ──> each: acknowledged? gone? its lease run out? ──> done

What counts is own time since the commit was confirmed: a lease that was taken before the commit ends before that.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gatepost.base import Clock, Coalescer, Propagation, UnavailableError, Worker, boot_clock
from gatepost.database import Database, WorkerRow
from gatepost.freshness.membership import certainly_over

logger = logging.getLogger("gatepost.propagation")

FIRST_PAUSE = 0.002
PAUSE_FACTOR = 1.5
LONGEST_PAUSE = 0.25
"""Seconds between two looks at what the workers have acknowledged: most have within some milliseconds."""

LOOK_SECONDS = 0.5
"""Seconds that a single look may take at least, where a caller does not want to wait."""

_ALL = b"all"


@dataclass(slots=True)
class Spread:
    """One committed change on its way. `seq`: everything up to it must be applied. `committed_at`: own clock after the
    commit was confirmed. `committed`: aware, UTC, the database's clock at that time.

    `waiting`: workers that have not got there, by id; `None` before they have been read.
    """

    seq: int
    committed_at: float
    committed: datetime
    waiting: dict[str, WorkerRow] | None = None
    acknowledged: list[Worker] = field(default_factory=list)
    left: list[Worker] = field(default_factory=list)
    expired: list[Worker] = field(default_factory=list)

    def note(self, rows: Sequence[WorkerRow], own: Worker | None, now: float) -> None:
        """Take in the workers as they were read after the commit. `own`: this process's, which has applied the change
        or believes nothing. Later readings only tell of those that the first one told of: who joined after it began
        with the change."""
        by_id = {row.worker.id: row for row in rows}
        if self.waiting is None:
            self.waiting = by_id
        for worker_id, row in list(self.waiting.items()):
            new = by_id.get(worker_id)
            if row.worker == own or (new is not None and new.acked_seq >= self.seq):
                self.acknowledged.append(row.worker)
            elif new is None:
                self.left.append(row.worker)
            elif now >= self.over_at(row):
                self.expired.append(row.worker)
            else:
                continue
            del self.waiting[worker_id]

    def lapse(self, now: float) -> None:
        """Where the workers were read once, those whose lease has run out need not be heard of again."""
        for worker_id, row in list((self.waiting or {}).items()):
            if self.waiting is not None and now >= self.over_at(row):
                self.expired.append(row.worker)
                del self.waiting[worker_id]

    def over_at(self, row: WorkerRow) -> float:
        """Own clock at which a lease that this worker took before the commit has run out."""
        return self.committed_at + certainly_over(row.max_staleness)

    def told(self, now: float) -> Propagation:
        """How far it has come at `now` (own clock)."""
        complete = self.waiting is not None and not self.waiting
        over_at: float | None = now
        if self.waiting is None:
            over_at = None
        elif self.waiting:
            over_at = max(self.over_at(row) for row in self.waiting.values())
        return Propagation(
            complete=complete,
            holds_from=None
            if over_at is None
            else datetime.fromtimestamp(self.committed.timestamp() + over_at - self.committed_at, UTC),
            seconds=now - self.committed_at,
            acknowledged=tuple(self.acknowledged),
            left=tuple(self.left),
            expired=tuple(self.expired),
            waiting=tuple(row.worker for row in (self.waiting or {}).values()),
        )


class Propagations:
    """Waits for changes to be applied by every worker. Waits that run at the same time share their looks."""

    def __init__(self, database: Database, *, clock: Clock = boot_clock) -> None:
        self._database = database
        self._clock = clock
        self._rows = Coalescer(self._read, size=1, at_once=1)

    async def follow(self, spread: Spread, own: Worker | None, *, until: float | None) -> Propagation:
        """Look at the workers until every one acts on the change, or own clock is `until` (`None` = for as long as it
        takes). A look is one round trip. A database that fails meanwhile is asked again."""
        pause = FIRST_PAUSE
        failing = False
        while True:
            try:
                await self._look(spread, own, until)
            except UnavailableError as failure:
                if not failing:
                    logger.warning("Change %d is committed; waiting for the workers: %s", spread.seq, failure)
                failing = True
            now = self._clock()
            spread.lapse(now)
            propagation = spread.told(now)
            if propagation.complete or (until is not None and now >= until):
                return propagation
            ends = [pause, *(spread.over_at(row) - now for row in (spread.waiting or {}).values())]
            await asyncio.sleep(max(FIRST_PAUSE, min(ends if until is None else [*ends, until - now])))
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    async def _look(self, spread: Spread, own: Worker | None, until: float | None) -> None:
        """One look, given up at `until`, but not before `LOOK_SECONDS`."""
        give_up = None if until is None else max(LOOK_SECONDS, until - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(give_up):
                rows = await self._rows.ask(_ALL)
                spread.note(rows, own, self._clock())

    async def close(self) -> None:
        """Wait for a look that is under way."""
        await self._rows.close()

    async def _read(self, _: Sequence[bytes]) -> Mapping[bytes, Sequence[WorkerRow]]:
        return {_ALL: await self._database.workers.read_all()}
