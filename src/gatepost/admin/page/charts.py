"""Small charts of usage: where each bar stands, for SVG in a template. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gatepost.base import Outcome, SecretState, Usage

DAYS = 30
"""Days of a chart, the last one today."""

SPARK_HEIGHT = 16
CHART_HEIGHT = 96
BAR, STEP = 3, 4
"""Units of SVG: a bar's width, and from one to the next."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart. `y`: of its top, from above. `kind`: `in` = let in, `out` = refused."""

    x: int
    y: float
    height: float
    kind: str = "in"


@dataclass(frozen=True, slots=True)
class Day:
    """What a chart tells of a day in words, too: let in, and refused by outcome."""

    day: date
    let_in: int
    refused: Mapping[str, int]

    @property
    def total(self) -> int:
        """All requests."""
        return self.let_in + sum(self.refused.values())


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars by day, and the same as a table for who cannot see them. `most`: requests of the tallest."""

    bars: Sequence[Bar]
    days: Sequence[Day]
    most: int
    width: int = DAYS * STEP
    height: int = CHART_HEIGHT

    @property
    def total(self) -> int:
        """All requests of all days."""
        return sum(day.total for day in self.days)

    @property
    def refused(self) -> int:
        """Those that were refused."""
        return self.total - sum(day.let_in for day in self.days)


def spark(counts: Sequence[int]) -> Sequence[Bar]:
    """The bars of a sparkline: a day that has any is seen."""
    most = max(counts, default=0)
    return [
        Bar(number * STEP, SPARK_HEIGHT - height, height)
        for number, count in enumerate(counts)
        if (height := _height(count, most, SPARK_HEIGHT))
    ]


def chart_of(lines: Sequence[Usage], now: datetime) -> Chart:
    """The chart of the last days, of usage by day and outcome; refused ones stand on top."""
    first = now.date() - timedelta(days=DAYS - 1)
    days = []
    for number in range(DAYS):
        day = first + timedelta(days=number)
        of_day = {str(line.outcome): line.count for line in lines if line.day == day and not line.by_month}
        let_in = of_day.pop(Outcome.VALID.value, 0)
        days.append(Day(day, let_in, of_day))
    most = max((day.total for day in days), default=0)
    bars = []
    for number, each in enumerate(days):
        height, x = _height(each.let_in, most, CHART_HEIGHT), number * STEP
        refused = _height(each.total - each.let_in, most, CHART_HEIGHT)
        top = CHART_HEIGHT - height
        bars += [Bar(x, top, height)] if height else []
        bars += [Bar(x, max(top - refused, 0), min(refused, top), "out")] if refused else []
    return Chart(bars, days, most)


def still_calling(lines: Sequence[Usage]) -> Sequence[Usage]:
    """Of usage by secret and outcome: who calls in vain, or soon will, the last ones first."""
    off = (Outcome.DEACTIVATED, Outcome.EXPIRED)
    found = [line for line in lines if line.secret_state in (SecretState.OLD, SecretState.GONE) or line.outcome in off]
    return sorted(found, key=lambda line: line.last_at, reverse=True)


def _height(count: int, most: int, whole: int) -> float:
    """How tall a bar is: at least a unit where there is anything."""
    return round(max(count / most * whole, 1), 2) if count else 0
