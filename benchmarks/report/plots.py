"""The plots in `docs/images`: bars for contestants side by side, lines where there is an axis.

Made from the results alone, and the same results make the same bytes, so that git sees a change only where one is.
"""

import textwrap
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.measured import Results, Series, Table
from benchmarks.report import figures
from benchmarks.report.ahead import is_gatepost
from benchmarks.report.page import plotted
from benchmarks.scenarios import NAMES

WIDTH, AROUND, ROW, LINE, LINES, MOST = 7.6, 1.0, 0.34, 0.14, 2.6, 4.0
"""Inches: of a plot; of titles and axis; of a bar with the gap to the next, of a name's further line; of what is drawn
where there are lines; and the height of a plot at most."""

EDGE = 0.1
"""Inches, left free around texts."""

NAME_WIDTH, WIDE_NAME_WIDTH, TITLE_WIDTH = 34, 46, 84
"""Characters, after which a name or a title goes on in a new line. Names are wide where there are many bars."""

MANY = 8
"""Bars."""

SPAN = 40
"""Largest to smallest: beyond this a bar in proportion could not be seen, and the scale is logarithmic."""

PAPER, INK, FAINT, GRID = "#fbfbfa", "#1f2937", "#6b7280", "#e5e7eb"
GATEPOST = ("#0f766e", "#12958a", "#3d9a57", "#0b4f4a")
OTHERS = ("#b45309", "#4f6d9e", "#9d4edd", "#be3455", "#6b7280", "#8a6d3b", "#2f855a")
BAR = "#a9b4c4"
"""Legible on paper of their own, whatever the page around them is."""

STYLE: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), PAPER),
    **{f"axes.spines.{side}": False for side in ("top", "right", "left", "bottom")},
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 0),
    **dict.fromkeys(("xtick.color", "ytick.color", "axes.labelcolor"), FAINT),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "font.size": 8.5,
    "figure.dpi": 100,
}


