"""The reports: numbers as people read them, what holds, who is ahead, plots, the page."""

import re
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from benchmarks.__main__ import DOCS
from benchmarks.measured import RESULTS, Ratio, Results, Series, Table
from benchmarks.report import figures, page, plots, terminal
from benchmarks.report.ahead import ahead
from benchmarks.report.limits import limits
from benchmarks.scenarios import NAMES, about
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks import measured
from tests.benchmarks.made_up import ADDED, CONNECTIONS, ORIGIN, SIZE, results
from tests.benchmarks.made_up import measured as made_up


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (2.5312, "µs", "2.53 µs"),
        (0.0000025312, "s", "2.53 µs"),
        (0.00000000031, "s", "0.310 ns"),
        (1.2, "ms", "1.20 ms"),
        (59_300.0, "ms", "59.3 s"),
        (0.0, "ms", "0 ms"),
        (-0.21, "µs", "-210 ns"),
        (18_432.7, "requests/s", "18,400 requests/s"),
        (999.7, "requests/s", "1,000 requests/s"),
        (9.999, "requests/s", "10.0 requests/s"),
        (487.0, "bytes", "487 bytes"),
        (9_440.0, "bytes", "9,440 bytes"),
        (9_440_000.0, "bytes", "9.44 MB"),
        (100.0, "% of requests", "100 % of requests"),
        (99.9996, "% of requests", "99.999 % of requests"),
        (99.2, "% of requests", "99.2 % of requests"),
    ],
)
def test_a_figure_has_three_digits_and_the_unit_that_is_easiest_to_read(value: float, unit: str, told: str) -> None:
    assert figures.figure(value, unit) == told


@given(st.floats(1e-9, 1e12))
def test_a_number_that_is_told_is_within_half_a_percent_of_it(value: float) -> None:
    assert float(figures.number(value).replace(",", "")) == pytest.approx(value, rel=0.00501)


def test_a_ratio_that_misses_its_limit_by_little_is_not_told_as_the_limit() -> None:
    missed = Ratio(of="gatepost", to="bare app", runs=(0.94996,), limit=0.95, bound="at least")
    assert not missed.holds
    assert figures.median(missed, "") == "0.94996"
    assert figures.median(msgspec.structs.replace(missed, runs=(0.93123,)), "") == "0.931"


def test_every_limit_is_told_with_whether_it_is_held() -> None:
    told = [(each.scenario, each.what, each.found, each.wanted, each.held) for each in limits(results(), NAMES)]
    assert told == [
        ("redis_hit", "gatepost / bare app, at 64 connections", "0.940", "at least 0.95", False),
        ("redis_hit", "gatepost, at 1,000 / at 1 connections", "1.20", "at most 1.3", True),
        ("refused", "gatepost / ten lines by hand", "1.50", "at most 1.75", True),
        ("growth", "gatepost, in process", "510 bytes", "at most 500 bytes", False),
    ]


def test_the_verdict_is_the_number_of_limits_that_are_not_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.verdict(results(), NAMES) == 2
    told = capsys.readouterr().out
    assert "2 of 4 are held on this run." in told
    assert told.count("✓") == told.count("✗") == 2
    assert terminal.verdict(results(), ["refused"]) == 0
    assert terminal.verdict(results(), ["cold"]) == 0


def test_a_limit_that_was_not_measured_counts_as_not_held(capsys: pytest.CaptureFixture[str]) -> None:
    lost = msgspec.structs.replace(ADDED, ratios=(Ratio(of="gatepost", to="bare app", runs=(), limit=1.0),))
    assert terminal.verdict(Results(scenarios={"cold": made_up(lost)}), ["cold"]) == 1
    assert "not measured" in capsys.readouterr().out


