"""A table with an axis, as rows of cells: a row a contestant, a column a value of the axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measured import Ratio, Series, Table
from benchmarks.report import figures


@dataclass(frozen=True, slots=True)
class Matrix:
    """What stands where. `None` in `places` is for a contestant that the axis does not touch."""

    table: Table

    @property
    def places(self) -> list[float | None]:
        """The columns, in order."""
        found = {series.at for series in self.table.series}
        return sorted(found, key=lambda at: (at is not None, at or 0.0))

    @property
    def names(self) -> list[str]:
        """The rows, in the order in which they were given."""
        return list(dict.fromkeys(series.name for series in self.table.series))

    def series(self, name: str) -> list[Series | None]:
        """A row: a contestant's, by column."""
        by_place = {series.at: series for series in self.table.series if series.name == name}
        return [by_place.get(at) for at in self.places]

    def ratios(self) -> dict[tuple[str, str], list[Ratio | None]]:
        """Rows of ratios, each within its column, by who is divided by whom."""
        rows: dict[tuple[str, str], list[Ratio | None]] = {}
        for ratio in self.table.ratios:
            if self.within(ratio):
                row = rows.setdefault((ratio.of, ratio.to), [None] * len(self.places))
                row[self.places.index(ratio.at)] = ratio
        return rows

    def across(self) -> list[Ratio]:
        """Ratios that stand in no column: of one place to another."""
        return [ratio for ratio in self.table.ratios if not self.within(ratio)]

    def within(self, ratio: Ratio) -> bool:
        """Whether a column holds both of its contestants."""
        return ratio.at in self.places and ratio.to_at in (None, ratio.at)


def heads(places: Sequence[float | None]) -> list[str]:
    """What stands above the columns."""
    return ["any" if at is None else figures.place(at) for at in places]


def notes(table: Table) -> dict[str, str]:
    """What is said about contestants, once, wherever on the axis it was said; by the names of whom it is said."""
    said: dict[str, list[str]] = {}
    for series in table.series:
        if series.note and series.note not in said.setdefault(series.name, []):
            said[series.name].append(series.note)
    whose: dict[str, list[str]] = {}
    for name, texts in said.items():
        if texts:
            whose.setdefault("; ".join(texts), []).append(name)
    return {" and ".join(names): text for text, names in whose.items()}


def rounds(table: Table) -> str:
    """What its numbers are: of how many rounds."""
    most = max((len(series.runs) for series in table.series), default=0)
    return f"median of {most} rounds, and the middle half of them" if spread_out(table) else "measured once"


def spread_out(table: Table) -> bool:
    """Whether there is a spread to tell of: more than one round."""
    return any(len(series.runs) > 1 for series in table.series)
