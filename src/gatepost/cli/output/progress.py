"""What long work shows meanwhile: one line on stderr, at a terminal only, that goes away with the work."""

import sys
import threading
from collections.abc import Iterator
from typing import IO, AnyStr, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

DELAY_SECONDS = 0.5
"""Work that is shorter shows nothing."""

STEP = 1_000
"""Lines from one telling of their number to the next."""


class Phases:
    """Tells which phase the work is in, and for how long it has been going on. It does not tell when it will end, since
    nobody knows. What is printed on stderr meanwhile stands above it.

    `shown=False`, and a stderr that nobody looks at: nothing is told.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._progress = Progress(
            BarColumn(bar_width=12),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # that is the answer's
        )
        self._line = self._progress.add_task("", total=None)  # a bar that pulses
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._progress.stop()

    def tell(self, text: str) -> None:
        """What is being done now."""
        self._progress.update(self._line, description=text)
        if self._shown and self._timer is None:
            self._timer = threading.Timer(DELAY_SECONDS, self._progress.start)
            self._timer.start()

    def counted(self, text: str, lines: IO[AnyStr]) -> Iterator[AnyStr]:
        """The lines of a file, told as `text` with their number so far; not those that somebody types meanwhile."""
        if lines.isatty():
            yield from lines
            return
        self.tell(text)
        for number, line in enumerate(lines, 1):
            if number % STEP == 0:
                self.tell(f"{text}: {number:,}")
            yield line
