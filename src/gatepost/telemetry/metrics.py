"""Which metrics there are, whoever exports them. No label ever names a key, a project, an owner, an address or a path:
there are as many series as there are outcomes and tiers.

counts that are there anyway (`Figures`) ──read when somebody collects──> METRICS
waits for Redis, the database, workers   ──told as they end───────────> DURATIONS
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gatepost.base import BadInputError, Outcome, Wait
from gatepost.health import Figures
from gatepost.keys import APIKeys

Labels = tuple[str, ...]
Values = Mapping[Labels, float]

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histograms, in seconds: from an exchange with a Redis nearby to a change that waits out a
lease."""

ONE: Labels = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """`name`: Prometheus', without `gatepost_` and `_total`; `dotted`: OpenTelemetry's, without `gatepost.`. `kind`: a
    `counter` only rises; of several workers the `lowest` or the `highest` counts. `unit`: UCUM, as OpenTelemetry wants
    it. `labels`: their names. `read(figures)`: the values, by labels; none = not known."""

    name: str
    dotted: str
    kind: Literal["counter", "lowest", "highest"]
    unit: str
    told: str
    read: Callable[[Figures], Values]
    labels: Labels = ()
    known: tuple[Labels, ...] = ()
    """Labels that there are from the start, with 0: a rate needs a value before the first event."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A histogram of waits, in seconds. `labels`: of this wait; `result` is a label of each."""

    name: str
    dotted: str
    told: str
    labels: Mapping[str, str]


def _requests(figures: Figures) -> Values:
    return {(outcome.value,): count for outcome, count in (figures.requests or {}).items()}


def _lookups(figures: Figures) -> Values:
    counts = figures.lookups
    return {
        ("memory",): counts.from_memory + (figures.memory_hits or 0),
        ("redis",): counts.from_redis,
        ("database",): counts.from_database,
        ("none",): counts.unanswered,
    }


def _exchanges(figures: Figures) -> Values:
    return {("redis",): figures.lookups.gets, ("database",): figures.lookups.reads}


def _up(figures: Figures) -> Values:
    known = {"database": figures.database_up, "redis": figures.redis_up}
    return {(tier,): float(is_up) for tier, is_up in known.items() if is_up is not None}


def _polled(figures: Figures) -> Values:
    return {} if figures.polled_ago is None else {ONE: time.time() - figures.polled_ago}


def _lease(figures: Figures) -> Values:
    if figures.lease_ends_in is None:
        return {}
    return {ONE: time.time() + figures.lease_ends_in if figures.lease_ends_in else 0.0}


def _applied(figures: Figures) -> Values:
    return {} if figures.polled_ago is None else {ONE: figures.applied_seq}


def _memory(figures: Figures) -> Values:
    memory = figures.memory
    return {("keys",): memory.keys, ("absent",): memory.absent, ("floors",): memory.floors}


def _memory_max(figures: Figures) -> Values:
    memory = figures.memory
    return {("keys",): memory.keys_max, ("absent",): memory.absent_max, ("floors",): memory.floors_max}


def _fall_back(figures: Figures) -> Values:
    return {} if figures.limits_fall_back is None else {ONE: float(figures.limits_fall_back)}


TIERS = (("memory",), ("redis",), ("database",), ("none",))

