"""Which core does what: the servers under test have one, everything else another, the same for all contestants."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class Halves:
    """Two cores of this machine. Processes inherit the core of whoever starts them, and so do threads.

    With one core, or a system that pins no processes, nothing is done.
    """

    def __init__(self) -> None:
        self._allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._ours, self._theirs, *_ = (*sorted(self._allowed), -1, -1)

    @property
    def can_pin(self) -> bool:
        """Whether there are two."""
        return len(self._allowed) > 1

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Keep this process, and what it starts, on the core of clients and databases until the end."""
        with self._on({self._ours}):
            yield

    @contextmanager
    def theirs(self) -> Iterator[None]:
        """What is started meanwhile stays on the core of the servers under test."""
        with self._on({self._theirs}):
            yield

    @contextmanager
    def _on(self, cores: set[int]) -> Iterator[None]:
        if not self.can_pin:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)
