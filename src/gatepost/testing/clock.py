"""`Clock`: the time of a test, which can be moved forward."""

import math
import time
from datetime import UTC, datetime

from gatepost.base import BadInputError, boot_clock


class Clock:
    """What the database, the leases and the limits take for the time: the system's, and as much as it was moved."""

    def __init__(self) -> None:
        self.moved = 0.0
        """By how much, in seconds."""

    def forward(self, seconds: float) -> None:
        """Go on as if so many seconds had passed: keys expire, leases and graces run out, limits fill up again. Nobody
        waits. Raises `BadInputError` for what is no number above 0: time does not step back."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise BadInputError(f"clock.forward: seconds must be a number above 0, not {seconds!r:.50}", "seconds")
        self.moved += seconds

    def now(self) -> datetime:
        """The moment, in UTC: for `expires_at=clock.now() + timedelta(hours=1)`."""
        return datetime.fromtimestamp(self.time(), UTC)

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.moved

    def boot(self) -> float:
        """What leases are measured with: seconds, never stepping back while anybody looks."""
        return boot_clock() + self.moved
