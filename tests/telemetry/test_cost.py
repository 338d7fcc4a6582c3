"""Telemetry that is off costs nothing, and on it costs a memory hit nothing either: counted."""

import subprocess
import sys

import pytest
from benchmarks.in_process import answering, drive, memory_hits, receive, scope_of, send
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.base import Ended, Wait
from gatepost.telemetry import OpenTelemetryMetrics, PrometheusMetrics, Tracing
from tests.benchmarks.executed import bytecodes, calls
from tests.telemetry.traffic import traffic, values


def test_nothing_of_it_is_loaded_unless_it_is_named() -> None:
    code = (
        "import asyncio, sys; from gatepost import APIKeys, APIKeyMiddleware\n"
        "async def main():\n"
        "    async with APIKeys('sqlite://') as keys: await keys.verify((await keys.create('x')).secret)\n"
        "asyncio.run(main())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "gatepost.keys" in loaded
    for unwanted in ("prometheus_client", "opentelemetry", "structlog", "gatepost.telemetry", "gatepost.logging"):
        assert not [name for name in loaded if name == unwanted or name.startswith(f"{unwanted}.")]
    assert "gatepost.keys.parts.figures" not in loaded


def turn_on(keys: APIKeys) -> None:
    """All three at once."""
    PrometheusMetrics(keys, registry=CollectorRegistry())
    OpenTelemetryMetrics(keys, meter_provider=MeterProvider([InMemoryMetricReader()]))
    Tracing(keys, tracer_provider=TracerProvider())


@pytest.mark.parametrize("compiled", [True, False])
async def test_a_memory_hit_executes_the_same_whether_it_is_on_or_off(compiled: bool) -> None:
    async with memory_hits(compiled=compiled) as hits:
        protected = APIKeyMiddleware(answering, hits.keys)

        def one() -> None:
            drive(protected(scope_of(hits.secret), receive, send))

        one()  # the first makes the cell that it is counted in
        off = bytecodes(one), calls(one)
        turn_on(hits.keys)
        assert (bytecodes(one), calls(one)) == off


async def test_what_is_not_watched_is_not_wrapped(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        opened = keys._opened()
        for part, method in ((opened.freshness, "poll"), (opened.database, "change"), (opened.propagations, "follow")):
            assert method not in vars(part)
        assert "_counted" not in vars(opened.lookup)
        assert opened.lookup._ask_redis == opened.lookup._from_redis.ask_or_join
        turn_on(keys)
        assert "change" in vars(opened.database)


class Broken(PrometheusMetrics):
    """Cannot write any more: its disk is full."""

    def begin(self, wait: Wait) -> Ended:
        if wait is Wait.CHANGE:
            raise OSError("No space left on device")
        return self._fail

    def refused(self, outcome: str, key_id: str | None, scope: object) -> None:  # noqa: ARG002 - as it is called
        self._fail()

    def closing(self) -> None:
        self._fail()

    def _fail(self, _failure: BaseException | None = None) -> None:
        raise OSError("No space left on device")


async def test_who_listens_and_fails_harms_no_request_and_is_told_once(
    ready_sqlite_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = APIKeys(ready_sqlite_url, redis_url)
    Broken(keys, registry=CollectorRegistry())
    other = CollectorRegistry()
    PrometheusMetrics(keys, registry=other)
    async with keys:
        await traffic(keys)
    assert values(other)["gatepost_requests_total{outcome=valid}"] == 12.0
    assert values(other)["gatepost_change_duration_seconds_count{result=ok}"] == 4.0
    told = [record for record in caplog.records if record.name == "gatepost.telemetry"]
    assert [record.getMessage()[:16] for record in told] == ["Telemetry failed"]