def test_a_quick_run_that_misses_a_limit_says_that_it_is_too_short(capsys: pytest.CaptureFixture[str]) -> None:
    quick = measured.Measured(origin=msgspec.structs.replace(ORIGIN, quick=True), tables=(SIZE,))
    assert terminal.verdict(Results(scenarios={"growth": quick}), NAMES) == 1
    assert "too short" in capsys.readouterr().out


def test_the_tables_fit_a_hundred_columns_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for name, each in results().scenarios.items():
        terminal.show(name, each)
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 100
    for text in ("2.50 µs", "2.48–2.52", "No expiry | no revocation.", "not measured", "It cannot do it.", "95,000",  # noqa: RUF001
                 "gatepost / ten lines by hand", "✓ at most 1.75", "to hold: at most 500 bytes",
                 "round trips: 0", "In process.", "0123456789ab"):  # fmt: skip
        assert text in told


def test_whoever_is_better_than_gatepost_in_a_table_is_found_and_nobody_else() -> None:
    found = [(each.theirs.name, each.theirs.at, round(each.times, 2), each.clear) for each in ahead(results(), NAMES)]
    assert found == [
        ("nginx map", 1.0, 1.04, True),
        ("nginx map", 64.0, 1.04, True),
        ("nginx map", 1000.0, 1.04, True),
        ("ten lines by hand", None, 1.56, True),
    ]


def test_a_contestant_is_compared_with_the_gatepost_that_a_ratio_pairs_it_with() -> None:
    several = Table(
        title="Check",
        unit="µs",
        series=(
            Series(name="gatepost, one", runs=(1.0,)),
            Series(name="gatepost, five", runs=(5.0,)),
            Series(name="a rival, five", runs=(3.0,)),
            Series(name="a rival, six", runs=(6.0,)),
        ),
        ratios=(Ratio(of="gatepost, five", to="a rival, five", runs=(5 / 3,)),),
    )
    (only,) = ahead(Results(scenarios={"cold": made_up(several)}), NAMES)
    assert (only.theirs.name, only.ours.name) == ("a rival, five", "gatepost, five")


def test_parts_of_gatepost_are_not_ahead_of_it() -> None:
    parts = msgspec.structs.replace(ADDED, contest=False)
    assert not ahead(Results(scenarios={"cold": made_up(parts)}), NAMES)


def test_a_lead_within_the_spread_is_told_as_such() -> None:
    near = msgspec.structs.replace(
        ADDED,
        series=(
            Series(name="gatepost", runs=(2.0, 3.0, 4.0)),
            Series(name="by hand", runs=(1.9, 2.9, 3.9)),
            Series(name="nothing at all", runs=(0.0, 0.0)),
        ),
    )
    first, second = ahead(Results(scenarios={"cold": made_up(near)}), NAMES)
    assert not first.clear
    assert second.times == float("inf")
    assert "within the spread" in page.markdown(Results(scenarios={"cold": made_up(near)}))


def test_the_page_says_what_it_is_made_by_what_holds_and_who_is_ahead() -> None:
    told = page.markdown(results())
    assert "make bench" in told.splitlines()[0]
    assert "o not edit" in told.splitlines()[0]
    assert "2 of 4 are held on this run." in told
    assert "| [Added time](#refused): gatepost / ten lines by hand | 1.50 | at most 1.75 | ✓ |" in told
    assert "| 0.940 | at least 0.95 | **✗** |" in told
    assert (
        "| [Added time](#refused) | ten lines by hand | 1.60 µs | 2.50 µs | 1.56 | No expiry \\| no revocation. |"
        in told
    )
    assert "| nginx map, at 1, 64 and 1,000 connections (figures: " in told
    assert "| a rival | not measured |  | It cannot do it. |" in told
    assert about("refused") in told
    assert "## Redis hit\n" in told
    assert "(budget.md)" in told
    assert not re.search(r"\n\n\n", told)


def test_the_page_of_no_results_and_of_no_leader_says_so() -> None:
    assert "Nothing was measured yet." in page.markdown(Results())
    assert "Nobody, on this run." in page.markdown(Results(scenarios={"growth": made_up(SIZE)}))


