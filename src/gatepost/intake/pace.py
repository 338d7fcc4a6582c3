"""How often one client may call, whatever the answers are. Pure but for its clock.

A bucket a client: it holds `calls`, and one comes back every `seconds / calls`. Nothing is told by it: what was right
costs as much as what was wrong.
"""

from collections import OrderedDict

from gatepost.base import BadInputError, Clock, boot_clock
from gatepost.intake.lines import line_of

ADDRESSES_MAX = 10_000
"""Most clients remembered, about 2 MB; the one that called the longest ago makes room."""


class Pace:
    """`calls` in `seconds` for each client, in this process. Raises `BadInputError`."""

    def __init__(self, calls: int, seconds: float, clock: Clock = boot_clock) -> None:
        if type(calls) is not int or calls < 1:
            raise BadInputError(f"calls must be a whole number, 1 or more, not {calls!r:.50}", "calls")
        self._interval = seconds / calls
        self._full = seconds
        self._clock = clock
        self._back: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str | None) -> float:
        """Count a call from `address`; answers 0, or, where there are too many, the seconds until one may be made. All
        whose address nobody knows are one client."""
        line = "" if address is None else line_of(address)
        now = self._clock()
        back = max(now, self._back.pop(line, now))
        wait = back + self._interval - now - self._full
        if wait <= 0:
            back += self._interval
        self._back[line] = back
        if len(self._back) > ADDRESSES_MAX:
            self._back.popitem(last=False)
        return max(0.0, wait)
