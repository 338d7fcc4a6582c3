"""Numbers for people: three digits that count, and the unit in which they are easiest to read."""

import math
from dataclasses import dataclass

from benchmarks.measured import Judged, Ratio, Table

DIGITS = 3
"""That count: what differs beyond them is noise on any machine."""

NOTHING = "\N{EN DASH}"
"""In a cell, where there is no number."""

UNMEASURED = "not measured"

UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "bytes": 1.0}
"""Of tables: those whose values are told in the unit that suits them. All others (`requests/s`) stay as they are."""

TIMES = ((1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs"), (0.0, 1e-9, "ns"))
SIZES = ((1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e4, 1e3, "kB"), (0.0, 1.0, "bytes"))
"""From where on a unit is used, its size, its name. Under 10 kB bytes are counted: limits are set in them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How values of one unit are told: divided by `over`, with `unit` behind."""

    over: float
    unit: str

    @classmethod
    def of(cls, value: float, unit: str) -> "Scale":
        """The one in which that value is easiest to read. Units other than times and sizes stay as they are."""
        if not value or unit not in UNITS:
            return cls(over=1.0, unit=unit)
        given, steps = UNITS[unit], SIZES if unit == "bytes" else TIMES
        size, name = next((size, name) for least, size, name in steps if abs(value) * given >= least)
        return cls(over=size / given, unit=name)

    def tell(self, value: float) -> str:
        """A value, without its unit. What is nearly all is not told as all: 99.97 %."""
        if self.unit.startswith("%") and 99.5 <= value < 100:
            return f"{math.floor(value * 1000) / 1000:g}"
        return number(value / self.over)


def number(value: float) -> str:
    """With three digits that count, and commas between thousands; small counts as they are."""
    if value == round(value) and abs(value) < 10**DIGITS:
        return f"{value:.0f}"
    value = float(f"{value:.{DIGITS - 1}e}")
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def figure(value: float, unit: str) -> str:
    """A value with its unit: `2.53 µs`, `18,400 requests/s`."""
    scale = Scale.of(value, unit)
    return f"{scale.tell(value)} {scale.unit}"


def brief(value: float, unit: str) -> str:
    """The same where the heading tells the unit, as far as it can: only times and sizes keep theirs."""
    scale = Scale.of(value, unit)
    return f"{scale.tell(value)} {scale.unit}" if unit in UNITS else scale.tell(value)


def said(table: Table) -> str:
    """What its numbers are: `Requests/s, more is better; median of 9 rounds, and the middle half of them`."""
    rounds = f"median of {table.rounds} rounds, and the middle half of them" if table.rounds > 1 else "measured once"
    told = f"{'' if table.unit in UNITS else f'{table.unit}, '}{table.better} is better; {rounds}"
    return f"{told[0].upper()}{told[1:]}"


def median(told: Judged, unit: str) -> str:
    """That of a contestant or a ratio; of a ratio more digits where three would hide on which side of its limit it
    is."""
    if not told.runs:
        return UNMEASURED
    found = told.spread.median
    if not isinstance(told, Ratio):
        return figure(found, unit)
    hides = told.limit is not None and found != told.limit and float(f"{found:.{DIGITS - 1}e}") == told.limit
    return f"{found:,.6g}" if hides else number(found)


def middle(told: Judged, unit: str) -> str:
    """The middle half of the runs, in the unit of their median, which is not told: `2.44` to `2.62`. Of one run nothing
    is told."""
    if len(told.runs) < 2:
        return ""
    spread = told.spread
    scale = Scale.of(spread.median, unit)
    between = "\N{EN DASH}" if spread.low >= 0 else " to "
    return f"{scale.tell(spread.low)}{between}{scale.tell(spread.high)}"


def place(at: float | None) -> str:
    """A value of an axis, if there is one."""
    return "" if at is None else f"{at:,.0f}" if at == round(at) else f"{at:g}"


def bound(told: Judged, unit: str = "") -> str:
    """What is to hold: `at most 1.75`, `at most 25 ms`. Raises `ValueError` where there is no limit."""
    if told.limit is None:
        raise ValueError("there is no limit")
    return f"{told.bound} {place(told.limit)} {'' if isinstance(told, Ratio) else unit}".rstrip()
