"""The report at the terminal: the page's own parts, as Rich shows Markdown."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.measured import Measured, Results
from benchmarks.report import page
from benchmarks.report.limits import limits

WIDTH = 100
"""Columns, where the output is no terminal that has its own."""


def show(name: str, measured: Measured) -> None:
    """Print a scenario and all its tables."""
    _print(page.scenario(name, measured))


def verdict(results: Results, names: Iterable[str]) -> int:
    """Print the limits that these scenarios set, and answer how many are not held."""
    found = limits(results, list(names))
    missed = [limit for limit in found if not limit.held]
    if found:
        _print(page.held(found))
    if any(results.scenarios[limit.scenario].origin.quick for limit in missed):
        _print("A quick run is too short to judge by: measure the scenario whole.")
    return len(missed)


def _print(markdown: str) -> None:
    Console(width=None if sys.stdout.isatty() else WIDTH).print(Markdown(markdown))
