"""The numbers to hold: each limit that a scenario sets, and whether this run held it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.measured import Ratio, Results, Series, Table
from benchmarks.report import figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One of them, in texts for people. `found`: the median. `wanted`: `at most 1.75`."""

    scenario: str
    table: str
    what: str
    found: str
    wanted: str
    held: bool


def limits(results: Results, names: Iterable[str]) -> list[Limit]:
    """Those of the scenarios of these names that were measured, in their order."""
    return [
        limit
        for name in names
        if name in results.scenarios
        for table in results.scenarios[name].tables
        for limit in _of(name, table)
    ]


def pair(told: Ratio, axis: str) -> str:
    """What is divided by what, and where: `gatepost / ten lines by hand, at 64 connections`."""
    if told.to_at is not None and told.to_at != told.at:
        if told.of == told.to and told.at is not None:
            return f"{told.of}, at {figures.place(told.at)} / at {figures.place(told.to_at)} {axis}".rstrip()
        return f"{told.of}{_at(told.at, axis)} / {told.to}{_at(told.to_at, axis)}"
    return f"{told.of} / {told.to}{_at(told.at, axis, ',')}"


def _of(name: str, table: Table) -> Iterator[Limit]:
    for series in table.series:
        if series.holds is not None:
            yield Limit(
                scenario=name,
                table=table.title,
                what=f"{series.name}{_at(series.at, table.axis, ',')}",
                found=_found(series, table.unit),
                wanted=figures.bound(series, table.unit),
                held=series.holds,
            )
    for ratio in table.ratios:
        if ratio.holds is not None:
            yield Limit(
                scenario=name,
                table=table.title,
                what=pair(ratio, table.axis),
                found=figures.ratio(ratio) if ratio.runs else "not measured",
                wanted=figures.bound(ratio),
                held=ratio.holds,
            )


def _found(series: Series, unit: str) -> str:
    return figures.figure(series.spread.median, unit) if series.runs else "not measured"


def _at(at: float | None, axis: str, comma: str = "") -> str:
    return "" if at is None else f"{comma} at {figures.place(at)} {axis}".rstrip()
