"""Where someone is ahead of gatepost: read off the numbers, not chosen."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.measured import Results, Series, Table

GATEPOST = "gatepost"
"""Contestants that are gatepost, in one setting or another, have names that begin so."""

UNPROTECTED = "bare app"
"""What the others are measured by, and nothing that one would use instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    return [
        found
        for name in names
        if name in results.scenarios
        for table in results.scenarios[name].tables
        if table.contest
        for found in _in(name, table)
    ]


def _in(name: str, table: Table) -> Iterator[Ahead]:
    ours = [series for series in table.series if series.runs and is_gatepost(series.name)]
    for theirs in table.series:
        mine = None if _is_no_rival(theirs) else _against(table, theirs, ours)
        if mine is None:
            continue
        times = _times(mine.spread.median, theirs.spread.median, table)
        if times > 1:
            yield Ahead(scenario=name, table=table, theirs=theirs, ours=mine, times=times, clear=_clear(mine, theirs))


def _is_no_rival(series: Series) -> bool:
    return is_gatepost(series.name) or series.name == UNPROTECTED or not series.runs


def _against(table: Table, theirs: Series, ours: Sequence[Series]) -> Series | None:
    """Which gatepost it stands beside: that of a ratio of the two; else plain `gatepost`; else the first."""
    here = [series for series in ours if series.at == theirs.at]
    paired = {name for ratio in table.ratios if theirs.name in (ratio.of, ratio.to) for name in (ratio.of, ratio.to)}
    for wanted in (paired, {GATEPOST}):
        for series in here:
            if series.name in wanted:
                return series
    return here[0] if here else None


def _times(ours: float, theirs: float, table: Table) -> float:
    """How many times as good they are. Infinite where what is measured is nothing for one and something for another."""
    large, small = (ours, theirs) if table.better == "less" else (theirs, ours)
    return large / small if small > 0 else math.inf if large > small else 1.0


def _clear(ours: Series, theirs: Series) -> bool:
    mine, other = ours.spread, theirs.spread
    return other.high < mine.low or other.low > mine.high
