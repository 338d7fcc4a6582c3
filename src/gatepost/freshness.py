"""Whether what a tier remembers may still be believed: the rule of freshness (docs/decisions/0002).

    counter ──poll──> news? ──read events──> floors up, memory dropped ──> lease renewed
                                                                          = (before the poll was sent) + max_staleness

A value from a tier, or from a read that another request began, counts only while the lease holds and its `as_of` is at
or above the floor of its digest: `Freshness.covers`. Memory needs no floor at a hit: what falls below one is dropped
the moment the floor rises.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatepost.clock import Clock, boot_clock
from gatepost.database.source import Database, Event, Position
from gatepost.errors import BadInputError, UnavailableError
from gatepost.record import Found
from gatepost.tiers.memory import MemoryTier

if TYPE_CHECKING:
    from gatepost.tiers.redis import RedisTier  # redis-py is loaded only where there is a Redis

logger = logging.getLogger("gatepost.freshness")

FLOORS_MAX = 100_000
"""Most digests with a floor of their own, about 20 MB; past it all are forgotten and the general floor rises."""

EVENTS_MAX = 10_000
"""Most events applied one by one; past it memory is emptied instead, which is cheaper and as right."""

NUDGE_GAP = 0.002
"""Seconds between a nudge and the poll: nudges that come together cost one poll, and a storm of them not all CPU."""

OFFSET_ROUND_TRIP = 0.5
"""Seconds: an answer that took longer tells the database's clock worse than the one learnt before."""

JITTER = 0.1
"""Polls vary by this part, so that workers started together do not poll together."""


