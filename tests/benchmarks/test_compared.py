"""docs/compared.md tells what was measured: its figures are those of benchmarks/results/benchmarks.json."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.measured import Results, read
from benchmarks.report.ahead import UNPROTECTED, Ahead, ahead
from benchmarks.report.figures import median, number

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "compared.md").read_text().split())
RESULTS = read(ROOT / "benchmarks" / "results" / "benchmarks.json")

CLEAR = 1.1
"""What is less ahead is within the spread, or nearly."""

OF_ANOTHER_KIND = ("Starlette", UNPROTECTED)
"""What is measured to compare by: the framework's own import, an app without anything."""


def furthest(results: Results) -> Iterator[Ahead]:
    """Whoever is clearly ahead in a table, where it is furthest."""
    most: dict[tuple[str, str], Ahead] = {}
    for each in ahead(results, results.scenarios):
        place = each.table.title, each.theirs.name
        if place not in most or each.times > most[place].times:
            most[place] = each
    for each in most.values():
        if CLEAR <= each.times < float("inf") and each.theirs.name.split(" (")[0] not in OF_ANOTHER_KIND:
            yield each


def row_of(each: Ahead) -> tuple[str, str, str]:
    """What its row ends with. The page tells requests a second in words."""
    figures = (median(one, each.table.unit).removesuffix(" requests/s") for one in (each.theirs, each.ours))
    theirs, ours = figures
    return theirs, ours, number(each.times)


def test_the_page_has_a_row_for_each_that_is_ahead_with_what_was_measured() -> None:
    rows = re.findall(r"\| ([\d,.]+(?: \S+)?) \| ([\d,.]+(?: \S+)?) \| ([\d,.]+) \|", PAGE)
    assert sorted(rows) == sorted(map(row_of, furthest(RESULTS)))


def of(scenario: str, title: str, name: str, to: str | None = None, at: float | None = None) -> str:
    """What was measured of a contestant; with `to` the ratio to that."""
    (table,) = [each for each in RESULTS.scenarios[scenario].tables if each.title == title]
    if to is not None:
        (ratio,) = [each for each in table.ratios if (each.of, each.to) == (name, to)]
        return median(ratio, "")
    (series,) = [each for each in table.series if each.name == name and each.at == at]
    return median(series, table.unit)


HTTP = "A valid key over HTTP: "
HIT = "Added time of a memory hit that is answered in one piece"
START = "From the start of uvicorn to the first answer"
BY_HAND = "GET by hand, keys in Redis"
AWAY = "Good keys let in: PostgreSQL killed, for longer than max_staleness"


def refusals() -> str:
    """How many times as many nginx refuses."""
    times = sorted(each.times for each in furthest(RESULTS) if each.theirs.name == "nginx map")
    return f"{number(times[0])} to {number(times[-1])}"


@pytest.mark.parametrize(
    "sentence",
    [
        f"[{refusals()} times as many refusals a second]",
        (
            f"[{of('requests', HTTP + 'FastAPI', 'gatepost', 'keyshield, cached, no delay')} to "
            f"{of('requests', HTTP + 'FastAPI', 'gatepost', 'fastapi-keygate')} times](benchmarks.md#requests)"
        ),
        (
            f"{of('requests', HTTP + 'Django REST framework', 'gatepost', 'djangorestframework-api-key')} times what "
            "djangorestframework-api-key does"
        ),
        f"{of('requests', HTTP + 'Starlette', 'gatepost', 'ten lines by hand')} of what a dict by hand does",
        (
            f"it costs {of('memory_hit', HIT, 'ten lines by hand')} where gatepost costs "
            f"{of('memory_hit', HIT, 'gatepost').removesuffix(' µs')},"
        ),
        (
            f"starts in {of('startup', START, 'bare app (FastAPI)')}, and with it in "
            f"{of('startup', START, 'gatepost (FastAPI)')}."
        ),
        (
            f"{of('outage', AWAY, BY_HAND).removesuffix(' of requests')} of requests with good keys "
            f"where gatepost lets in {of('outage', AWAY, 'gatepost, keys in memory').removesuffix(' of requests')} once"
        ),
    ],
)
def test_a_figure_in_a_sentence_of_the_page_is_what_was_measured(sentence: str) -> None:
    assert sentence in PAGE
