"""What was measured: kept as it is, and reckoned right."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.measured import DIGITS, Measured, Ratio, Results, Series, Spread, Table
from benchmarks.rounds import Plan, ratio, take_turns
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from benchmarks import measured
from tests.benchmarks.made_up import ORIGIN, results

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RUNS = st.lists(NUMBERS, max_size=5).map(tuple)
PLACES = st.none() | NUMBERS
SERIES = st.builds(Series, name=st.text(), runs=RUNS, at=PLACES, note=st.text(), limit=PLACES)
RATIOS = st.builds(Ratio, of=st.text(), to=st.text(), runs=RUNS, at=PLACES, to_at=PLACES, limit=PLACES)
TABLES = st.builds(
    Table,
    series=st.lists(SERIES, max_size=3).map(tuple),
    ratios=st.lists(RATIOS, max_size=3).map(tuple),
    figures=st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(tables=st.lists(TABLES, max_size=2).map(tuple))
def test_what_was_measured_comes_back_from_json_as_it_was(tables: tuple[Table, ...]) -> None:
    kept = Results(scenarios={"cold": Measured(origin=ORIGIN, tables=tables)})
    assert json.decode(json.encode(kept), type=Results) == kept


def test_a_file_comes_back_as_it_was_and_none_is_no_results(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.json"
    assert measured.read(path) == Results()
    measured.write(path, results())
    assert measured.read(path) == results()
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_the_file_has_a_line_for_each_scenario_and_each_part_of_the_campaign(tmp_path: Path) -> None:
    path, kept = tmp_path / "results.json", results()
    kept.revocation = {"faults": {"totals": {"wrong_passes": 0}}, "polling": {"workers": 200}}
    measured.write(path, kept)
    assert measured.read(path) == kept
    begun = [line.partition(b":")[0].decode() for line in path.read_bytes().splitlines()]
    assert begun[2:-1] == ['"refused"', '"redis_hit"', '"growth"', "},", '"revocation"', '"faults"', '"polling"']


def test_runs_are_kept_with_as_many_digits_as_are_told_and_some_more() -> None:
    made = Series(name="gatepost", runs=(0.123456789, 98_765_432.1))
    assert made.runs == (0.1234568, 98_765_430.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no benchmark results"),
        (b'{"scenarios": {"cold"', "holds no benchmark results"),
        (b"\xff\xfe", "holds no benchmark results"),
        (b"[]", "holds no benchmark results"),
        (b'{"faults": {"origin": {}}}', "holds no benchmark results"),
        (b'{"scenarios": {"cold": {"tables": []}}}', "holds no benchmark results"),
        (b'{"format": 0}', "has format 0, not 2"),
    ],
)
def test_a_file_that_holds_no_results_gives_one_clear_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(SystemExit, match=told) as end:
        measured.read(path)
    assert str(path) in str(end.value)
    assert "\n" not in str(end.value)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_or_written_gives_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot be read: Is a directory"):
        measured.read(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="cannot be written"):
        measured.write(tmp_path / "file" / "results.json", results())


def spread_of(*runs: float) -> Spread:
    return Series(name="gatepost", runs=runs).spread


def test_a_spread_has_the_median_and_the_quartiles() -> None:
    assert spread_of(5, 1, 4, 2, 3) == Spread(median=3, low=2, high=4)
    assert spread_of(1, 2, 3, 4) == Spread(median=2.5, low=1.75, high=3.25)
    assert spread_of(7.0) == Spread(median=7.0, low=7.0, high=7.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        spread_of()


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_a_spread_is_in_order_around_the_median(runs: list[float]) -> None:
    spread = spread_of(*runs)
    runs = [float(f"{run:.{DIGITS}g}") for run in runs]
    assert spread.median == pytest.approx(statistics.median(runs))
    slack = 1e-6
    assert min(runs) <= spread.low + slack
    assert spread.low <= spread.median + slack
    assert spread.median <= spread.high + slack
    assert spread.high <= max(runs) + slack


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "made",
    [
        lambda bad: Series(name="gatepost", runs=(1.0, bad)),
        lambda bad: Ratio(of="gatepost", to="bare app", runs=(bad,)),
    ],
)
def test_what_json_could_not_keep_is_refused_at_once(made: Callable[[float], object], bad: float) -> None:
    with pytest.raises(ValueError, match="infinite, or no number"):
        made(bad)


def test_a_ratio_is_taken_pair_by_pair() -> None:
    runs = {"gatepost": [2.0, 9.0, 4.0], "by hand": [1.0, 3.0, 4.0]}
    found = ratio(runs, "gatepost", "by hand", limit=2.0)
    assert found.runs == (2.0, 3.0, 1.0)
    assert found.spread.median == 2.0
    assert found.holds is True


def test_a_ratio_of_added_times_takes_the_bare_app_of_the_same_round_off_both() -> None:
    runs = {"gatepost": [13.0, 27.0], "by hand": [12.0, 24.0], "bare app": [10.0, 20.0]}
    found = ratio(runs, "gatepost", "by hand", beyond="bare app")
    assert found.runs == (3.0 / 2.0, 7.0 / 4.0)
    assert found.holds is None


def test_a_ratio_of_contestants_with_unlike_rounds_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio({"gatepost": [1.0, 2.0], "by hand": [1.0]}, "gatepost", "by hand")


@pytest.mark.parametrize(
    ("runs", "limit", "bound", "holds"),
    [
        ((1.0, 2.0, 9.0), 2.0, "at most", True),
        ((1.0, 2.1, 9.0), 2.0, "at most", False),
        ((0.1, 0.95, 0.99), 0.95, "at least", True),
        ((0.1, 0.94, 0.99), 0.95, "at least", False),
        ((), 0.95, "at least", False),
        ((1.0,), None, "at most", None),
        ((), None, "at most", None),
    ],
)
def test_a_limit_is_held_by_the_median_and_never_by_what_was_not_measured(
    runs: tuple[float, ...], limit: float | None, bound: measured.Bound, holds: bool | None
) -> None:
    assert Ratio(of="gatepost", to="bare app", runs=runs, limit=limit, bound=bound).holds is holds
    assert Series(name="gatepost", runs=runs, limit=limit, bound=bound).holds is holds


@pytest.mark.parametrize("rounds", [1, 3, 7])
async def test_contestants_take_turns_and_another_begins_each_round(rounds: int) -> None:
    called: list[str] = []
    told: list[str] = []

    async def run(name: str) -> float:
        called.append(name)
        return float(len(called))

    contestants = {name: lambda name=name: run(name) for name in "abc"}
    runs = await take_turns(contestants, rounds, told.append)
    assert {name: len(values) for name, values in runs.items()} == dict.fromkeys("abc", rounds)
    assert "".join(called) == ("abcbcacab" * 3)[: 3 * rounds]
    assert told[0] == f"round 1 of {rounds}: a"
    assert all(
        value == number for name in "abc" for value, number in zip(runs[name], _numbers(called, name), strict=True)
    )


def _numbers(called: list[str], name: str) -> list[float]:
    return [float(number) for number, each in enumerate(called, 1) if each == name]


def test_a_quick_plan_picks_the_smaller_number() -> None:
    assert Plan(quick=True, tell=print).pick(60, 5) == 5
    assert Plan(quick=False, tell=print).pick(60, 5) == 60
