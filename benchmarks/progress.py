"""What a run of the benchmarks shows meanwhile: the scenario, how many are done, and what is being done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from benchmarks.rounds import Tell


@contextmanager
def progress(name: str, done: int, total: int) -> Iterator[Tell]:
    """A bar at a terminal, a line elsewhere, until the scenario of this name has ended; on stderr, so that stdout is
    the report alone. What is being done is said through what is yielded.

    The bar is drawn when there is something to tell, and never by a thread: that would run while others are timed.
    """
    console = Console(stderr=True)
    if not console.is_interactive:
        print(f"{name} …", file=sys.stderr, flush=True)
        yield lambda _: None
        return
    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task(name, total=total, completed=done)
        yield lambda told: bar.update(task, description=f"{name}: {told}", refresh=True)
