"""Guesses at what lets somebody in, by where they come from: after the first few each waits longer. Pure but for its
clock.
"""

from collections import OrderedDict

from gatepost.base import Clock, boot_clock
from gatepost.intake.lines import line_of

FREE_FAILURES = 5
"""Failures before any wait: people mistype."""

WAIT_MAX_SECONDS = 60.0
"""Longest wait; it doubles from one second with each failure."""

FORGET_SECONDS = 900.0
"""After this long without a failure an address is as good as new."""

ADDRESSES_MAX = 10_000
"""Most addresses remembered, about 2 MB; the one whose failure is the longest ago makes room."""


class Throttle:
    """Who has to wait before the next attempt at one door, such as the page's sign-in, in this process."""

    def __init__(self, clock: Clock = boot_clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_seconds(self, address: str | None) -> float:
        """For how long no attempt from `address` is taken; 0 = it may try now. Nobody waits where the server tells no
        addresses: all would be one."""
        if address is None:
            return 0.0
        count, last = self._failures.get(line_of(address), (0, 0.0))
        if count < FREE_FAILURES:
            return 0.0
        wait = min(2.0 ** (count - FREE_FAILURES), WAIT_MAX_SECONDS)
        return max(0.0, last + wait - self._clock())

    def fail(self, address: str | None) -> None:
        """A guess from `address` failed."""
        if address is None:
            return
        now = self._clock()
        line = line_of(address)
        count, last = self._failures.pop(line, (0, now))
        self._failures[line] = (1 if now - last > FORGET_SECONDS else count + 1, now)
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)

    def succeed(self, address: str | None) -> None:
        """A guess from `address` was right: it starts anew."""
        if address is not None:
            self._failures.pop(line_of(address), None)
