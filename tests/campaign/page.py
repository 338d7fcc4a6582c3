"""The table of docs/topologies.md: what the campaign over the topologies found, a line a fault."""

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.origin import ROOT

PAGE = ROOT / "docs" / "topologies.md"
BEGIN, END = "<!-- made by: make campaign ARGS=topologies -->", "<!-- until here -->"

HEAD = (
    "| where | what happens to it | answers judged | wrong | 503 | a verb that takes away, ms: median, worst "
    "| workers that said so, whose lease ran out | well again after |\n|---|---|---:|---:|---:|---:|---:|---:|"
)


def row(told: Mapping[str, Any]) -> str:
    """A line: of a fault's report."""
    checked, workers, taken = sum(told["checked"].values()), told["workers"], told["taken_ms"]
    wrong = told["wrong_passes"] + told["wrong_refusals"]
    times = f"{taken['median']:,.0f}, {taken['worst']:,.0f}" if taken else ""
    back = told["recovered_seconds"]
    return (
        f"| {told['system']} | {told['fault']} | {checked:,} | {wrong} | {told['unavailable']:,} | {times} "
        f"| {workers['acknowledged']:,}, {workers['expired']:,} | {'never' if back is None else f'{back:.1f} s'} |"
    )


def table(faults: Iterable[Mapping[str, Any]]) -> str:
    """All lines."""
    return "\n".join([HEAD, *map(row, faults)])


def write(faults: Iterable[Mapping[str, Any]]) -> None:
    """Put it between the page's marks."""
    page = PAGE.read_text()
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(faults)}\n{END}{after}")
