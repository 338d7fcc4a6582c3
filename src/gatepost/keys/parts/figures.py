"""Reads `Figures` off what is open: counts that are there anyway, so that no request pays for them."""

from typing import TYPE_CHECKING

from gatepost.base import Outcome
from gatepost.health import Figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatepost.keys.parts.opened import Opened

OPENED = (
    Outcome.VALID,
    Outcome.PERMISSION_DENIED,
    Outcome.PROJECT_DENIED,
    Outcome.ORIGIN_DENIED,
    Outcome.SUBJECT_DENIED,
    Outcome.LIMIT_EXCEEDED,
)
"""What comes of requests whose secret is that of a usable key: memory has told it, unless a lookup has."""


def read(opened: "Opened | None") -> Figures | None:
    """The figures; `None` where nothing is open. No I/O. May be called in another thread than the event loop's: counts
    that belong together may then be apart by what happens meanwhile."""
    if opened is None:
        return None
    freshness, lookup, redis = opened.freshness, opened.lookup, opened.redis
    requests = None if opened.flushing is None else opened.flushing.counter.by_outcome()
    return Figures(
        began=opened,
        requests=requests,
        lookups=lookup.counts,
        memory_hits=None if requests is None else _memory_hits(requests, lookup.counts.opened),
        memory=lookup.sizes(),
        lease_ends_in=freshness.lease_seconds() if freshness.started else None,
        polled_ago=freshness.polled_ago() if freshness.started else None,
        applied_seq=freshness.applied,
        redis_up=None if redis is None else redis.healthy,
        database_up=lookup.asks_database,
        limits_fall_back=None if redis is None else not redis.healthy or redis.limits_refusal is not None,
    )


def _memory_hits(requests: "Mapping[Outcome, int]", by_lookups: int) -> int:
    """Requests are counted when they end, lookups when they answer: so requests under way may be missing."""
    return max(0, sum(requests.get(outcome, 0) for outcome in OPENED) - by_lookups)
