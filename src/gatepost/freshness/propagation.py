"""The wait for every worker: a change that takes something away is true everywhere when it ends.

    commit ──> nudge ──> read the workers (after the commit) ──> each: acknowledged? gone? its lease run out? ──> done
                         then, as often as needed, only what they have acknowledged

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

ROW_PAUSE = 20e-6
"""Seconds of pause, at least, for each row that the look before it read: which took this process's event loop and the
database's processor a tenth of that, and the changes of a site with more rows take longer to arrive (docs/scale.md)."""

LOOK_SECONDS = 0.5
"""Seconds that a single look may take at least, where a caller does not want to wait."""

_ALL, _ACKED = b"all", b"acked"
"""What a look asks for: the first one of a wait for the rows, the others for what has changed in them."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was read at one moment. `rows`: every worker's, empty where nobody asked for them. `acked`: of each worker's
    id the seq up to which it has applied every change."""

    rows: Sequence[WorkerRow]
    acked: Mapping[str, int]


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

    def begin(self, rows: Sequence[WorkerRow]) -> None:
        """Wait for those that were there after the commit. Who joined after it began with the change."""
        self.waiting = {row.worker.id: row for row in rows}

    def note(self, acked: Mapping[str, int], own: Worker | None, now: float) -> None:
        """Take in what the workers had acknowledged, by id, when they were read after the commit; who is not there has
        left. `own`: this process's, which has applied the change or believes nothing."""
        waiting = {} if self.waiting is None else self.waiting
        for worker_id, row in list(waiting.items()):
            seq = acked.get(worker_id)
            if row.worker == own or (seq is not None and seq >= self.seq):
                self.acknowledged.append(row.worker)
            elif seq is None:
                self.left.append(row.worker)
            elif now >= self.over_at(row):
                self.expired.append(row.worker)
            else:
                continue
            del waiting[worker_id]

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
        self._looks = Coalescer(self._read, size=2, at_once=1)

    async def follow(self, spread: Spread, own: Worker | None, *, until: float | None) -> Propagation:
        """Look at the workers until every one acts on the change, or own clock is `until` (`None` = for as long as it
        takes). A look is one round trip, and reads a row of each worker. A database that fails is asked again."""
        pause = FIRST_PAUSE
        failing = False
        while True:
            rows = 0
            try:
                rows = await self._look(spread, own, until)
            except UnavailableError as failure:
                if not failing:
                    logger.warning("Change %d is committed; waiting for the workers: %s", spread.seq, failure)
                failing = True
            now = self._clock()
            spread.lapse(now)
            propagation = spread.told(now)
            if propagation.complete or (until is not None and now >= until):
                return propagation
            pause = max(pause, min(rows * ROW_PAUSE, LONGEST_PAUSE))
            ends = [pause, *(spread.over_at(row) - now for row in (spread.waiting or {}).values())]
            await asyncio.sleep(max(FIRST_PAUSE, min(ends if until is None else [*ends, until - now])))
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    async def _look(self, spread: Spread, own: Worker | None, until: float | None) -> int:
        """One look, given up at `until`, but not before `LOOK_SECONDS`; answers how many rows it read."""
        give_up = None if until is None else max(LOOK_SECONDS, until - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(give_up):
                look = await self._looks.ask(_ALL if spread.waiting is None else _ACKED)
                if spread.waiting is None:
                    spread.begin(look.rows)
                spread.note(look.acked, own, self._clock())
                return len(look.acked)
        return 0

    async def close(self) -> None:
        """Wait for a look that is under way."""
        await self._looks.close()

    async def _read(self, asked: Sequence[bytes]) -> Mapping[bytes, _Look]:
        """One statement, whatever is asked for."""
        workers = self._database.workers
        if _ALL in asked:
            rows = await workers.read_all()
            return dict.fromkeys(asked, _Look(rows, {row.worker.id: row.acked_seq for row in rows}))
        return dict.fromkeys(asked, _Look((), await workers.read_acked()))
