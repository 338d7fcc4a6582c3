"""The deliverer: in each process that has `Webhooks`, and at work in one of them.

    lead:  lease ──> the log has news? ──> queue, in the transaction that renews the lease ──> sweep, once a minute
    pump, one for each target:  lease holds for as long as an attempt may take? ──> due ──> send, some keys at once
                                                                                     ──> arrived: remove; not: later

Order of a key: only its oldest message that waits is ever due, and it waits until it has arrived or is given up. At
least once: a message is removed after it has arrived, so who is killed in between sends it again.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from gatepost.base import Clock, UnavailableError, UncertainCommitError
from gatepost.database import Deliveries, Delivery, LeaseLostError, Render, Wanted
from gatepost.webhooks.messages import message_of
from gatepost.webhooks.targets import SEND_SECONDS_MAX, Destination, Sent

logger = logging.getLogger("gatepost.webhooks")

LEASE_SECONDS = 45.0
"""How long another waits for a process that died while it delivered."""

RENEW_SECONDS = 15.0
"""The lease is renewed when it is older than this, so that attempts of 15 seconds fit into what is left."""

CLOCK_RATE_MARGIN = 1.01
"""The lease ends by the database's clock, and the holder goes by its own: these may differ by less than 1 %."""

STANDBY_SECONDS = 4.0
"""From one look of a process that does not deliver at who does to the next: who ends is followed by then."""

SWEEP_SECONDS = 60.0
"""From one look for expiries to the next."""

AT_ONCE = 8
"""Messages that are on their way to a target at the same time, each of another key."""

HOLD_SECONDS = (1.0, 300.0)
"""Least and most seconds for which a target is let be where nothing arrives."""

JITTER = 0.2
"""Part of each delay that is random, so that what failed together does not come back together."""


