"""Whether what a tier remembers may still be believed: the rule of freshness (docs/decisions/0002).

    counter ──poll──> news? ──read events──> floors up, memory dropped ──> lease renewed ──> acknowledged
                                                                          = (before the poll was sent) + max_staleness

A value from a tier, or from a read that another request began, counts only while the lease holds and its `as_of` is at
or above the floor of its digest: `Freshness.covers`. Memory needs no floor at a hit: what falls below one is dropped
the moment the floor rises. There is no lease without a row among the workers (`Membership`): whoever takes something
away waits for those that have one.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable

from gatepost.base import BadInputError, Clock, Found, UnavailableError, Worker, boot_clock
from gatepost.database import Database, Position
from gatepost.freshness.listeners import Bell, LetIn, Memory
from gatepost.freshness.membership import Membership
from gatepost.freshness.reading import LogReading

logger = logging.getLogger("gatepost.freshness")

FLOORS_MAX = 100_000
"""Most digests with a floor of their own, about 20 MB; past it all are forgotten and the general floor rises."""

EVENTS_MAX = 50_000
"""Most events applied one by one; past it memory is emptied instead, which is cheaper and as right."""

EVENTS_PAGE = 2_000
"""Events read and applied at once before the first request: it waits for them."""

GENTLE_PAGE = 200
GENTLE_PAUSE = 0.012
"""The same while requests are served, and the seconds until the next page: a millisecond of work (half of a page of
100 is what any page costs), and some 10 % of the time in all, for several workers of a machine have the same to do at
the same moment."""

GENTLE_PART = 0.2
"""Of `max_staleness`, how long to be gentle, since the lease runs on; the rest is read without a pause."""

NUDGE_GAP = 0.002
"""Least seconds between a poll and the next one that a nudge brings: a nudge that comes alone waits for nothing, and
those that come together cost two polls, however many they are."""

OFFSET_ROUND_TRIP = 0.5
"""Seconds: an answer that took longer tells the database's clock worse than the one learnt before."""

