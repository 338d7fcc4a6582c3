"""Quotas: units leased from the database ahead of use, and spent in memory.

    quota ──lease, one statement──> this worker: 100 left ──each request──> 99, 98, … 0 ──> the next lease
                                          └── closed: what is left goes back, once

The database counts a unit as used when it leases it. So no worker can spend what another may, and one that dies takes
its lease with it: the quota is never exceeded, and at most that much of it is lost. The same holds where an answer was
lost: the units may have been leased, so nobody spends them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from gatepost.base import Clock, Quota, UnavailableError
from gatepost.limits.bucket import Bucket, Lease, LimitState
from gatepost.limits.periods import Period, period_at

logger = logging.getLogger("gatepost.limits")

LEASE_PART = 100
"""A lease is a hundredth of a quota: a hundred statements in a month, and so little is lost with a worker."""

USED_UP_SECONDS = 1.0
"""For so long nobody asks again after the database has said that too little is left: others may give back."""

BOUNDARY_SECONDS = 0.05
BOUNDARY_TRIES = 20
"""Around midnight the database's clock, as it was learnt, and as it is, may be in two periods, for milliseconds."""

PRUNE_FROM = 1_000
"""Leases from which on those of periods that are over are forgotten now and then."""


class Granted(Protocol):
    """What the database gave: `Leased`."""

    @property
    def units(self) -> int:
        """That are the worker's now."""

    @property
    def used(self) -> int:
        """Of the whole quota, with these."""

    @property
    def is_open(self) -> bool:
        """Whether the period runs."""


class Lessor(Protocol):
    """Where units come from: the database's `Quotas`."""

    def lease(self, bucket: str, period: tuple[int, int], *, units: int, wanted: int, least: int) -> Awaitable[Granted]:
        """Up to `wanted` units, at least `least`, or none."""

    def charge(self, bucket: str, period: tuple[int, int], *, units: int, cost: int) -> Awaitable[int]:
        """Count units that were spent; answers how many are used in all."""

    def give_back(self, leases: Sequence[tuple[str, int, int]]) -> Awaitable[None]:
        """Units that nobody spent: bucket, when its period began, units."""

    def read_used(self, buckets: Sequence[tuple[str, int]]) -> Awaitable[Sequence[int]]:
        """What is spent of each, or leased."""


