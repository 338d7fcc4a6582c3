"""Which core does what: who is under test has one, whoever asks or is asked another, the same for all contestants."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]

CORES: list[int] = psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else []
"""What this process may use, as it began; none where the system pins no processes."""

ONE, OTHER = 0, 1
"""Places among them. With one core, or a system that pins none, nothing is pinned."""


def pin(pid: int, place: int) -> None:
    """Keep a process there. Threads and processes that it starts later stay with it."""
    if len(CORES) > 1:
        psutil.Process(pid).cpu_affinity([CORES[place]])


@contextmanager
def kept(place: int) -> Iterator[None]:
    """Keep this process there, and what it starts, until the end."""
    before = psutil.Process().cpu_affinity() if CORES else []
    pin(os.getpid(), place)
    try:
        yield
    finally:
        if CORES:
            psutil.Process().cpu_affinity(before)


@contextmanager
def apart(pids: Iterable[int]) -> Iterator[None]:
    """Keep this process on one core and those processes on another, until the end. Call it once the servers run."""
    for pid in pids:
        pin(pid, OTHER)
    with kept(ONE):
        yield
