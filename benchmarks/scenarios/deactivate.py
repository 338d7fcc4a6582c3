"""How long `deactivate()` takes from call to return, when no worker lets the key in any more: 1, 4 and 16 workers.

The arrangement of `tests.campaign`: PostgreSQL, Redis, workers under uvicorn that serve some ten requests a
second each, and an administrator, each a process of its own; wherever the system runs them, since what is timed is all
of them together. Every worker remembers the key before it is deactivated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.campaign.latency import BUSY_PAUSE, PLAN, bulk_rounds, deactivations, serve_good_keys
from tests.campaign.site import Site, running

from benchmarks.measured import Series, Table
from benchmarks.rounds import Plan, series

WORKERS, WORKERS_QUICK = (1, 4, 16), (4,)
LIMITED = 4
"""The number of workers that a limit is set for."""

LIMIT_MS = 25
CALLS, CALLS_QUICK = 200, 20
BULK_KEYS, BULK_ROUNDS = 10_000, 2

WHOLE = "gatepost"
SPREADING = "gatepost, from the commit to the return"


async def measure(plan: Plan) -> Sequence[Table]:
    """Milliseconds, a value a call."""
    taken: dict[int, Sequence[Mapping[str, Any]]] = {}
    tables = []
    for workers in WORKERS_QUICK if plan.quick else WORKERS:
        plan.tell(f"starting {workers} workers")
        async with running(replace(PLAN, workers=workers)) as site:
            await serve_good_keys(site)
            calls = plan.pick(CALLS, CALLS_QUICK)
            plan.tell(f"{workers} workers: deactivating {calls} keys, one by one")
            taken[workers] = _checked(await deactivations(site, calls), workers)
            if workers == LIMITED and not plan.quick:
                plan.tell(f"{LIMITED} workers: deactivating {BULK_KEYS:,} keys in one call")
                tables.append(await _bulk(site))
    return [_single(taken), *tables]


def _single(taken: Mapping[int, Sequence[Mapping[str, Any]]]) -> Table:
    found: list[Series] = []
    figures = {}
    for workers, calls in taken.items():
        times = [(done["ended"] - done["began"]) / 1e6 for done in calls]
        runs = {WHOLE: times, SPREADING: [1000 * done["seconds"] for done in calls]}
        found += series(runs, at=workers, limits={WHOLE: LIMIT_MS} if workers == LIMITED else {})
        figures[f"99 of 100 calls, {workers} workers"] = f"{sorted(times)[int(len(times) * 0.99)]:.1f} ms"
        figures[f"the slowest call, {workers} workers"] = f"{max(times):.1f} ms"
    return Table(
        title="deactivate(), from call to return",
        unit="ms",
        axis="workers",
        series=tuple(found),
        figures=figures,
        note="When it returns, no worker accepts the key any more: all have said so.",
    )


async def _bulk(site: Site) -> Table:
    await site.tell_load(pause=BUSY_PAUSE)
    rounds = (await bulk_rounds(site, BULK_KEYS, BULK_ROUNDS))["rounds"]
    if any(each["good_refused"] for each in rounds):
        raise RuntimeError("requests with a key that was not deactivated were refused")
    worst = {name: max(each[f"good_{name}_ms"]["p99"] for each in rounds) for name in ("before", "during")}
    return Table(
        title=f"deactivate() of {BULK_KEYS:,} keys in one call, {LIMITED} workers, from call to return",
        unit="s",
        series=series({WHOLE: [each["seconds"] for each in rounds]}),
        figures={
            "99 of 100 requests with other keys, before": f"{worst['before']:.1f} ms",
            "99 of 100 requests with other keys, meanwhile": f"{worst['during']:.1f} ms",
        },
        note="One transaction. All processes share this machine's cores.",
    )


def _checked(calls: Sequence[Mapping[str, Any]], workers: int) -> Sequence[Mapping[str, Any]]:
    """Raises `RuntimeError` where a call failed, or returned before each worker had acknowledged it."""
    for done in calls:
        if "error" in done or not done["complete"]:
            raise RuntimeError(f"{workers} workers: a call of deactivate() did not do its work: {done}")
    if not any(done["acknowledged"] == workers for done in calls):
        raise RuntimeError(f"{workers} workers: no call was acknowledged by all of them")
    return calls