def test_a_scenario_measured_otherwise_than_most_says_what_differs_and_no_more() -> None:
    other = results()
    origin = msgspec.structs.replace(
        ORIGIN, python="CPython 3.13.1", commit="ba9876543210", versions={"redis": "7.0.0"}
    )
    other.scenarios["growth"] = measured.Measured(origin=origin, tables=(SIZE,))
    told = page.markdown(other)
    assert "With commit `ba9876543210`, CPython 3.13.1, redis 7.0.0, no starlette." in told
    assert told.count(" With ") == 1
    assert "commit `0123456789ab`. Versions: starlette 0.49.1, redis 8.1.0." in told


def test_a_scenario_that_there_is_no_more_is_in_no_report(tmp_path: Path) -> None:
    old = Results(scenarios={"of_old": made_up(ADDED)})
    assert "Added time" not in page.markdown(old)
    assert not limits(old, NAMES)
    plots.draw(old, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_plots_are_drawn_where_there_is_something_to_compare_and_old_ones_are_removed(tmp_path: Path) -> None:
    for name in ("benchmark-of_old-1.png", "keys.png"):
        (tmp_path / name).write_bytes(b"")
    plots.draw(results(), tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {"benchmark-refused-1.png", "benchmark-redis_hit-1.png", "keys.png"}
    assert drawn - {"keys.png"} == set(re.findall(r"\(images/(.*?)\)", page.markdown(results())))


def test_the_same_results_make_the_same_small_plots(tmp_path: Path) -> None:
    for folder in ("once", "again"):
        plots.draw(results(), tmp_path / folder)
    for path in (tmp_path / "once").iterdir():
        content = path.read_bytes()
        assert content == (tmp_path / "again" / path.name).read_bytes()
        assert len(content) < 60_000
        with Image.open(BytesIO(content)) as image:
            assert image.width <= 800
            assert image.height <= 400
            assert not image.info.keys() - {"dpi"}


def test_values_that_plots_have_trouble_with_are_drawn(tmp_path: Path) -> None:
    nothing = tuple(Series(name=name, runs=(0.0, 0.0)) for name in ("gatepost", "by hand"))
    below = (Series(name="gatepost", runs=(-0.1, 0.1, -0.2)), Series(name="by hand", runs=(3.0,)))
    zeros = tuple(Series(name="gatepost", runs=(0.0,), at=at) for at in (0.0, 1.0))
    many = tuple(Series(name=f"a contestant with a long name, number {n}", runs=(n + 1.0,)) for n in range(16))
    odd = [
        *(msgspec.structs.replace(ADDED, series=series) for series in (nothing, below, many)),
        *(msgspec.structs.replace(CONNECTIONS, series=series) for series in (zeros, CONNECTIONS.series)),
    ]
    for number, one in enumerate(odd):
        plots.draw(Results(scenarios={"cold": made_up(one)}), tmp_path / str(number))
    assert len([*tmp_path.rglob("*.png")]) == len(odd)
    plots.draw(Results(scenarios={"cold": made_up(*odd)}), tmp_path / "all")
    assert len([*(tmp_path / "all").iterdir()]) == page.PLOTS_MAX


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_says_in_a_line_what_it_measures(name: str) -> None:
    assert re.fullmatch(r"\S.*[^.]\.", about(name))


def test_the_page_and_the_plots_in_the_repository_are_those_of_the_results() -> None:
    assert RESULTS.exists(), "`make bench` makes it"
    kept = measured.read(RESULTS)
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == page.markdown(kept), (
        "`make bench ARGS=--report` makes it anew"
    )
    wanted = set(re.findall(r"\(images/(benchmark-.*?)\)", page.markdown(kept)))
    assert {path.name for path in (DOCS / "images").glob("benchmark-*.png")} == wanted
