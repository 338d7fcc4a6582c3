"""What a benchmark found: plain values, kept as JSON. The reports are made from these and nothing else."""

import math
import statistics
from pathlib import Path
from typing import Any, Literal

import msgspec

FORMAT = 2
"""Of the results file. Raised when its form changes, so that a report never misreads an older file."""

RESULTS = Path(__file__).parent / "results" / "benchmarks.json"

DIGITS = 7
"""Of a run that are kept: with fewer, what people are told in three would now and then be rounded twice."""

Bound = Literal["at most", "at least"]
"""On which side of a limit a median has to lie."""


class Spread(msgspec.Struct, frozen=True):
    """Of several runs: their median, and the quartiles around it. One run is all three."""

    median: float
    low: float
    high: float


class Judged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Values, one a round (one a start in it, where servers are started several times), and perhaps a number to hold.

    `at`: where on the table's axis, `None` where it has none. `limit`: the number to hold, for the median; `bound`: on
    which side of it. `None` = none is set.
    """

    runs: tuple[float, ...]
    at: float | None = None
    limit: float | None = None
    bound: Bound = "at most"

    def __post_init__(self) -> None:
        """Raises `ValueError` for a run that is no number, which JSON could not keep."""
        if not all(map(math.isfinite, self.runs)):
            raise ValueError("a run is infinite, or no number")
        msgspec.structs.force_setattr(self, "runs", tuple(float(f"{run:.{DIGITS}g}") for run in self.runs))

    @property
    def spread(self) -> Spread:
        """Raises `ValueError` where nothing was measured."""
        if not self.runs:
            raise ValueError("nothing was measured: there is no run")
        several = len(self.runs) > 1
        low, median, high = statistics.quantiles(self.runs, n=4, method="inclusive") if several else self.runs * 3
        return Spread(median=median, low=low, high=high)

    @property
    def holds(self) -> bool | None:
        """Whether the limit is held, which it is not where nothing was measured; `None` where there is no limit."""
        if self.limit is None or not self.runs:
            return None if self.limit is None else False
        median = self.spread.median
        return median <= self.limit if self.bound == "at most" else median >= self.limit


class Series(Judged, frozen=True, kw_only=True):
    """What one contestant did, in the unit of its table. Its limit is one that is no ratio (25 ms, 500 bytes, 1 call).

    `runs` is empty where it could not do it; `note` says why then. `note` else says what the contestant does less than
    gatepost, or what is worth knowing beside its number.
    """

    name: str
    note: str = ""


class Ratio(Judged, frozen=True, kw_only=True):
    """Two contestants against each other, round by round: what disturbs the machine disturbs both. `to_at`: where on
    the axis the other stands, where both are one contestant at two places."""

    of: str
    to: str
    to_at: float | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question and its answers. `axis`: what `at` counts, such as `connections`.

    `figures`: counts that belong to it and are not timed, such as round trips: texts for people, by name.
    `contest`: whether the others in it stand for what one would use instead; not so where they are parts of gatepost.
    """

    title: str
    unit: str
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...] = ()
    axis: str = ""
    figures: dict[str, str] = {}
    note: str = ""
    contest: bool = True

    @property
    def better(self) -> Literal["less", "more"]:
        """Of rates (`requests/s`) and shares (`% of requests`) more; of times, sizes and counts less."""
        return "more" if self.unit.endswith("/s") or self.unit.startswith("%") else "less"

    @property
    def names(self) -> list[str]:
        """The contestants, in the order in which they were given."""
        return list(dict.fromkeys(series.name for series in self.series))

    @property
    def places(self) -> list[float]:
        """Of the axis, in order."""
        return sorted({series.at for series in self.series if series.at is not None})

    def row(self, name: str) -> list[Series | None]:
        """A contestant's, by place."""
        by_place = {series.at: series for series in self.series if series.name == name}
        return [by_place.get(at) for at in self.places]

    @property
    def rounds(self) -> int:
        """How many values a contestant has, at the most; 0 where nobody has any."""
        return max((len(series.runs) for series in self.series), default=0)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures come from: enough to run them again. `began`: ISO 8601, UTC. `versions`: packages, servers."""

    command: str
    commit: str
    began: str
    seconds: float
    quick: bool
    cpus: int
    cpu: str
    system: str
    python: str
    versions: dict[str, str]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's answers, and where they come from."""

    origin: Origin
    tables: tuple[Table, ...]


class Results(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Scenarios by name, and the parts of the campaign `tests.campaign`. Those measured at different times stand
    beside each other, each with its origin."""

    format: int = FORMAT
    scenarios: dict[str, Measured] = {}
    revocation: dict[str, dict[str, Any]] = {}


def read(path: Path) -> Results:
    """The results in a file, or none where there is no file. Raises `SystemExit` for one that cannot be read."""
    if not path.exists():
        return Results()
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as wrong:
        raise SystemExit(f"{path} cannot be read: {wrong.strerror}") from None
    except msgspec.DecodeError as wrong:
        raise SystemExit(f"{path} holds no benchmark results ({wrong}): delete it, and measure again") from None
    if results.format != FORMAT:
        raise SystemExit(f"{path} has format {results.format}, not {FORMAT}: delete it, and measure again")
    return results


def write(path: Path, results: Results) -> None:
    """Whole or not at all, a scenario a line: a diff tells what was measured anew. Raises `SystemExit` where it cannot
    be written."""
    encode, new = msgspec.json.encode, path.with_suffix(".new")
    parts = [
        b"%b:{\n%b\n}" % (encode(part), b",\n".join(b"%b:%b" % (encode(name), encode(each)) for name, each in found))
        for part, found in (("scenarios", results.scenarios.items()), ("revocation", results.revocation.items()))
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(b'{"format":%d,\n%b}\n' % (results.format, b",\n".join(parts)))
        new.replace(path)
    except OSError as wrong:
        raise SystemExit(f"{path} cannot be written: {wrong.strerror}") from None
