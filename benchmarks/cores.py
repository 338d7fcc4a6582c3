"""Which core does what, so that no contestant is disturbed by the servers that it asks."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def apart(pids: Iterable[int]) -> Iterator[None]:
    """Keep this process on one core and those processes on another, until the end.

    Call it once the servers run: what they fork later stays with them, what this process starts would stay with this
    one. Nothing happens on a machine with one core, or with a system that pins no processes.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        yield
        return
    mine, theirs, *_ = sorted(allowed)
    for pid in pids:
        os.sched_setaffinity(pid, {theirs})
    os.sched_setaffinity(0, {mine})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
