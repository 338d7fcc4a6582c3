"""The plots in `docs/images`: bars for contestants side by side, lines where there is an axis.

Made from the results alone, and the same results make the same bytes, so that git sees a change only where one is.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.measured import Results, Series, Spread, Table
from benchmarks.report import figures
from benchmarks.report.ahead import is_gatepost
from benchmarks.report.matrix import Matrix, rounds
from benchmarks.scenarios import NAMES

PREFIX = "benchmark-"

PLOTS_MAX = 2
"""Of a scenario: a page of plots that nobody looks at helps nobody."""

DPI = 100
WIDTH, ROW, LINE, MOST = 7.6, 0.34, 0.14, 4.0
"""Inches: of a plot, of a bar with the gap to the next, of a line of text; and the height of a plot at most."""

EDGE = 0.16
"""Inches, left free around texts."""

NAME_WIDTH, WIDE_NAME_WIDTH, TITLE_WIDTH = 34, 46, 84
"""Characters, after which a name or a title goes on in a new line. Names are wide where there are many bars."""

MANY = 8
"""Bars."""

SPAN = 40
"""Largest to smallest: beyond this a bar in proportion could not be seen, and the scale is logarithmic."""

LINES_HEIGHT, LEADER = 2.4, 0.26
"""Inches: of what is drawn where there are lines, and from the lines to their names."""

PAPER, INK, FAINT, GRID = "#fbfbfa", "#1f2937", "#6b7280", "#e5e7eb"
GATEPOST = ("#0f766e", "#12958a", "#3d9a57", "#0b4f4a")
OTHERS = ("#b45309", "#4f6d9e", "#9d4edd", "#be3455", "#6b7280", "#8a6d3b", "#2f855a")
BAR = "#a9b4c4"
"""Legible on paper of their own, whatever the page around them is."""


_PAPER = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]
"""To measure texts with."""


def draw(results: Results, folder: Path) -> None:
    """A PNG for each table that deserves one, and none besides."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = set()
    for name in [name for name in NAMES if name in results.scenarios]:
        for number, table in plotted(results.scenarios[name].tables):
            path = folder / file_name(name, number)
            _save(_lines(table) if _has_line(table) else _bars(table), path)
            drawn.add(path)
    for path in folder.glob(f"{PREFIX}*.png"):
        if path not in drawn:
            path.unlink()


def plotted(tables: Sequence[Table]) -> Iterator[tuple[int, Table]]:
    """Those that deserve a plot, with their number, from 1: the first where there is something to compare."""
    comparing = (
        (number, table)
        for number, table in enumerate(tables, 1)
        if sum(bool(series.runs) for series in table.series) > 1
    )
    return islice(comparing, PLOTS_MAX)


def file_name(scenario: str, number: int) -> str:
    """Of the plot of a scenario's table."""
    return f"{PREFIX}{scenario}-{number}.png"


def _save(figure: Figure, path: Path) -> None:
    """Without the date and the version of Matplotlib that it would write into it."""
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, facecolor=PAPER, metadata={"Software": None})


def _has_line(table: Table) -> bool:
    return bool(table.axis) and len({series.at for series in table.series if series.runs} - {None}) > 1


def _paper(table: Table, height: float, left: float, right: float, scale: str) -> tuple[Figure, Axes]:
    """A plot with its title. `height`: inches for what is drawn; `left` and `right`: inches beside it for texts."""
    title = textwrap.wrap(table.title, TITLE_WIDTH)
    top, bottom = 0.46 + 0.21 * len(title), 0.48 if _has_line(table) else 0.32
    whole = min(MOST, height + top + bottom)
    figure = Figure(figsize=(WIDTH, whole))
    axes = figure.add_axes((left / WIDTH, bottom / whole, 1 - (left + right) / WIDTH, 1 - (top + bottom) / whole))
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=FAINT, labelsize=8, length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis="both" if _has_line(table) else "x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    figure.text(EDGE / WIDTH, 1 - EDGE / whole, "\n".join(title), size=11, weight="bold", color=INK, va="top")
    unit = figures.heading(table.unit)
    said = f"{unit}{', ' * bool(unit)}{table.better} is better; {rounds(table)}{scale}"
    under = 1 - (EDGE + 0.03 + 0.21 * len(title)) / whole
    figure.text(EDGE / WIDTH, under, f"{said[0].upper()}{said[1:]}", size=8.5, color=FAINT, va="top")
    return figure, axes