def draw(results: Results, folder: Path) -> None:
    """A PNG for each table that deserves one, and none besides."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        folder / file: table
        for name in NAMES
        if name in results.scenarios
        for file, table in plotted(name, results.scenarios[name].tables).items()
    }
    for path, table in wanted.items():
        with rc_context(STYLE):
            figure = _lines(table) if _has_line(table) else _bars(table)
            FigureCanvasAgg(figure)
            figure.savefig(path, metadata={"Software": None})  # or Matplotlib's version would be in it
    for path in folder.glob("benchmark-*.png"):
        if path not in wanted:
            path.unlink()


def _has_line(table: Table) -> bool:
    return bool(table.axis) and len({series.at for series in table.series if series.runs}) > 1


def _paper(table: Table, height: float, measured: Sequence[Series]) -> tuple[Figure, Axes]:
    """A plot with its title, and below what its numbers are. `height`: inches for what is drawn."""
    title = textwrap.fill(table.title, TITLE_WIDTH)
    whole = min(MOST, height + AROUND + 0.2 * title.count("\n"))
    figure = Figure(figsize=(WIDTH, whole), layout=ConstrainedLayoutEngine(w_pad=EDGE, h_pad=EDGE))
    figure.suptitle(title, x=0.02, ha="left", size=11, weight="bold", color=INK)
    scale = "; logarithmic scale" * _wide_apart(measured)
    figure.supxlabel(f"{figures.said(table)}{scale}", x=0.02, ha="left", size=8.5, color=FAINT)
    return figure, figure.add_subplot()


def _bars(table: Table) -> Figure:
    """The best on top, quartiles as whiskers. Dots on a logarithmic scale where bars would be too unlike to see."""
    measured = sorted(
        (series for series in table.series if series.runs),
        key=lambda series: series.spread.median,
        reverse=table.better == "more",
    )
    rows = [*measured, *(series for series in table.series if not series.runs)]
    names = [textwrap.fill(_name(each, table), WIDE_NAME_WIDTH if len(rows) > MANY else NAME_WIDTH) for each in rows]
    figure, axes = _paper(table, (ROW + LINE * max(name.count("\n") for name in names)) * len(rows), measured)
    medians = [series.spread.median for series in measured]
    _scale(axes.xaxis, table, measured)
    if _wide_apart(measured):
        axes.set_xlim(min(medians) / 2, max(medians) * 1.2)
    else:
        axes.set_xlim(0, max(series.spread.high for series in measured) or 1.0)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for row, (label, series) in enumerate(zip(axes.get_yticklabels(), rows, strict=True)):
        label.set(size=9, color=INK, weight=_weight(series.name))
        _bar(axes, row, series, table)
    return figure


def _bar(axes: Axes, row: int, series: Series, table: Table) -> None:
    said: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
    if not series.runs:
        axes.annotate("not measured", (0, row), (5, 0), ("axes fraction", "data"), color=FAINT, style="italic", **said)
        return
    spread = series.spread
    colour = GATEPOST[0] if is_gatepost(series.name) else BAR
    if axes.get_xscale() == "log":
        axes.plot(spread.median, row, "o", color=colour, markersize=7)
    else:
        axes.barh(row, spread.median, height=0.62, color=colour)
    if len(series.runs) > 1:
        sides = [[spread.median - spread.low], [spread.high - spread.median]]
        axes.errorbar(spread.median, row, xerr=sides, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5, zorder=1.9)
    told = figures.brief(spread.median, table.unit)
    axes.annotate(told, (spread.high, row), (8, 0), color=INK, weight=_weight(series.name), **said)


def _lines(table: Table) -> Figure:
    """By the axis, which is logarithmic; the middle half of the runs as a band; the names beside, the highest on
    top."""
    measured = [series for series in table.series if series.runs]
    figure, axes = _paper(table, LINES, measured)
    places = sorted({series.at for series in measured if series.at is not None})
    ends = {}
    ours, others = cycle(GATEPOST), cycle(OTHERS)
    for name in dict.fromkeys(series.name for series in measured):
        series = [each for each in table.row(name) if each is not None and each.runs]
        spreads = {each.at: each.spread for each in series if each.at is not None}
        mine = is_gatepost(name)
        style: dict[str, Any] = {"color": next(ours if mine else others), "zorder": 3 if mine else 2}
        low, median, high = zip(*((each.low, each.median, each.high) for each in spreads.values()), strict=True)
        axes.fill_between([*spreads], low, high, alpha=0.18, linewidth=0, **style)
        style |= {"marker": "o", "markersize": 4, "linewidth": 2.4 if mine else 1.5}
        (line,) = axes.plot([*spreads], median, **style)
        ends[name] = (median[-1], line)
    if places[0] > 0:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: figures.place(at)))
    axes.set_xlabel(table.axis)
    _scale(axes.yaxis, table, measured)
    if not _wide_apart(measured):
        axes.set_ylim(0, max(series.spread.high for series in measured) * 1.06 or 1.0)
    names = sorted(ends, key=lambda name: ends[name][0], reverse=True)
    shown = [textwrap.fill(name, NAME_WIDTH - 8) for name in names]
    legend = axes.legend([ends[name][1] for name in names], shown, loc="center left", bbox_to_anchor=(1, 0.5))
    legend.set_frame_on(False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(color=ends[name][1].get_color(), weight=_weight(name))
    return figure


def _scale(axis: Axis, table: Table, measured: Sequence[Series]) -> None:
    """Round numbers, all in one unit where the scale is linear: those of a logarithmic one say theirs."""
    largest = max(series.spread.high for series in measured)
    logarithmic = _wide_apart(measured)
    if logarithmic:
        axis.axes.set(**{"xscale" if axis is axis.axes.xaxis else "yscale": "log"})

    def tell(value: float, _position: int | None = None) -> str:
        scale = figures.Scale.of(value if logarithmic else largest, table.unit)
        unit = f" {scale.unit}" if value and table.unit in figures.UNITS else ""
        return f"{value / scale.over:,.12g}{unit}"

    axis.set_major_locator(LogLocator(numticks=7) if logarithmic else MaxNLocator(5))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(tell))


def _wide_apart(measured: Sequence[Series]) -> bool:
    medians = [series.spread.median for series in measured]
    return min(medians) > 0 and max(medians) / min(medians) > SPAN


def _weight(name: str) -> Literal["bold", "normal"]:
    return "bold" if is_gatepost(name) else "normal"


def _name(series: Series, table: Table) -> str:
    return f"{series.name}, {figures.place(series.at)} {table.axis}" if series.at is not None else series.name
