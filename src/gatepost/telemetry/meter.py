"""`OpenTelemetryMetrics`: the same metrics through OpenTelemetry's API, for whatever SDK and exporter the app has set
up. Its instruments are read when the SDK collects.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from gatepost.base import Ended, Wait
from gatepost.keys import APIKeys
from gatepost.telemetry.metrics import BUCKETS, DURATIONS, Labels, Metric, Risen, checked_keys, metrics_of, result_of


class OpenTelemetryMetrics:
    """The metrics of these keys: `OpenTelemetryMetrics(keys)`, once, before or after the keys are opened. They are
    named `gatepost.requests`, and so on; attributes `gatepost.outcome`, `gatepost.tier`, `gatepost.kind`, `error.type`.

    `meter_provider`: `None` = the global one. Raises `BadInputError` for anything but keys.
    """

    def __init__(self, keys: APIKeys, *, meter_provider: MeterProvider | None = None) -> None:
        self._keys = checked_keys(keys)
        meter = get_meter("gatepost", meter_provider=meter_provider)
        self._reading = threading.Lock()
        metrics = metrics_of(keys)
        self._risen = {metric.name: Risen(metric) for metric in metrics if metric.kind == "counter"}
        for metric in metrics:
            create = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
            create(f"gatepost.{metric.dotted}", [partial(self._observe, metric)], metric.unit, metric.told)
        self._histograms = {
            duration.dotted: meter.create_histogram(
                f"gatepost.{duration.dotted}", "s", duration.told, explicit_bucket_boundaries_advisory=BUCKETS
            )
            for duration in {each.dotted: each for each in DURATIONS.values()}.values()
        }
        keys.listen(self)

    def begin(self, wait: Wait) -> Ended:
        """A wait begins."""
        return partial(self._ended, wait, time.perf_counter())

    def refused(self, outcome: str, key_id: str | None, scope: Mapping[str, Any]) -> None:
        """It is counted with the requests."""

    def closing(self) -> None:
        """The keys are about to be closed: their counts are kept."""
        with self._reading:
            figures = self._keys.figures()
            if figures is not None:
                for risen in self._risen.values():
                    risen.since_last(figures)

    def _observe(self, metric: Metric, _options: CallbackOptions) -> Iterable[Observation]:
        with self._reading:  # the SDK collects in a thread of its own
            figures = self._keys.figures()
            risen = self._risen.get(metric.name)
            if risen is not None:
                if figures is not None:
                    risen.since_last(figures)
                return list(_observations(metric, risen.totals))
        return [] if figures is None else list(_observations(metric, metric.read(figures)))

    def _ended(self, wait: Wait, began: float, failure: BaseException | None) -> None:
        duration = DURATIONS[wait]
        attributes = {f"gatepost.{name}": value for name, value in duration.labels.items()}
        if failure is not None:
            attributes["error.type"] = result_of(failure)
        self._histograms[duration.dotted].record(time.perf_counter() - began, attributes)


def _observations(metric: Metric, values: Mapping[Labels, float]) -> Iterator[Observation]:
    for labels, value in values.items():
        names = (f"gatepost.{name}" for name in metric.labels)
        yield Observation(value, dict(zip(names, labels, strict=True)))