def _bars(table: Table) -> Figure:
    """The best on top, quartiles as whiskers. Dots on a logarithmic scale where bars would be too unlike to see."""
    best_first = sorted(
        (series for series in table.series if series.runs),
        key=lambda series: series.spread.median,
        reverse=table.better == "more",
    )
    rows = [*best_first, *(series for series in table.series if not series.runs)]
    wide = WIDE_NAME_WIDTH if len(rows) > MANY else NAME_WIDTH
    names = [textwrap.fill(_name(series, table), wide) for series in rows]
    left = EDGE + 0.08 + max(_width(name, 9, _weight(series.name)) for name, series in zip(names, rows, strict=True))
    right = EDGE + 0.1 + max(_width(_told(series, table), 8.5, "bold") for series in best_first)
    logarithmic = _wide_apart(best_first)
    height = (ROW + LINE * max(name.count("\n") for name in names)) * len(rows) + 0.1
    figure, axes = _paper(table, height, left, right, "; logarithmic scale" * logarithmic)
    medians = [series.spread.median for series in best_first]
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(medians) / 2, max(medians) * 1.2)
        axes.xaxis.set_major_locator(LogLocator(numticks=7))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, max(series.spread.high for series in best_first) or 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(_ticks(table, max(medians)))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for row, (label, series) in enumerate(zip(axes.get_yticklabels(), rows, strict=True)):
        label.set(size=9, color=INK, weight=_weight(series.name))
        _bar(axes, row, series, table, logarithmic=logarithmic)
    return figure


def _bar(axes: Axes, row: int, series: Series, table: Table, *, logarithmic: bool) -> None:
    said: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 8.5, "annotation_clip": False}
    if not series.runs:
        axes.annotate("not measured", (0, row), (5, 0), ("axes fraction", "data"), color=FAINT, style="italic", **said)
        return
    spread = series.spread
    colour = GATEPOST[0] if is_gatepost(series.name) else BAR
    if len(series.runs) > 1:
        sides = [[spread.median - spread.low], [spread.high - spread.median]]
        axes.errorbar(
            spread.median,
            row,
            xerr=sides,
            fmt="none",
            ecolor=INK,
            elinewidth=1.1,
            capsize=2.5,
            capthick=1.1,
            zorder=2.5,
        )
    if logarithmic:
        axes.plot(spread.median, row, "o", color=colour, markersize=7, zorder=3)
    else:
        axes.barh(row, spread.median, height=0.62, color=colour)
    axes.annotate(_told(series, table), (spread.high, row), (8, 0), color=INK, weight=_weight(series.name), **said)


def _lines(table: Table) -> Figure:
    """By the axis, which is logarithmic; the middle half of the runs as a band; the names at the ends of the lines."""
    matrix = Matrix(table)
    names = [name for name in matrix.names if any(each and each.runs for each in matrix.series(name))]
    wrapped = {name: textwrap.fill(name, NAME_WIDTH - 8) for name in names}
    right = EDGE + LEADER + max(_width(wrapped[name], 8.5, _weight(name)) for name in names)
    measured = [series for series in table.series if series.runs]
    scale = "; logarithmic scale" * _wide_apart(measured)
    figure, axes = _paper(table, LINES_HEIGHT, 0.75, right, scale)
    colours = _colours(names)
    places = [at for at in matrix.places if at is not None]
    ends = []
    for name in names:
        series = [each for each in matrix.series(name) if each is not None and each.runs]
        on_axis = [(each.at, each.spread) for each in series if each.at is not None]
        points = on_axis or [(at, series[0].spread) for at in (places[0], places[-1])]
        _line(axes, points, colours[name], ours=is_gatepost(name), dashed=not on_axis)
        ends.append((points[-1][1].median, points[-1][0], name))
    _scales(axes, table, measured)
    _label(axes, ends, wrapped, colours)
    return figure


def _line(axes: Axes, points: Sequence[tuple[float, Spread]], colour: str, *, ours: bool, dashed: bool) -> None:
    """A contestant's. Dashed: the axis does not touch it."""
    places, spreads = [at for at, _ in points], [spread for _, spread in points]
    above = 3 if ours else 2
    low, high = [each.low for each in spreads], [each.high for each in spreads]
    axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0, zorder=above)
    axes.plot(
        places,
        [each.median for each in spreads],
        "--" if dashed else "o-",
        color=colour,
        markersize=4,
        linewidth=2.4 if ours else 1.5,
        zorder=above,
    )


