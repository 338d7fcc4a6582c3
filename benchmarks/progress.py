"""What a run of the benchmarks shows meanwhile: the scenario, how many are done, and what is being done."""

import sys
from collections.abc import Sequence
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column

from benchmarks.report import table
from benchmarks.rounds import Tell


class Progress:
    """A bar at a terminal, a line a scenario elsewhere; on stderr, so that stdout is the report alone.

    The bar is drawn when there is something to tell, and never by a thread: that would run while others are timed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=len(names))
        self._begun = 0

    def __enter__(self) -> Self:
        if self._console.is_interactive:
            self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._console.is_interactive:
            self._bar.stop()

    def begin(self, name: str) -> Tell:
        """A scenario begins; what it is doing is said through what is returned."""
        self._bar.update(self._task, completed=self._begun, description=name, refresh=True)
        self._begun += 1
        if not self._console.is_interactive:
            print(f"{name} …", file=sys.stderr, flush=True)
        return lambda text: self._bar.update(self._task, description=f"{name}: {text}", refresh=True)

    def show(self, told: RenderableType) -> None:
        """Print something above the bar, on stdout."""
        if self._console.is_interactive:
            self._bar.stop()
        table.show(told)
        if self._console.is_interactive:
            self._bar.start()
