"""The report: a table for people while it runs, and JSON that is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import measured
from benchmarks.measured import RESULTS, Origin
from benchmarks.revocation.campaign import Phase

HEAD = (
    f"{'system':9}{'fault':34}{'requests':>9}{'checked':>9}{'wrong':>6}{'503':>6}{'p99 ms':>8}"
    f"{'taken':>7}{'median':>8}{'p99':>8}{'worst ms':>10}  {'acked/expired/left':20}{'back after':>10}"
)
"""`p99 ms`: of requests to the workers that the fault does not touch alone. `taken`: verbs that took something away;
after it their times from call to return. `back after`: seconds until every worker held a lease and used Redis."""


def line(phase: Phase) -> str:
    """One line of the table."""
    told = phase.report()
    requests, taken = told["request_ms"] or {}, told["taken_ms"] or {}
    workers = "/".join(str(told["workers"][how]) for how in ("acknowledged", "expired", "left"))
    back = "never" if phase.recovered is None else f"{phase.recovered:.1f} s"
    checked = told["checked"]["must_be_refused"] + told["checked"]["must_be_let_in"]
    return (
        f"{told['system']:9}{told['fault']:34}{told['requests']:9}{checked:9}"
        f"{told['wrong_passes'] + told['wrong_refusals']:6}{told['unavailable']:6}{requests.get('p99', 0):8.1f}"
        f"{told['taken']:7}{taken.get('median', 0):8.1f}{taken.get('p99', 0):8.1f}{taken.get('worst', 0):10.1f}"
        f"  {workers:20}{back:>10}"
    )


def totals(phases: Sequence[Phase]) -> Mapping[str, Any]:
    """Over all faults."""
    told = [phase.report() for phase in phases]
    return {
        "faults": len(told),
        "requests": sum(each["requests"] for each in told),
        "must_be_refused": sum(each["checked"]["must_be_refused"] for each in told),
        "must_be_let_in": sum(each["checked"]["must_be_let_in"] for each in told),
        "wrong_passes": sum(each["wrong_passes"] for each in told),
        "wrong_refusals": sum(each["wrong_refusals"] for each in told),
        "unavailable": sum(each["unavailable"] for each in told),
        "unavailable_unexpected": sum(each["unavailable"] for each in told if not each["unavailable_expected"]),
        "taken": sum(each["taken"] for each in told),
        "not_recovered": sum(phase.recovered is None for phase in phases),
    }


def keep(origin: Origin, parts: Mapping[str, Any], path: Path = RESULTS) -> None:
    """Write the parts that were measured now into the file, beside those of other times; each tells its origin."""
    results = measured.read(path)
    results.revocation |= {name: {"origin": msgspec.to_builtins(origin), **part} for name, part in parts.items()}
    measured.write(path, results)