def _scales(axes: Axes, table: Table, measured: Sequence[Series]) -> None:
    places = sorted({series.at for series in measured if series.at is not None})
    if places[0] > 0:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: figures.place(at)))
    axes.set_xlabel(table.axis, size=8.5, color=FAINT, labelpad=2)
    highest = max(series.spread.high for series in measured)
    if _wide_apart(measured):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=7))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, highest * 1.06 or 1.0)
    axes.yaxis.set_major_formatter(_ticks(table, highest))


def _label(
    axes: Axes, ends: Sequence[tuple[float, float, str]], wrapped: dict[str, str], colours: dict[str, str]
) -> None:
    """The names right of the last points, moved apart where they would lie on each other."""
    ordered = sorted(ends)
    heights = [float(axes.transData.transform((at, value))[1]) for value, at, _ in ordered]
    need = [14.0 * (wrapped[name].count("\n") + 1) for *_, name in ordered]
    low, high = axes.bbox.y0, axes.bbox.y1
    spots = _apart(heights, need, low, high)
    right = axes.bbox.x1
    leader = {"arrowstyle": "-", "linewidth": 0.7, "linestyle": ":", "shrinkA": 1, "shrinkB": 3}
    for (value, at, name), spot in zip(ordered, spots, strict=True):
        axes.annotate(
            wrapped[name],
            (at, value),
            (right + LEADER * DPI - 4, spot),
            textcoords="figure pixels",
            va="center",
            size=8.5,
            color=colours[name],
            weight=_weight(name),
            arrowprops=leader | {"color": colours[name]},
        )


def _apart(heights: Sequence[float], need: Sequence[float], low: float, high: float) -> list[float]:
    """Ascending heights, pushed apart by what each needs, between `low` and `high` where there is room."""
    spots = list(heights)
    for _ in range(200):
        for lower in range(len(spots) - 1):
            lack = (need[lower] + need[lower + 1]) / 2 - (spots[lower + 1] - spots[lower])
            if lack > 0:
                spots[lower] -= lack / 2
                spots[lower + 1] += lack / 2
        spots = [min(max(spot, low), high) for spot in spots]
    return spots


def _colours(names: Sequence[str]) -> dict[str, str]:
    """Ours of one family, whatever else there is."""
    ours = [name for name in names if is_gatepost(name)]
    others = [name for name in names if not is_gatepost(name)]
    return {name: GATEPOST[number % len(GATEPOST)] for number, name in enumerate(ours)} | {
        name: OTHERS[number % len(OTHERS)] for number, name in enumerate(others)
    }


def _wide_apart(measured: Sequence[Series]) -> bool:
    medians = [series.spread.median for series in measured]
    return min(medians) > 0 and max(medians) / min(medians) > SPAN


def _ticks(table: Table, largest: float) -> FuncFormatter:
    """Round numbers, all in one unit where the scale is linear: those of a logarithmic one say theirs."""

    def tell(value: float, _position: int | None = None) -> str:
        scale = figures.Scale.of(value if spread_out else largest, table.unit)
        unit = f" {scale.unit}" if value and figures.heading(table.unit) != table.unit else ""
        return f"{value / scale.over:,.12g}{unit}"

    spread_out = _wide_apart([series for series in table.series if series.runs])
    return FuncFormatter(tell)


def _told(series: Series, table: Table) -> str:
    return figures.brief(series.spread.median, table.unit)


def _weight(name: str) -> Literal["bold", "normal"]:
    return "bold" if is_gatepost(name) else "normal"


def _width(text: str, size: float, weight: Literal["bold", "normal"]) -> float:
    """Inches that a text takes."""
    font = FontProperties(size=size, weight=weight)
    measure = _PAPER.get_text_width_height_descent
    return max(float(measure(line, font, False)[0]) for line in text.split("\n")) / DPI  # type: ignore[no-untyped-call]


def _name(series: Series, table: Table) -> str:
    return f"{series.name}, {figures.place(series.at)} {table.axis}" if series.at is not None else series.name
