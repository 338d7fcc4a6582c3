"""Slots counted in this process. One that dies takes its slots with it, so they need no end of their own."""

from collections import Counter
from collections.abc import Callable

from gatepost.base import Slots
from gatepost.limits.bucket import LimitState

SLOT_WAIT_SECONDS = 1.0
"""What callers are told to wait for a slot: nobody can tell when a request will end."""


class LocalSlots:
    """How many requests of each bucket are in flight here, whoever let them in. `members`: as for `LocalRates`; the
    part of one is at least one slot."""

    def __init__(self, members: Callable[[], int]) -> None:
        self._members = members
        self._held: Counter[str] = Counter()

    def look(self, name: str, slots: Slots, cost: int) -> LimitState:
        """How the bucket called `name` stands. `cost`: 0 = nobody asks for a slot."""
        left = max(1, slots.units // max(1, self._members())) - self._held[name]
        return LimitState(slots, max(0, left), SLOT_WAIT_SECONDS if cost and left < 1 else 0.0, None)

    def take(self, name: str) -> None:
        """One more is in flight."""
        self._held[name] += 1

    def free(self, name: str) -> None:
        """One less is."""
        self._held[name] -= 1
        if self._held[name] <= 0:
            del self._held[name]