BUSY_SECONDS = 3.0
BUSY_PART = 0.1
"""Changes seldom come alone: where no doorbell is heard, a worker polls for so long after one at this part of its
interval."""

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
        memory: Memory,
        connections: LetIn,
        bell: Bell,
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
        self._bell = bell
        self._connections = connections
        self._max_staleness = max_staleness
        self._poll_interval = poll_interval
        self._clock = clock
        self._floors: dict[bytes, int] = {}
        self._general_floor = 0
        self._nonce: int | None = None
        self._opened = 0
        self._membership = Membership(database, max_staleness=max_staleness, clock=clock)
        self._polling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failed_at = -1.0
        self._told_of_membership = False
        self._polled_at = self._poll_seconds = self._busy_until = 0.0
        self._stopped = False
        self.until = 0.0
        self.offset = 0.0
        self.applied = 0

    @property
    def worker(self) -> Worker | None:
        """This worker among the others; `None` while it has no row, and so no lease."""
        return self._membership.worker

    @property
    def started(self) -> bool:
        """Whether this worker polls, and so can have a lease."""
        return self._task is not None

    async def start(self) -> None:
        """Poll once, then go on polling in the background. Raises `UnavailableError` where the first poll fails, also
        to those who waited for it meanwhile."""
        asked = self._clock()
        async with self._polling:
            if self._task is not None or (self._stopped and self._nonce is not None):
                return
            if self._failed_at > asked:
                raise UnavailableError("The first poll of the counter failed")
            if self._stopped:  # the database's clock was never learnt, so expiry cannot be judged
                raise UnavailableError("The keys are being closed")
            try:
                await self._poll()
            except UnavailableError:
                self._failed_at = self._clock()
                raise
            if not self._stopped:
                self._task = asyncio.create_task(self._keep_polling())

    async def stop(self) -> None:
        """End the background polling and the lease for good, forget everything, and then leave the workers."""
        self._stopped = True
        self.until = 0.0  # from here on no poll applies a change, so nothing may be believed
        task, self._task = self._task, None
        try:
            async with self._polling:  # not in the middle of a statement: the driver would lose the connection
                pass
        finally:
            if task is not None:
                task.cancel()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)
        self._memory.clear()
        with contextlib.suppress(UnavailableError):  # the others notice it after a while
            await self._membership.leave()

    def covers(self, digest: bytes, found: Found) -> bool:
        """The one predicate: whether a value that the request did not itself read from the database counts now."""
        return self._clock() < self.until and self.not_below_floor(digest, found)

    def not_below_floor(self, digest: bytes, found: Found) -> bool:
        """Whether a value is at least as new as the digest's last known change: only then may memory hold it."""
        return found.as_of >= self._floors.get(digest, self._general_floor)

    def holds(self) -> bool:
        """Whether the lease holds now."""
        return self._clock() < self.until

    def lease_seconds(self) -> float:
        """For how long the lease still holds; 0 = it does not."""
        return max(0.0, self.until - self._clock())

    def polled_ago(self) -> float:
        """Seconds since the last poll that succeeded."""
        return self._clock() - self._polled_at

    @property
    def max_staleness(self) -> float:
        """Seconds that a lease lasts at most."""
        return self._max_staleness

    @property
    def floors(self) -> int:
        """How many digests have a floor of their own."""
        return len(self._floors)

    def database_now(self) -> float:
        """The database's clock now, as last learnt: seconds since the epoch."""
        return self._clock() + self.offset

    async def catch_up(self) -> None:
        """Apply every change committed before this call. Where they cannot be read the lease ends: then nothing
        remembered counts until they can. Nothing to do in a process that verifies no secrets. One or two round trips.

        It always polls: a seq alone does not tell whether a change was applied, if the database lost some in between.
        """
        try:
            async with self._polling:  # the first poll may be under way, and have read the counter before
                if self.started and not self._stopped:
                    await self._poll()
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
        begin = self._clock()
        can_write = self._membership.worker is not None or await self._attend(
            self._membership.join(self.database_now())
        )
        sent = self._clock()
        position = await self._database.read_position(self._membership.worker_id)
        received = self._clock()
        if self._nonce is None:
            await self._begin(position)
        elif position.opened != self._opened:
            self._distrust(position)
            self.applied, self._nonce = position.seq, position.nonce
        elif (position.seq, position.nonce) != (self.applied, self._nonce):
            await self._apply_news(position)
        self._opened = position.opened
        if received - sent < OFFSET_ROUND_TRIP or self.until == 0.0:
            self.offset = position.now - (sent + received) / 2
        if not position.is_member:
            await self._rejoin_later()
        elif self._membership.protects(sent) and not self._stopped:
            self.until = sent + self._max_staleness
        can_write &= await self._attend(self._acknowledge(position))
        if can_write:
            self._told_of_membership = False
        try:
            await self._membership.watch()
        except UnavailableError as failure:
            logger.info("%s; the rows of workers that are gone stay for now", failure)
        self._polled_at = self._clock()
        self._poll_seconds = self._polled_at - begin

    async def _acknowledge(self, position: Position) -> None:
        """Tell others what has been applied, once it has been."""
        if self._membership.is_due(position.seq, position.nonce) and not await self._membership.renew(
            position.seq, position.nonce, self.database_now()
        ):
            await self._rejoin_later()

    async def _rejoin_later(self) -> None:
        """Nobody waits for this worker any more, so it may believe nothing until it has joined anew."""
        self.until = 0.0
        if self._membership.worker is not None:
            logger.warning("This worker's row has gone, or is of another past of the database: joining anew")
            await self._membership.leave()

    async def _attend(self, action: Awaitable[None]) -> bool:
        """Do what membership needs; answers whether that could be done. A database that can be read but not written to
        serves all the same: requests then read it, since there is no lease without a row. Told once, and again only
        when it has been well in between."""
        try:
            await action
        except UnavailableError as failure:
            if not self._told_of_membership:
                logger.warning("%s; without a sign of life this worker remembers nothing", failure)
            self._told_of_membership = True
            return False
        return True

    async def _begin(self, position: Position) -> None:
        """Take floors from the recent events, so that a restart need not distrust all that Redis holds."""
        oldest = await self._database.read_oldest_seq(max(-1, position.seq - EVENTS_MAX))
        first = position.seq if oldest is None else min(oldest, position.seq)
        self._forget(first)
        log = await self._apply_events(first, position, gently=False)
        if not log.is_whole or log.has_more:
            self._forget(position.seq)
        self.applied, self._nonce = position.seq, position.nonce

    async def _apply_news(self, position: Position) -> None:
        self._busy_until = self._clock() + BUSY_SECONDS
        if position.seq > self.applied:
            log = await self._apply_events(self.applied, position, gently=True)
            if log.is_invalidated:
                logger.warning("Somebody has invalidated all that is remembered: it is read again")
            if log.first_nonce == self._nonce and log.has_more:
                logger.warning("More than %d changes at once: everything remembered is read again", EVENTS_MAX)
                self._forget(position.seq)
            elif not log.is_whole or (log.first_nonce != self._nonce and not log.is_invalidated):
                self._distrust(position)
        else:
            self._distrust(position)
        self.applied, self._nonce = position.seq, position.nonce

    async def _apply_events(self, first: int, position: Position, *, gently: bool) -> LogReading:
        """Raise the floors of what changed after `first`, up to the position. Floors that rise too early harm nobody:
        whether the log was whole is told at the end. `gently`: leave time for requests."""
        log = LogReading(first)
        size = GENTLE_PAGE if gently else EVENTS_PAGE
        hurry_at = self._clock() + self._max_staleness * GENTLE_PART
        async for page in self._database.read_events(first, position.seq, size):
            for event in page:
                log.add(event)
                if event.seq <= first:
                    continue
                if event.digest is None:
                    self._forget(event.seq)
                else:
                    self._raise_floor(event.digest, event.seq)
            if len(self._floors) > FLOORS_MAX:
                self._forget(position.seq)
            if log.count > EVENTS_MAX + 1:
                log.has_more = True
                break
            if gently and len(page) == size:
                await asyncio.sleep(GENTLE_PAUSE if self._clock() < hurry_at else 0)
        log.end(position)
        return log

    def _raise_floor(self, digest: bytes, seq: int) -> None:
        self._floors[digest] = max(seq, self._floors.get(digest, self._general_floor))  # higher after _distrust
        self._memory.drop(digest, below=seq)
        self._connections.doubt(digest)

    def _forget(self, floor: int) -> None:
        """Empty memory; whatever a tier read before the seq `floor` does not count any more."""
        self._memory.clear()
        self._floors.clear()
        self._general_floor = max(floor, self._general_floor)  # higher after _distrust
        self._connections.doubt_all()

    def _distrust(self, position: Position) -> None:
        """The database is not the one that was polled before, or lost changes: nothing seen so far counts."""
        logger.error(
            "The database's change log does not continue what this worker has seen (seq %d, now %d): it was restored, "
            "failed over and lost changes, was replaced, or its log was pruned while this worker slept. Nothing is "
            "remembered until seq has passed both: run "
            "'gatepost db invalidate', which also sees to what Redis holds",
            self.applied,
            position.seq,
        )
        self._forget(max(self.applied, position.seq, self._general_floor) + 1)

    async def _keep_polling(self) -> None:
        told: type[UnavailableError] | None = None
        while True:
            await self._wait_for_turn()
            try:
                await self.poll()
            except UnavailableError as failure:
                if told is not type(failure):
                    logger.warning("%s; what is remembered counts for %.1f s more", failure, self.lease_seconds())
                told = type(failure)
            except Exception:  # the task must outlive a fault of ours: without it every request reads the database
                logger.exception("A poll failed")
            else:
                told = None

    async def _wait_for_turn(self) -> None:
        interval = self._poll_interval * random.uniform(1 - JITTER, 1)  # noqa: S311 - spreads load, no secret
        if not self._bell.hears and self._clock() < self._busy_until:
            interval *= BUSY_PART
        due = self._clock() + interval
        nudged = self._bell.nudged
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await nudged.wait()
        if nudged.is_set():
            nudged.clear()
            now = self._clock()
            # a storm of changes gets half of the time
            rest = self._polled_at + max(NUDGE_GAP, self._poll_seconds) - now
            turn = min(self._membership.draw_turn(), due - now)  # never later than without the nudge
            await asyncio.sleep(max(turn, min(rest, self._poll_interval)))
