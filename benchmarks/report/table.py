"""The report at the terminal: a scenario's tables, and at the end the numbers to hold."""

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from benchmarks.measured import Measured, Origin, Ratio, Results, Series, Table
from benchmarks.report import figures
from benchmarks.report.ahead import is_gatepost
from benchmarks.report.limits import limits, pair
from benchmarks.report.matrix import Matrix, heads, notes, rounds, spread_out

WIDTH = 100
"""Columns, where the output is no terminal that has its own."""

HELD = {True: Text("✓", style="bold green"), False: Text("✗", style="bold red"), None: Text(" ")}
NAME_WIDTH, WIDE_NAME_WIDTH = 34, 50
"""Columns of a contestant's name at most, beside notes and without; longer ones wrap."""

NOTE_WIDTH = 72
"""Columns of a note, two lines of it, that stands beside its number; longer ones stand below the table."""


def show(told: RenderableType) -> None:
    """Print it on stdout."""
    Console(width=None if sys.stdout.isatty() else WIDTH).print(told)


def scenario(name: str, measured: Measured) -> RenderableType:
    """All tables of a scenario."""
    return Group(
        Text.assemble((name, "bold reverse"), (f"  {_origin(measured.origin)}", "dim")),
        *(_table(table) for table in measured.tables),
        "",
    )


def verdict(results: Results, names: Iterable[str]) -> int:
    """Print the limits that these scenarios set, and answer how many are not held."""
    names = list(names)
    found = limits(results, names)
    if not found:
        return 0
    grid = Grid.grid(padding=(0, 1))
    above = ("", "")
    for limit in found:
        if (limit.scenario, limit.table) != above:
            above = (limit.scenario, limit.table)
            grid.add_row("", Text.assemble((limit.scenario, "bold"), (f"  {limit.table}", "dim")))
        grid.add_row(HELD[limit.held], limit.what, Text(limit.found, justify="right"), f"to hold: {limit.wanted}")
    missed = sum(not limit.held for limit in found)
    last = f"{len(found) - missed} of {len(found)} numbers to hold are held on this run."
    if missed and any(results.scenarios[limit.scenario].origin.quick for limit in found if not limit.held):
        last += " A quick run is too short to judge by: measure the scenario whole."
    show(Group(Text("numbers to hold", style="bold reverse"), grid, Text(last, style="bold red" if missed else "bold")))
    return missed


def _origin(origin: Origin) -> str:
    quick = "a quick first look, " if origin.quick else ""
    cpus = f"{origin.cpus} CPU{'s' * (origin.cpus != 1)}"
    return f"{quick}{origin.began[:10]}, {origin.commit}, {origin.seconds:.0f} s, {cpus}, {origin.python}"


def _table(table: Table) -> RenderableType:
    body = _by_axis(table) if table.axis else _by_name(table)
    told: list[RenderableType] = [*body, *(Text(f"{name}: {told}") for name, told in table.figures.items())]
    if table.note:
        told.append(Text(table.note, style="dim"))
    return Group("", _title(table), *(Padding(each, (0, 0, 0, 1)) for each in told))


def _title(table: Table) -> RenderableType:
    unit = figures.heading(table.unit)
    said = f"{unit}{', ' * bool(unit)}{table.better} is better; {rounds(table)}"
    return Group(Text(table.title, style="bold"), Text(f"{said[0].upper()}{said[1:]}", style="dim"))


def _by_name(table: Table) -> list[RenderableType]:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    beside = max((len(series.note) for series in table.series), default=0) <= NOTE_WIDTH
    grid.add_column("", max_width=NAME_WIDTH if beside else WIDE_NAME_WIDTH)
    grid.add_column("median" if spread_out(table) else "measured", justify="right", no_wrap=True)
    if spread_out(table):
        grid.add_column("middle half", justify="right", no_wrap=True, style="dim")
    grid.add_column("")
    for series in table.series:
        cells = _cells(series, table.unit)[: len(grid.columns) - 2]
        grid.add_row(Text(series.name), *cells, _said(series, table, beside=beside), style=_style(series.name))
    return [grid, *_ratios(table.ratios, table.axis), *([] if beside else _notes(table))]


def _cells(series: Series, unit: str) -> tuple[str, str]:
    if not series.runs:
        return "not measured", ""
    spread = series.spread
    return figures.figure(spread.median, unit), figures.quartiles(spread, unit) if len(series.runs) > 1 else ""


def _said(series: Series, table: Table, *, beside: bool) -> Text:
    note = series.note if beside else ""
    if series.limit is None:
        return Text(note, style="dim")
    held = Text.assemble(HELD[series.holds], f" to hold: {figures.bound(series, table.unit)}")
    return held.append(f"; {note}" if note else "", style="dim")


def _notes(table: Table) -> list[RenderableType]:
    """One after the other, under the table, where they are too long for a column."""
    said = [Text.assemble((f"{name}: ", "dim bold"), (text, "dim")) for name, text in notes(table).items()]
    return ["", *said] if said else []


def _by_axis(table: Table) -> list[RenderableType]:
    matrix = Matrix(table)
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column(table.axis, max_width=NAME_WIDTH)
    for head in heads(matrix.places):
        grid.add_column(head, justify="right", no_wrap=True)
    for name in matrix.names:
        grid.add_row(Text(name), *(_spread(each, table.unit) for each in matrix.series(name)), style=_style(name))
    rows = matrix.ratios()
    if rows:
        grid.add_section()
    for (of, to), row in rows.items():
        grid.add_row(Text(f"{of} / {to}"), *(_ratio(each) for each in row))
    limited = [ratio for row in rows.values() for ratio in row if ratio is not None and ratio.limit is not None]
    figures_held = [
        Text.assemble(HELD[each.holds], f" {each.name} at {figures.place(each.at or 0.0)} {table.axis}, ").append(
            f"to hold: {figures.bound(each, table.unit)}"
        )
        for each in table.series
        if each.limit is not None
    ]
    return [grid, *figures_held, *_ratios([*limited, *matrix.across()], table.axis), *_notes(table)]


def _spread(series: Series | None, unit: str) -> Text:
    if series is None:
        return Text()
    if not series.runs:
        return Text(figures.NOTHING)
    spread = series.spread
    told = Text(figures.brief(spread.median, unit))
    return told.append(f"\n{figures.quartiles(spread, unit)}", style="dim") if len(series.runs) > 1 else told


def _ratio(ratio: Ratio | None) -> Text:
    if ratio is None:
        return Text()
    return Text(figures.ratio(ratio) if ratio.runs else figures.NOTHING)


def _ratios(ratios: Iterable[Ratio], axis: str) -> list[RenderableType]:
    grid = Grid.grid(padding=(0, 1))
    for ratio in ratios:
        found, spread = ("not measured", "") if not ratio.runs else (figures.ratio(ratio), _middle(ratio))
        wanted = f"to hold: {figures.bound(ratio)}" if ratio.limit is not None else ""
        grid.add_row(HELD[ratio.holds], pair(ratio, axis), Text(found, justify="right"), Text(spread, "dim"), wanted)
    return ["", grid] if grid.row_count else []


def _middle(ratio: Ratio) -> str:
    return f"({figures.quartiles(ratio.spread, '')})" if len(ratio.runs) > 1 else ""


def _style(name: str) -> str:
    return "bold" if is_gatepost(name) else ""
