"""What a benchmark found: plain values, kept as JSON. The reports are made from these and nothing else."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

FORMAT = 1
"""Of the results file. Raised when its form changes, so that a report never misreads an older file."""


Bound = Literal["at most", "at least"]
"""On which side of a limit a median has to lie."""


class Spread(msgspec.Struct, frozen=True):
    """Of several runs: their median, the quartiles around it, and the ends. One run is all five."""

    median: float
    low: float
    high: float
    least: float
    most: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> "Spread":
        """Raises `ValueError` where there is no run."""
        if not runs:
            raise ValueError("nothing was measured: there is no run")
        low, median, high = statistics.quantiles(runs, n=4, method="inclusive") if len(runs) > 1 else [runs[0]] * 3
        return cls(median=median, low=low, high=high, least=min(runs), most=max(runs))


class Judged(msgspec.Struct, frozen=True, kw_only=True):
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
        _numbers(self.runs)

    @property
    def spread(self) -> Spread:
        """Raises `ValueError` where nothing was measured."""
        return Spread.of(self.runs)

    @property
    def holds(self) -> bool | None:
        """Whether the limit is held, which it is not where nothing was measured; `None` where there is no limit."""
        return _holds(self.runs, self.limit, self.bound)


class Series(Judged, frozen=True, kw_only=True):
    """What one contestant did, in the unit of its table. Its limit is one that is no ratio (25 ms, 500 bytes, 1 call).

    `runs` is empty where it could not do it; `note` says why then. `note` else says what the contestant does less than
    gatepost, or what is worth knowing beside its number.
    """

    name: str
    note: str = ""


class Ratio(Judged, frozen=True, kw_only=True):
    """Two contestants against each other, round by round: what disturbs the machine disturbs both. `to_at`: where the
    other stands on the axis, where that is another place."""

    of: str
    to: str
    to_at: float | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answers. `better`: which way is. `axis`: what `at` counts, such as `connections`.

    `figures`: counts that belong to it and are not timed, such as round trips: texts for people, by name.
    `contest`: whether the others in it stand for what one would use instead; not so where they are parts of gatepost.
    """

    title: str
    unit: str
    better: Literal["less", "more"]
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...] = ()
    axis: str = ""
    figures: dict[str, str] = {}
    note: str = ""
    contest: bool = True


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
    """Scenarios by name. Those measured at different times stand beside each other, each with its origin."""

    format: int = FORMAT
    scenarios: dict[str, Measured] = {}


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
    """Whole or not at all. Raises `SystemExit` where it cannot be written."""
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
        new.replace(path)
    except OSError as wrong:
        raise SystemExit(f"{path} cannot be written: {wrong.strerror}") from None


def _numbers(runs: Sequence[float]) -> None:
    if not all(map(math.isfinite, runs)):
        raise ValueError("a run is infinite, or no number")


def _holds(runs: Sequence[float], limit: float | None, bound: Bound) -> bool | None:
    if limit is None:
        return None
    if not runs:
        return False
    median = Spread.of(runs).median
    return median <= limit if bound == "at most" else median >= limit
