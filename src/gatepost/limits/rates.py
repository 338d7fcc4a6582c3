"""Rates counted in this process: GCRA, as `limits.lua` has it, on the boot clock.

    back ────── now ────── now + full ──> time          a unit taken moves `back` one interval on; not beyond `full`

`back` is when all that was taken has come back. What is shared by several processes each has a part of: its interval is
as many times longer as there are processes, its burst a part of the whole, and at least what one request costs.
"""

from gatepost.base import MICROSECONDS, Clock, Rate
from gatepost.limits.bucket import LimitState
from gatepost.limits.members import Members

PRUNE_FROM = 1_000
"""Buckets from which on those that are full again are forgotten now and then."""


class LocalRates:
    """What this process has let in by each rate, also while others count for it. `members`: how many processes share
    the limits, as far as is known."""

    def __init__(self, members: Members, clock: Clock) -> None:
        self._members = members
        self._clock = clock
        self._back: dict[str, int] = {}
        self._prune_at = PRUNE_FROM

    def now(self) -> int:
        """Microseconds on the boot clock."""
        return int(self._clock() * MICROSECONDS)

    def look(self, name: str, rate: Rate, cost: int) -> LimitState:
        """How the bucket called `name` stands, for a request of that cost. Takes nothing."""
        now, interval, full = self.now(), *self._part(rate, cost, self._members())
        back = self._back_at(name, now, full)
        wait = max(0, back + cost * interval - now - full) if cost else 0
        left = max(0, now + full - back) // interval
        return LimitState(rate, left, wait / MICROSECONDS, (back - now) / MICROSECONDS)

    def take(self, name: str, rate: Rate, cost: int, times: int = 1) -> None:
        """Count what is let in, so often, whether or not there was so much. Where Redis counts for all this is for the
        day that it does not: so nobody is asked how many there are."""
        now, interval, full = self.now(), *self._part(rate, cost, self._members.known)
        self._back[name] = max(now, min(self._back_at(name, now, full) + times * cost * interval, now + 2 * full))
        if len(self._back) > self._prune_at:
            self._back = {name: back for name, back in self._back.items() if back > now}
            self._prune_at = max(PRUNE_FROM, 2 * len(self._back))

    def give_back(self, name: str, rate: Rate, cost: int, elapsed: int, members: int) -> None:
        """What was taken was not used. After `elapsed` microseconds so much of it has come back by itself: only the
        rest is given. `members`: among how many the rate was divided when it was taken."""
        rest = cost * rate.interval * members - elapsed
        if rest > 0 and name in self._back:
            self._back[name] -= rest

    def _part(self, rate: Rate, cost: int, members: int) -> tuple[int, int]:
        """Microseconds in which a unit of this process's part comes back, and in which all of it does."""
        interval = rate.interval * members
        return interval, interval * max(rate.burst // members, min(max(cost, 1), rate.burst))

    def _back_at(self, name: str, now: int, full: int) -> int:
        return max(now, min(self._back.get(name, 0), now + 2 * full))
