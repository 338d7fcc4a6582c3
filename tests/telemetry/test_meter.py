"""OpenTelemetry is told the same as Prometheus."""

from collections.abc import Mapping

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from prometheus_client import CollectorRegistry

from gatepost import APIKeys, BadInputError
from gatepost.telemetry import OpenTelemetryMetrics, PrometheusMetrics
from gatepost.telemetry.metrics import DURATIONS, METRICS
from tests.telemetry.traffic import traffic, values


def observed(reader: InMemoryMetricReader) -> Mapping[tuple[str, ...], float]:
    """By name and values of attributes: numbers, and how many there are in histograms."""
    data = reader.get_metrics_data()
    told: dict[tuple[str, ...], float] = {}
    for metric in [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            labels = (str(value) for _, value in sorted((point.attributes or {}).items()))
            assert isinstance(point, NumberDataPoint | HistogramDataPoint)
            told[metric.name, *labels] = point.value if isinstance(point, NumberDataPoint) else point.count
    return told


async def test_it_tells_the_same_as_prometheus(ready_sqlite_url: str, redis_url: str) -> None:
    reader, registry = InMemoryMetricReader(), CollectorRegistry()
    keys = APIKeys(ready_sqlite_url, redis_url)
    OpenTelemetryMetrics(keys, meter_provider=MeterProvider([reader]))
    PrometheusMetrics(keys, registry=registry)
    async with keys:
        callers = await traffic(keys)
        told, prometheus = observed(reader), values(registry)
    for metric in METRICS:
        suffix = "_total" if metric.kind == "counter" else ""
        same = {name: each for name, each in told.items() if name[0] == f"gatepost.{metric.dotted}"}
        assert same, metric
        if "timestamp" in metric.name:
            continue
        for (_, *labels), value in same.items():
            shown = "".join(f"{{{name}={each}}}" for name, each in zip(metric.labels, labels, strict=True))
            assert prometheus.get(f"gatepost_{metric.name}{suffix}{shown}", 0.0) == value, (metric, labels)
    assert told["gatepost.requests", "valid"] == 12
    assert told["gatepost.lookup.duration", "redis"] == told["gatepost.lookup.duration", "database"] == 3
    assert told["gatepost.change.duration",] == 4
    dotted = {each.dotted for each in METRICS} | {each.dotted for each in DURATIONS.values()}
    assert {name for name, *_ in told} <= {f"gatepost.{name}" for name in dotted}
    assert not any(unwanted in repr(told) for unwanted in (*callers.ids, *callers.secrets, "acme", "ann"))


async def test_while_the_keys_are_closed_what_was_counted_is_told_and_no_state(ready_sqlite_url: str) -> None:
    reader = InMemoryMetricReader()
    keys = APIKeys(ready_sqlite_url)
    OpenTelemetryMetrics(keys, meter_provider=MeterProvider([reader]))
    async with keys:
        await traffic(keys)
    told = observed(reader)
    assert told["gatepost.requests", "valid"] == 12
    assert not any(name[0] == "gatepost.tier.up" for name in told)


def test_what_is_no_keys_is_refused() -> None:
    with pytest.raises(BadInputError, match="keys must be an APIKeys, not str"):
        OpenTelemetryMetrics("sqlite://")  # type: ignore[arg-type]