class Deliverer:
    """Delivers, while the lease is this process's. `poll_interval`: seconds between two looks at the log."""

    def __init__(
        self,
        tables: Deliveries,
        destinations: Sequence[Destination],
        wanted: Wanted,
        clock: Clock,
        poll_interval: float,
    ) -> None:
        self._tables = tables
        self._destinations = destinations
        self._wanted = wanted
        self._clock = clock
        self._poll_interval = poll_interval
        self.holder = uuid.uuid4().hex
        self._held_until = float("-inf")
        self._swept = float("-inf")
        self._news = {each.name: asyncio.Event() for each in destinations}

    @property
    def delivers(self) -> bool:
        """Whether it is this process that delivers now, and an attempt would end before another may take over."""
        return self._clock() + SEND_SECONDS_MAX <= self._held_until

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever(self._lead))
            for each in self._destinations:
                group.create_task(self._forever(partial(self._pump, each), self._news[each.name]))

    async def release(self) -> None:
        """Let another process take over at once. Where the database does not answer it waits for the lease to run
        out."""
        self._held_until = float("-inf")
        try:
            await self._tables.give_up_lease(self.holder)
        except (UnavailableError, UncertainCommitError) as failure:
            logger.warning("Another process will deliver in %.0f s: %s", LEASE_SECONDS, failure)

    async def _forever(self, work: Callable[[], Awaitable[bool]], news: asyncio.Event | None = None) -> None:
        """Do it again and again, at once while there is more to do."""
        failed = False
        while True:
            try:
                more = await work()
                failed = False
            except LeaseLostError:
                self._held_until = float("-inf")
                logger.info("Another process delivers now")
                more = False
            except (UnavailableError, UncertainCommitError) as failure:
                if not failed:
                    logger.warning("Nothing is delivered while the database does not answer: %s", failure)
                failed, more = True, False
            except Exception:  # a fault of ours must not end what else is told
                logger.exception("Delivering failed, and is tried again")
                more = False
            if not more:
                await self._pause(news)

    async def _pause(self, news: asyncio.Event | None) -> None:
        seconds = self._poll_interval * random.uniform(1 - JITTER, 1)  # noqa: S311 - no secret
        if news is None:
            await asyncio.sleep(seconds)
            return
        news.clear()
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            return

    async def _lead(self) -> bool:
        """Hold the lease, and queue what is new; answers whether there may be more."""
        if self._clock() >= self._held_until - (LEASE_SECONDS - RENEW_SECONDS):
            if not self.delivers and await self._tables.lease_left(self.holder):
                await asyncio.sleep(_jittered(STANDBY_SECONDS))  # so many processes, and none writes
                return True
            begun, held = self._clock(), self.delivers
            took = await self._tables.take_lease(self.holder, LEASE_SECONDS)
            self._held_until = begun + LEASE_SECONDS / CLOCK_RATE_MARGIN if took else float("-inf")
            if not took:
                return False
            if not held:
                logger.info("This process delivers what is told to the outside")
        return await self._queue() + await self._sweep() > 0

    async def _queue(self) -> int:
        """Queue what is new; answers how many deliveries that makes."""
        if not await self._tables.has_news(list(self._news)):
            return 0
        begun = self._clock()
        queued = await self._tables.queue(self.holder, LEASE_SECONDS, self._renders())
        self._held_until = begun + LEASE_SECONDS / CLOCK_RATE_MARGIN
        for each in self._news.values():
            each.set()
        return queued

    async def _sweep(self) -> int:
        """Look for expiries, once a minute, whether it succeeds or not; answers how many happenings that makes."""
        begun = self._clock()
        if begun - self._swept < SWEEP_SECONDS:
            return 0
        self._swept = begun
        noted = await self._tables.sweep(self.holder, LEASE_SECONDS, self._wanted)
        self._held_until = begun + LEASE_SECONDS / CLOCK_RATE_MARGIN
        return noted

    def _renders(self) -> Mapping[str, Render]:
        return {each.name: partial(message_of, types=each.types, project=each.project) for each in self._destinations}

    async def _pump(self, to: Destination) -> bool:
        """Send what is due there; answers whether there may be more."""
        if not self.delivers:
            return False
        due = await self._tables.read_due(to.name, AT_ONCE)
        if not due:
            return False
        sent = await asyncio.gather(*(self._attempt(to, each) for each in due))
        arrived = [each.id for each, how in zip(due, sent, strict=True) if how is not None and how.error is None]
        if arrived:
            await self._tables.remove(to.name, arrived)
        failed = [(each, how) for each, how in zip(due, sent, strict=True) if how is not None and how.error is not None]
        if any(how.gone for _, how in failed):
            logger.error("Target %s is gone (410): nothing is sent there until it is resumed", to.name)
            await self._tables.stop(to.name, "410 Gone")
            return False
        for delivery, how in failed:
            await self._put_off(to, delivery, how)
        rest = max((how.after for _, how in failed), default=0.0)
        if len(failed) > 1 and not arrived:  # one alone may be refused for what is in it
            rest = max(rest, _hold_seconds(max(each.attempts for each, _ in failed)))
        await asyncio.sleep(rest)
        return True

    async def _attempt(self, to: Destination, delivery: Delivery) -> Sent | None:
        """One attempt; `None` = not made, since the lease is soon over."""
        if not self.delivers:
            return None
        try:
            return await to.send(delivery)
        except Exception as failure:  # a fault of ours, which must not have what did arrive sent again
            logger.exception("Target %s: message %s could not be sent", to.name, delivery.id)
            return Sent(type(failure).__name__)

    async def _put_off(self, to: Destination, delivery: Delivery, how: Sent) -> None:
        delay = None if delivery.attempts >= len(to.delays) else max(_jittered(to.delays[delivery.attempts]), how.after)
        error = how.error or ""
        if delay is None:
            logger.error(
                "Target %s: message %s was given up after %d attempts (%s)",
                to.name,
                delivery.id,
                delivery.attempts + 1,
                error,
            )
        elif delivery.attempts == 0:
            logger.warning("Target %s: message %s did not arrive (%s)", to.name, delivery.id, error)
        await self._tables.fail(delivery, error, delay)


def _hold_seconds(attempts: int) -> float:
    """For how long to let a target be where nothing arrives: what waits there would only fail as well."""
    least, most = HOLD_SECONDS
    return _jittered(min(least * 2**attempts, most))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
