"""This worker's row among the workers: while it may be there, others wait for what this worker says.

    join ──> poll (was the row there?) ──> lease ──> renew: "I live, and have applied everything up to seq"
                                                └──> watch: remove the rows of workers that are gone

A row is removed only after its worker's lease has ended: by the worker itself when it leaves, or by another that has
seen it unchanged for longer than any lease can last (docs/decisions/0005). No wall clock takes part.
"""

import os
import random
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from gatepost.base import Clock, Worker
from gatepost.database import Database, WorkerRow

KEEP_FACTOR = 2.0
"""How often `max_staleness` a row is kept without a sign of life: a lease is only taken while less than one of them has
gone by since the last sign, so it has ended when the row goes."""

RENEW_FACTOR = 0.5
"""How often `max_staleness` may go by between two signs of life: half leaves time for several more tries."""

WATCHED_MAX = 32
"""Most other workers whose rows one worker watches: the next in a ring, so that all are watched by somebody."""

CROWD_PAUSE = 150e-6
"""Seconds for each worker of many over which their polls after a nudge are spread: nearly what a database with four
processors has to do for each of them then, so that it has time for others too (docs/scale.md)."""

ID_BYTES = 16
ID_RANGE = 1 << (8 * ID_BYTES)

CLOCK_RATE_MARGIN = 1.01
CLOCK_READ_MARGIN = 0.05
"""Two machines' clocks may run at rates that differ by less than 1 %, and are read less than 50 ms (seconds) late."""


def certainly_over(seconds: float) -> float:
    """Seconds on this machine's clock after which `seconds` have gone by on any other's."""
    return seconds * CLOCK_RATE_MARGIN + CLOCK_READ_MARGIN


class Membership:
    """The row of one worker. `max_staleness`: seconds that its lease lasts at most. `crowd`: about how many workers
    there were at the last watch; 0 = few, or not known yet."""

    def __init__(self, database: Database, *, max_staleness: float, clock: Clock) -> None:
        self._database = database
        self._max_staleness = max_staleness
        self._clock = clock
        self._acked: tuple[int, int] | None = None
        self._sign_at = 0.0
        self._watch_at = 0.0
        self._watched: dict[str, tuple[int, float]] = {}
        self.worker: Worker | None = None
        self.crowd = 0

    @property
    def worker_id(self) -> str | None:
        """The id of the row; `None` while there is none."""
        return None if self.worker is None else self.worker.id

    @property
    def acked_seq(self) -> int | None:
        """The seq that others know to be applied here; `None` where they know of none."""
        return None if self._acked is None else self._acked[0]

    async def join(self, now: float) -> None:
        """Add a row under a new id. `now`: seconds since the epoch by the database's clock, for people. Only while no
        lease holds. Raises `UnavailableError`."""
        worker = Worker(secrets.token_hex(ID_BYTES), f"{socket.gethostname()}:{os.getpid()}")
        sign_at = self._clock()
        await self._database.workers.join(worker, self._max_staleness, datetime.fromtimestamp(now, UTC))
        self._acked, self._sign_at, self.worker = None, sign_at, worker
        self._watch_at = sign_at + self._max_staleness * RENEW_FACTOR

    def protects(self, sent: float) -> bool:
        """Whether a lease from a poll that was sent at `sent` ends before the row can be removed."""
        return self.worker is not None and sent - self._sign_at <= self._max_staleness * (KEEP_FACTOR - 1)

    def is_due(self, seq: int, nonce: int) -> bool:
        """Whether the others have to be told that everything up to `seq` is applied, or that this worker lives."""
        if self.worker is None:
            return False
        return (seq, nonce) != self._acked or self._clock() - self._sign_at > self._max_staleness * RENEW_FACTOR

    async def renew(self, seq: int, nonce: int, now: float) -> bool:
        """Tell them, after it was applied. Answers `False` where the row has gone or the database has another past:
        the lease must end, and then `leave` and `join`. One round trip. Raises `UnavailableError`."""
        if self.worker is None:
            return False
        sign_at = self._clock()
        if not await self._database.workers.renew(self.worker.id, seq, nonce, datetime.fromtimestamp(now, UTC)):
            return False
        self._acked, self._sign_at = (seq, nonce), sign_at
        return True

    async def watch(self) -> None:
        """Now and then, remove the rows of workers that are gone. One round trip, and one more for each removed."""
        if self.worker is None or self._clock() < self._watch_at:
            return
        self._watch_at = self._clock() + self._max_staleness * RENEW_FACTOR
        rows = await self._database.workers.read_after(self.worker.id, WATCHED_MAX)
        now = self._clock()
        self.crowd = estimated_crowd(self.worker.id, rows)
        watched = {}
        for row in rows:
            beat, since = self._watched.get(row.worker.id, (None, now))
            if beat != row.beat:
                since = now
            if now - since > certainly_over(row.max_staleness * KEEP_FACTOR):
                await self._database.workers.remove(row)
            else:
                watched[row.worker.id] = (row.beat, since)
        self._watched = watched

    def draw_turn(self) -> float:
        """Seconds to let go by after a nudge, at random: where many workers hear it they do not come all at once."""
        return random.uniform(0, CROWD_PAUSE * self.crowd)  # noqa: S311 - spreads load, no secret

    async def leave(self) -> None:
        """Remove the row. Only once the lease has ended. Raises `UnavailableError`."""
        worker, self.worker, self._acked = self.worker, None, None
        if worker is not None:
            await self._database.workers.leave(worker.id)


def estimated_crowd(worker_id: str, following: Sequence[WorkerRow]) -> int:
    """About how many workers there are, by how near the last of `WATCHED_MAX` that follow lies: ids are random over the
    whole ring, so in two of three cases this is within 18 % of the truth. 0 where no more follow than these."""
    if len(following) < WATCHED_MAX:
        return 0
    way = (int(following[-1].worker.id, 16) - int(worker_id, 16)) % ID_RANGE
    return round(WATCHED_MAX * ID_RANGE / way)