METRICS = (
    Metric(
        "requests",
        "requests",
        "counter",
        "{request}",
        "Requests that were judged, and secrets that verify was given, by what came of them.",
        _requests,
        ("outcome",),
        tuple((outcome.value,) for outcome in Outcome),
    ),
    Metric(
        "lookups",
        "lookups",
        "counter",
        "{lookup}",
        "Lookups of secrets, by the tier that answered: memory, redis, database, or none.",
        _lookups,
        ("tier",),
        TIERS,
    ),
    Metric(
        "exchanges",
        "exchanges",
        "counter",
        "{exchange}",
        "Exchanges for lookups: an MGET or a SELECT serves all lookups that come together.",
        _exchanges,
        ("tier",),
        (("redis",), ("database",)),
    ),
    Metric(
        "tier_up",
        "tier.up",
        "lowest",
        "1",
        "1 = lookups ask this tier; 0 = the breaker skips it, and it is probed.",
        _up,
        ("tier",),
    ),
    Metric(
        "last_poll_timestamp_seconds",
        "last_poll.timestamp",
        "lowest",
        "s",
        "When the change log was last read: what is remembered is as old as that.",
        _polled,
    ),
    Metric(
        "lease_end_timestamp_seconds",
        "lease.end.timestamp",
        "lowest",
        "s",
        "Until when what is remembered may be believed; 0 = not at all.",
        _lease,
    ),
    Metric(
        "applied_seq",
        "applied_seq",
        "lowest",
        "{change}",
        "Number of the last change that was applied.",
        _applied,
    ),
    Metric("memory_entries", "memory.entries", "highest", "{entry}", "What a worker remembers.", _memory, ("kind",)),
    Metric(
        "memory_entries_max",
        "memory.entries.max",
        "highest",
        "{entry}",
        "How much of it a worker remembers at most.",
        _memory_max,
        ("kind",),
    ),
    Metric(
        "limits_fall_back",
        "limits.fall_back",
        "highest",
        "1",
        "1 = Redis does not count for limits, so each limit's on_outage holds.",
        _fall_back,
    ),
)

_LOOKUP = ("lookup_duration_seconds", "lookup.duration", "How long lookups waited for a tier, alone or with others.")

_LIMIT = (
    "limit_duration_seconds",
    "limit.duration",
    "How long Redis took to count for rates and slots, and the database to lease units of a quota.",
)

DURATIONS: Mapping[Wait, Duration] = {
    Wait.REDIS: Duration(*_LOOKUP, {"tier": "redis"}),
    Wait.DATABASE: Duration(*_LOOKUP, {"tier": "database"}),
    Wait.LIMITS: Duration(*_LIMIT, {"tier": "redis"}),
    Wait.QUOTA: Duration(*_LIMIT, {"tier": "database"}),
    Wait.POLL: Duration(
        "poll_duration_seconds", "poll.duration", "How long it took to read the change log, and to apply it.", {}
    ),
    Wait.CHANGE: Duration(
        "change_duration_seconds", "change.duration", "How long verbs waited for their transaction.", {}
    ),
    Wait.PROPAGATION: Duration(
        "propagation_duration_seconds",
        "propagation.duration",
        "How long it took, after the commit, until every worker acted on a change, or the caller gave up.",
        {},
    ),
}


RESULTS = ("ok", "failed")
"""That are there from the start; a wait may also be `cancelled`, when its caller has gone."""


def result_of(failure: BaseException | None) -> str:
    """One word for how a wait has ended."""
    if failure is None:
        return "ok"
    return "cancelled" if isinstance(failure, asyncio.CancelledError) else "failed"


class Risen:
    """What a counter has risen by. Counts begin anew whenever the keys are opened; and one that is read while requests
    end may be behind itself: then it waits until it is not."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._began: object = None
        self._seen: dict[Labels, float] = {}
        self.totals: dict[Labels, float] = dict.fromkeys(metric.known, 0.0)

    def since_last(self, figures: Figures) -> Values:
        """What has been added since the last time, by labels."""
        if figures.began is not self._began:
            self._began, self._seen = figures.began, {}
        risen = {}
        for labels, value in self._metric.read(figures).items():
            more = value - self._seen.get(labels, 0.0)
            if more > 0:
                risen[labels], self._seen[labels] = more, value
                self.totals[labels] = self.totals.get(labels, 0.0) + more
        return risen


def metrics_of(keys: APIKeys) -> Sequence[Metric]:
    """Those that these keys can tell: nobody knows of requests that are not counted."""
    return [metric for metric in METRICS if keys.counts_usage or metric.read is not _requests]


def checked_keys(keys: object) -> APIKeys:
    """The keys. Raises `BadInputError` for anything else, an app say."""
    if not isinstance(keys, APIKeys):
        raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}", "keys")
    return keys
