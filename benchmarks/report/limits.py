"""The numbers to hold: each limit that a scenario sets, and whether this run held it."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measured import Ratio, Results, Series, Table
from benchmarks.report import figures


@dataclass(frozen=True, slots=True)
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
        Limit(
            scenario=name,
            table=table.title,
            what=what(judged, table.axis),
            found=figures.median(judged, table.unit),
            wanted=figures.bound(judged, table.unit),
            held=bool(judged.holds),
        )
        for name in names
        if name in results.scenarios
        for table in results.scenarios[name].tables
        for judged in _judged(table)
        if judged.limit is not None
    ]


def _judged(table: Table) -> Iterable[Series | Ratio]:
    return (*table.series, *table.ratios)


def what(told: Series | Ratio, axis: str) -> str:
    """What is judged, and where: `gatepost, at 64 connections`; what is divided by what: `gatepost / bare app`."""
    contestants = told.name if isinstance(told, Series) else f"{told.of} / {told.to}"
    if told.at is None:
        return contestants
    if isinstance(told, Ratio) and told.to_at not in {None, told.at}:
        return f"{told.of}, at {figures.place(told.at)} / at {figures.place(told.to_at)} {axis}"
    return f"{contestants}, at {figures.place(told.at)} {axis}"