class Freshness:
    """One worker's view of the change log. `until` and `offset` are read at every memory hit, so they are attributes.

    `until`: end of the lease on the boot clock, seconds; 0 = none. `offset`: the database's clock (seconds since the
    epoch) minus the boot clock. `applied`: seq of the last change applied.
    """

    def __init__(
        self,
        database: Database,
        memory: MemoryTier,
        redis: "RedisTier | None",
        *,
        max_staleness: float,
        poll_interval: float,
        clock: Clock = boot_clock,
    ) -> None:
        if not 0 < poll_interval <= max_staleness / 2:
            raise BadInputError(
                f"poll_interval ({poll_interval} s) must be above 0 and at most half of max_staleness "
                f"({max_staleness} s), or the lease would run out between polls"
            )
        self._database = database
        self._memory = memory
        self._redis = redis
        self._max_staleness = max_staleness
        self._poll_interval = poll_interval
        self._clock = clock
        self._floors: dict[bytes, int] = {}
        self._general_floor = 0
        self._nonce: int | None = None
        self._polling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failed_at = -1.0
        self._stopped = False
        self.until = 0.0
        self.offset = 0.0
        self.applied = 0

    @property
    def started(self) -> bool:
        """Whether this worker polls, and so can have a lease."""
        return self._task is not None

    async def start(self) -> None:
        """Poll once, then go on polling in the background. Raises `UnavailableError` where the first poll fails, also
        to those who waited for it meanwhile."""
        asked = self._clock()
        async with self._polling:
            if self._task is not None or self._stopped:
                return
            if self._failed_at > asked:
                raise UnavailableError("The first poll of the counter failed")
            try:
                await self._poll()
            except UnavailableError:
                self._failed_at = self._clock()
                raise
            self._task = asyncio.create_task(self._keep_polling())

    async def stop(self) -> None:
        """End the background polling and the lease for good, and forget everything."""
        async with self._polling:  # not in the middle of a statement: the driver would lose the connection
            self._stopped = True
            task, self._task = self._task, None
            if task is not None:
                task.cancel()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)
        self.until = 0.0
        self._memory.clear()

    def covers(self, digest: bytes, found: Found) -> bool:
        """The one predicate: whether a value that the request did not itself read from the database counts now."""
        return self._clock() < self.until and self.not_below_floor(digest, found)

    def not_below_floor(self, digest: bytes, found: Found) -> bool:
        """Whether a value is at least as new as the digest's last known change: only then may memory hold it."""
        return found.as_of >= self._floors.get(digest, self._general_floor)

    def holds(self) -> bool:
        """Whether the lease holds now."""
        return self._clock() < self.until

    def database_now(self) -> float:
        """The database's clock now, as last learnt: seconds since the epoch."""
        return self._clock() + self.offset

    async def catch_up(self) -> None:
        """Apply every change committed before this call. Where they cannot be read the lease ends: then nothing
        remembered counts until they can. Nothing to do in a process that verifies no secrets. One or two round trips.

        It always polls: a seq alone does not tell whether a change was applied, if the database lost some in between.
        """
        if not self.started:
            return
        try:
            await self.poll()
        except BaseException as failure:
            self.until = 0.0
            if not isinstance(failure, UnavailableError):
                raise

    async def poll(self) -> None:
        """Read the counter, apply what is new, and renew the lease. One round trip, two on news.

        Raises `UnavailableError`; the lease then stays as it was and runs out by itself.
        """
        async with self._polling:
            if not self._stopped:
                await self._poll()

    async def _poll(self) -> None:
        sent = self._clock()
        position = await self._database.read_position()
        received = self._clock()
        if self._nonce is None:
            await self._begin(position)
        elif (position.seq, position.nonce) != (self.applied, self._nonce):
            await self._apply_news(position)
        if received - sent < OFFSET_ROUND_TRIP or self.until == 0.0:
            self.offset = position.now - (sent + received) / 2
        self.until = sent + self._max_staleness

    async def _begin(self, position: Position) -> None:
        """Take floors from the recent events, so that a restart need not distrust all that Redis holds."""
        oldest = await self._database.read_oldest_seq(max(-1, position.seq - EVENTS_MAX))
        first = position.seq if oldest is None else min(oldest, position.seq)
        events = await self._database.read_events(first, position.seq, EVENTS_MAX + 1)
        self._forget(position.seq)
        if _is_whole(events, first, position) and len(events) <= EVENTS_MAX:
            self._general_floor = first
            for event in events:
                self._raise_floor(event)
        self.applied, self._nonce = position.seq, position.nonce

    async def _apply_news(self, position: Position) -> None:
        if position.seq > self.applied:
            events = await self._database.read_events(self.applied, position.seq, EVENTS_MAX + 2)
            is_ours = bool(events) and (events[0].seq, events[0].nonce) == (self.applied, self._nonce)
            if is_ours and len(events) > EVENTS_MAX:
                logger.warning("More than %d changes at once: everything remembered is read again", EVENTS_MAX)
                self._forget(position.seq)
            elif is_ours and _is_whole(events, self.applied, position):
                for event in events[1:]:
                    self._raise_floor(event)
                if len(self._floors) > FLOORS_MAX:
                    self._forget(position.seq)
            else:
                self._distrust(position)
        else:
            self._distrust(position)
        self.applied, self._nonce = position.seq, position.nonce

    def _raise_floor(self, event: Event) -> None:
        if event.digest is not None:
            self._floors[event.digest] = max(event.seq, self._general_floor)  # the latter is higher after _distrust
            self._memory.drop(event.digest, below=event.seq)

    def _forget(self, floor: int) -> None:
        """Empty memory; whatever a tier read before the seq `floor` does not count any more."""
        self._memory.clear()
        self._floors.clear()
        self._general_floor = floor

    def _distrust(self, position: Position) -> None:
        """The database is not the one that was polled before, or lost changes: nothing seen so far counts."""
        logger.error(
            "The database's change log does not continue what this worker has seen (seq %d, now %d): it was restored, "
            "failed over and lost changes, or was replaced. Everything remembered is read again",
            self.applied,
            position.seq,
        )
        self._forget(max(self.applied, position.seq, self._general_floor) + 1)

    async def _keep_polling(self) -> None:
        failing = False
        while True:
            await self._wait_for_turn()
            try:
                await self.poll()
            except UnavailableError as failure:
                if not failing:
                    logger.warning("%s; what is remembered counts for %.1f s more", failure, self.until - self._clock())
                failing = True
            except Exception:  # the task must outlive a fault of ours: without it every request reads the database
                logger.exception("A poll failed")
            else:
                failing = False

    async def _wait_for_turn(self) -> None:
        interval = self._poll_interval * random.uniform(1 - JITTER, 1)  # noqa: S311 - spreads load, no secret
        if self._redis is None:
            await asyncio.sleep(interval)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await self._redis.nudged.wait()
        if self._redis.nudged.is_set():
            self._redis.nudged.clear()
            await asyncio.sleep(NUDGE_GAP)


def _is_whole(events: Sequence[Event], first: int, position: Position) -> bool:
    """Whether the events tell of every seq from `first` to the position, and end at its nonce."""
    seqs = sorted({event.seq for event in events})
    return seqs == list(range(first, position.seq + 1)) and events[-1].nonce == position.nonce
