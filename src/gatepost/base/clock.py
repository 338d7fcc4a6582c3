"""The clock that leases are measured with."""

import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
"""Seconds since some moment of no meaning; never steps back."""

boot_clock: Clock = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Goes on while the machine is suspended, where the system has such a clock: a lease must run out in a closed laptop
or a paused virtual machine too."""
