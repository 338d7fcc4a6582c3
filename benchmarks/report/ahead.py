"""Where someone is ahead of gatepost: read off the numbers, not chosen."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measured import Results, Series, Table

GATEPOST = "gatepost"
"""Contestants that are gatepost, in one setting or another, have names that begin so."""

UNPROTECTED = "bare app"
"""What the others are measured by, and nothing that one would use instead."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A contestant that is better in a table. `times`: by how much, over 1. `clear`: the middle halves lie apart."""

    scenario: str
    table: Table
    theirs: Series
    ours: Series
    times: float
    clear: bool


def is_gatepost(name: str) -> bool:
    """Whether a contestant is gatepost, in whatever setting."""
    return name.startswith(GATEPOST)


def ahead(results: Results, names: Iterable[str]) -> list[Ahead]:
    """Whoever is, in the scenarios of these names that were measured, in their order."""
    found = []
    for name in names:
        for table in results.scenarios[name].tables if name in results.scenarios else ():
            for theirs in table.series if table.contest else ():
                ours = _against(table, theirs)
                if ours is not None and (times := _times(ours, theirs, table)) > 1:
                    mine, other = ours.spread, theirs.spread
                    clear = other.high < mine.low or other.low > mine.high
                    found.append(Ahead(name, table, theirs, ours, times, clear))
    return found


def _against(table: Table, theirs: Series) -> Series | None:
    """Which gatepost a rival stands beside: that of a ratio of the two; else plain `gatepost`; else the first."""
    if is_gatepost(theirs.name) or theirs.name == UNPROTECTED or not theirs.runs:
        return None
    here = [each for each in table.series if is_gatepost(each.name) and each.runs and each.at == theirs.at]
    paired = {name for ratio in table.ratios if theirs.name in (ratio.of, ratio.to) for name in (ratio.of, ratio.to)}
    return min(here, key=lambda each: (each.name not in paired, each.name != GATEPOST), default=None)


def _times(ours: Series, theirs: Series, table: Table) -> float:
    """How many times as good they are. Infinite where what is measured is nothing for one and something for another."""
    large, small = ours.spread.median, theirs.spread.median
    if table.better == "more":
        large, small = small, large
    return large / small if small > 0 else math.inf if large > small else 1.0