class Leases:
    """What this worker may spend. `now`: the database's clock, seconds since the epoch."""

    def __init__(self, lessor: Lessor, now: Callable[[], float], clock: Clock) -> None:
        self._lessor = lessor
        self._now = now
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        self._leasing: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False
        self._prune_at = PRUNE_FROM

    def look(self, name: str, quota: Quota, cost: int) -> LimitState | None:
        """How the bucket called `name` stands, for a request of that cost; `None` = the database has to be asked
        (`fetch`). Takes nothing. No I/O."""
        now = self._now()
        lease = self._leases.get(name)
        if lease is None or not lease.period.begins <= now < lease.period.ends or lease.units != quota.units:
            return None
        rest = lease.period.ends - now
        left = max(0, quota.units - lease.used) + lease.left
        if lease.left >= cost:
            return LimitState(quota, left, 0.0, rest)
        if self._clock() < lease.used_up_until and cost >= lease.short_of:
            return LimitState(quota, left, rest, rest)
        return None

    def spend(self, name: str, quota: Quota) -> tuple[Lease, LimitState] | None:
        """`look` and `take` in one, of one unit, where it is there; else `None`: for who must be quick."""
        lease = self._leases.get(name)
        if lease is None or lease.left < 1 or lease.units != quota.units:
            return None
        now = self._now()
        begins, ends = lease.period
        if not begins <= now < ends:
            return None
        lease.left -= 1
        left = quota.units - lease.used
        return lease, LimitState(quota, lease.left if left < 0 else left + lease.left, 0.0, ends - now)

    def take(self, name: str, cost: int) -> Lease:
        """Spend what `look` has found, in the same step. To give it back: add it to what is left of the lease that is
        answered, and of no other: another would be of another period, or of another quota."""
        lease = self._leases[name]
        lease.left -= cost
        return lease

    async def charge(self, name: str, quota: Quota, cost: int) -> None:
        """Spend `cost` units, or as many as are left: first those that are leased here. At most one statement; a few at
        the end, and at the beginning of a period. Raises `UnavailableError`, and some may be spent then."""
        period = period_at(self._now(), quota.per)
        lease = await self._current(name, period, quota.units)
        here = min(cost, lease.left)
        lease.left -= here
        if here < cost:
            used = await self._lessor.charge(name, period, units=quota.units, cost=cost - here)
            lease.used = max(lease.used, used)

    async def fetch(self, bucket: Bucket, quota: Quota, cost: int) -> None:
        """Have the database asked, once for all who wait. Then `look` again: others may have been quicker. Raises
        `UnavailableError`."""
        task = self._leasing.get(bucket.name)
        if task is None:
            if self._is_closed:
                raise UnavailableError("The keys are being closed")
            task = self._leasing[bucket.name] = asyncio.create_task(self._fetch(bucket.name, quota, cost))
            task.add_done_callback(lambda _: self._leasing.pop(bucket.name, None))
        await asyncio.shield(task)

    async def used(self, buckets: Iterable[tuple[Bucket, Quota]], now: float) -> Sequence[LimitState]:
        """How quotas stand for all workers, by the database, at `now` by its clock. What they have leased counts as
        used. One statement each. Raises `UnavailableError`."""
        periods = [(bucket, quota, period_at(now, quota.per)) for bucket, quota in buckets]
        used = await self._lessor.read_used([(bucket.name, period.begins) for bucket, _, period in periods])
        return [
            LimitState(
                quota, max(0, quota.units - spent), 0.0 if spent < quota.units else period.ends - now, period.ends - now
            )
            for (_, quota, period), spent in zip(periods, used, strict=True)
        ]

    async def close(self) -> None:
        """Lease no more, and give back what is left. What cannot be given back is lost."""
        self._is_closed = True
        await asyncio.gather(*self._leasing.values(), return_exceptions=True)
        leases, self._leases = self._leases, {}
        now = self._now()
        unspent = [
            (name, lease.period.begins, lease.left)
            for name, lease in leases.items()
            if lease.left > 0 and now < lease.period.ends
        ]
        if unspent:
            try:
                await self._lessor.give_back(unspent)
            except UnavailableError as failure:
                logger.info("%s; units that were leased and not spent are lost", failure)

    async def _fetch(self, name: str, quota: Quota, cost: int) -> None:
        """Add to the lease, or make it. Raises `UnavailableError`."""
        for _ in range(BOUNDARY_TRIES):
            period = period_at(self._now(), quota.per)
            lease = await self._current(name, period, quota.units)
            wanted = max(cost, quota.units // LEASE_PART)
            least = max(1, cost - lease.left)
            granted = await self._lessor.lease(name, period, units=quota.units, wanted=wanted, least=least)
            lease.used = granted.used
            lease.left += granted.units
            if granted.units:
                lease.used_up_until = 0.0
                return
            if granted.is_open:
                lease.used_up_until, lease.short_of = self._clock() + USED_UP_SECONDS, cost
                return
            await asyncio.sleep(BOUNDARY_SECONDS)
        raise UnavailableError("Leasing units of a quota: the database's clock is not in the period that it was in")

    async def _current(self, name: str, period: Period, units: int) -> Lease:
        """The lease of that period and quota, made where there is none. Of a quota that was edited the old lease goes
        back: it may be more than what the new one has."""
        lease = self._leases.get(name)
        if lease is not None and lease.period == period:
            if lease.units == units:
                return lease
            left, lease.left = lease.left, 0
            if left > 0:
                await self._lessor.give_back([(name, period.begins, left)])
        lease = self._leases[name] = Lease(period, units)
        self._prune()
        return lease

    def _prune(self) -> None:
        if len(self._leases) > self._prune_at:
            now = self._now()
            self._leases = {name: lease for name, lease in self._leases.items() if now < lease.period.ends}
            self._prune_at = max(PRUNE_FROM, 2 * len(self._leases))
