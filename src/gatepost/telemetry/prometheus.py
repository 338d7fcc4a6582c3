"""`PrometheusMetrics`: for prometheus-client, in one process or in several.

one process       scrape ──> collect ──> figures are read, then told
several processes poll, change, end ──> figures are read into the files of PROMETHEUS_MULTIPROC_DIR <── scrape
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from gatepost.base import BadInputError, Ended, Wait
from gatepost.keys import APIKeys
from gatepost.telemetry import metrics as table
from gatepost.telemetry.metrics import BUCKETS, DURATIONS, RESULTS, Risen, checked_keys, metrics_of, result_of

SHARED = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""The variable by which prometheus-client is told to write its values into files, and its older name."""

_MODES: Mapping[str, Literal["livemin", "livemax"]] = {"lowest": "livemin", "highest": "livemax"}

_READ_AFTER = (Wait.POLL, Wait.CHANGE, Wait.PROPAGATION)
"""After which waits the files are written, where several processes share them: a worker polls every second."""


class PrometheusMetrics(Collector):
    """The metrics of these keys, in a registry of prometheus-client's: `PrometheusMetrics(keys)`, once, before or after
    the keys are opened. What memory hits count is read when somebody collects; a hit does nothing for it.

    `registry`: where to register; not used where several processes share their values (`PROMETHEUS_MULTIPROC_DIR` was
    set before this), for then a `MultiProcessCollector` tells of all of them. Raises `BadInputError` where the registry
    has the metrics of other keys.
    """

    def __init__(self, keys: APIKeys, *, registry: CollectorRegistry = REGISTRY) -> None:
        self._keys = checked_keys(keys)
        self._reading = threading.Lock()
        self._shares = any(name in os.environ for name in SHARED)
        metrics = metrics_of(keys)
        self._counters = [(_counter(metric), Risen(metric)) for metric in metrics if metric.kind == "counter"]
        self._states = [metric for metric in metrics if metric.kind != "counter"]
        self._gauges: dict[str, Gauge] = {}
        """Made once there is something to tell: a gauge begins with 0, which of a moment, or in a file that a process
        leaves behind, would be the worst that there is."""
        self._histograms = _histograms()
        if not self._shares:
            try:
                registry.register(self)
            except ValueError as twice:
                raise BadInputError(
                    "registry: it has gatepost's metrics already, of these keys or of others: make PrometheusMetrics "
                    "once, or give the others PrometheusMetrics(keys, registry=CollectorRegistry())",
                    "registry",
                ) from twice
        keys.listen(self)

    def describe(self) -> Iterator[Metric]:
        """Names and types, for the registry."""
        for counter, _ in self._counters:
            yield from counter.describe()
        for metric in self._states:
            yield Metric(f"gatepost_{metric.name}", metric.told, "gauge")
        for histogram in self._histograms.values():
            yield from histogram.describe()

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now; while the keys are closed what was counted before. From any thread."""
        is_open = self._read()
        for counter, _ in self._counters:
            yield from counter.collect()
        if is_open:
            for gauge in self._gauges.values():
                yield from gauge.collect()
        for histogram in self._histograms.values():
            yield from histogram.collect()

    def begin(self, wait: Wait) -> Ended:
        """A wait begins."""
        return partial(self._ended, wait, time.perf_counter())

    def refused(self, outcome: str, key_id: str | None, scope: Mapping[str, Any]) -> None:
        """It is counted with the requests."""

    def closing(self) -> None:
        """The keys are about to be closed: their counts are kept."""
        self._read()

    def _ended(self, wait: Wait, began: float, failure: BaseException | None) -> None:
        duration = DURATIONS[wait]
        histogram = self._histograms[duration.name]
        histogram.labels(*duration.labels.values(), result_of(failure)).observe(time.perf_counter() - began)
        if self._shares and wait in _READ_AFTER:
            self._read()

    def _read(self) -> bool:
        """Take in what the keys have counted; answers whether they are open."""
        with self._reading:
            figures = self._keys.figures()
            if figures is None:
                return False
            for counter, risen in self._counters:
                for labels, more in risen.since_last(figures).items():
                    (counter.labels(*labels) if labels else counter).inc(more)
            for metric in self._states:
                for labels, value in metric.read(figures).items():
                    gauge = self._gauges.get(metric.name) or self._gauges.setdefault(metric.name, _gauge(metric))
                    (gauge.labels(*labels) if labels else gauge).set(value)
            return True


def _counter(metric: table.Metric) -> Counter:
    counter = Counter(f"gatepost_{metric.name}", metric.told, metric.labels, registry=None)
    for labels in metric.known:
        counter.labels(*labels)
    return counter


def _gauge(metric: table.Metric) -> Gauge:
    mode = _MODES[metric.kind]
    return Gauge(f"gatepost_{metric.name}", metric.told, metric.labels, registry=None, multiprocess_mode=mode)


def _histograms() -> Mapping[str, Histogram]:
    made: dict[str, Histogram] = {}
    for duration in DURATIONS.values():
        if duration.name not in made:
            labels = (*duration.labels, "result")
            name = f"gatepost_{duration.name}"
            made[duration.name] = Histogram(name, duration.told, labels, registry=None, buckets=BUCKETS)
        for result in RESULTS:
            made[duration.name].labels(*duration.labels.values(), result)
    return made
