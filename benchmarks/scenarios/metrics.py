"""What metrics add to a memory hit, in process: PrometheusMetrics and OpenTelemetryMetrics, each against none.

The same keys three times, two of them with an exporter. The app answers in one piece, called directly and through
each middleware. Times are what each adds to the bare call. A hit does nothing for metrics (a test counts its
bytecodes): they are read off counts that are there anyway, when somebody collects. What that takes is the last table.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import ASGIApp

from benchmarks.in_process import answering, in_python, memory_hits, time_calls
from benchmarks.measured import Table
from benchmarks.rounds import Contestant, Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware
from gatepost.keys import APIKeys
from gatepost.telemetry import OpenTelemetryMetrics, PrometheusMetrics

BARE, OFF = "bare app", "gatepost"
PROMETHEUS, OPENTELEMETRY = "gatepost, PrometheusMetrics", "gatepost, OpenTelemetryMetrics"

LIMIT = 1.1
"""Of the time that a hit adds without metrics."""

COLLECTED = 20
"""Collections a round."""

Collect = Callable[[], object]


async def measure(plan: Plan) -> Sequence[Table]:
    """Added time, and that of a collection, in µs."""
    async with AsyncExitStack() as stack:
        collects: dict[str, Collect] = {}
        return [
            await _hits(plan, stack, " with metrics", collects),
            await _hits(plan, stack, " with metrics, in Python", {}, compiled=False),
            await _collections(plan, collects),
        ]


async def _hits(
    plan: Plan, stack: AsyncExitStack, which: str, collects: dict[str, Collect], *, compiled: bool = True
) -> Table:
    """`collects`: what collects the metrics of each is put there."""
    contestants: dict[str, Contestant] = {}
    for name in (OFF, PROMETHEUS, OPENTELEMETRY):
        hits = await stack.enter_async_context(memory_hits(compiled=compiled))
        app = _protected(hits.keys, compiled=compiled)
        contestants[name] = partial(time_calls, app, hits.secret)
        if name in TURNED_ON:
            collects[name] = TURNED_ON[name](hits.keys)
    contestants[BARE] = partial(time_calls, answering, "")
    runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
    return Table(
        title=f"Added time of a memory hit{which}",
        unit="µs",
        series=series(runs, beyond=BARE),
        ratios=tuple(ratio(runs, name, OFF, beyond=BARE, limit=LIMIT) for name in TURNED_ON),
        contest=False,
    )


async def _collections(plan: Plan, collects: Mapping[str, Collect]) -> Table:
    contestants = {name: partial(_time_collections, collect) for name, collect in collects.items()}
    runs = await take_turns(contestants, plan.pick(50, 5), plan.tell)
    return Table(
        title="Collecting all metrics once",
        unit="µs",
        series=series(runs),
        contest=False,
        note="As Prometheus' text, and as the points that an exporter of OpenTelemetry's is given.",
    )


def _protected(keys: APIKeys, *, compiled: bool) -> ASGIApp:
    if compiled:
        return APIKeyMiddleware(answering, keys)
    with in_python():
        return APIKeyMiddleware(answering, keys)


def _turn_prometheus_on(keys: APIKeys) -> Collect:
    registry = CollectorRegistry()
    PrometheusMetrics(keys, registry=registry)
    return partial(generate_latest, registry)


def _turn_opentelemetry_on(keys: APIKeys) -> Collect:
    reader = InMemoryMetricReader()
    OpenTelemetryMetrics(keys, meter_provider=MeterProvider([reader]))
    return reader.get_metrics_data


TURNED_ON: Mapping[str, Callable[[APIKeys], Collect]] = {
    PROMETHEUS: _turn_prometheus_on,
    OPENTELEMETRY: _turn_opentelemetry_on,
}


async def _time_collections(collect: Collect) -> float:
    """A round: µs each. Raises `RuntimeError` where nothing is told."""
    begun = time.perf_counter()
    for _ in range(COLLECTED):
        told = collect()
    spent = (time.perf_counter() - begun) / COLLECTED * 1e6
    if not told:
        raise RuntimeError("there was nothing to collect")
    return spent
