"""`Demand`: the buckets that a request takes from, and how their limits are announced."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from functools import lru_cache
from math import ceil

from gatepost.base import NAME_MAX, PERIOD_SECONDS, Limit, Limits, Quota, Rate, Slots
from gatepost.limits.bucket import Bucket, LimitState
from gatepost.limits.shared import Call

OF_APP = "app-"
"""What the kind of a holder begins with whose limits are in the app's code."""


class Demand:
    """`asked`: buckets, each with what a request costs in it. `policy`: the field `RateLimit-Policy` of
    draft-ietf-httpapi-ratelimit-headers-11, a list of structured fields (RFC 9651). `alone`: the one quota that is all
    there is; `None` = there is more, or something else. `call`: where all are rates, what is asked of Redis; likewise
    `None`."""

    __slots__ = ("alone", "asked", "call", "policy")

    def __init__(self, buckets: Iterable[Bucket]) -> None:
        self.asked = [(bucket, 1) for bucket in buckets]
        self.alone = self.asked[0][0] if len(self.asked) == 1 and self.asked[0][0].is_quota else None
        are_rates = self.asked and all(isinstance(bucket.limit, Rate) for bucket, _ in self.asked)
        self.call = Call.of(self.asked) if are_rates else None
        self.policy = ", ".join(_policy(bucket) for bucket, _ in self.asked).encode()

    def joined(self, other: "Demand") -> "Demand":
        """What asks for both. A limit of the other that has the name of one of these is told by whom it binds too."""
        own, others = ([bucket for bucket, _ in each.asked] for each in (self, other))
        names = {bucket.limit.name for bucket in own}
        taken = names | {bucket.limit.name for bucket in others}
        apart = []
        for bucket in others:
            apart.append(_told_apart(bucket, taken) if bucket.limit.name in names else bucket)
            taken.add(apart[-1].limit.name)
        return Demand([*own, *apart])


def _told_apart(bucket: Bucket, taken: Set[str]) -> Bucket:
    """The bucket, called by a name that is not taken where people are told of it: `project-minute` for `minute`."""
    kind = bucket.name.removeprefix(OF_APP).partition("/")[0]
    others = (f"{kind}-{bucket.limit.name}"[:NAME_MAX], *(f"{kind}-{number}" for number in range(len(taken) + 1)))
    return Bucket(bucket.name, replace(bucket.limit, name=next(each for each in others if each not in taken)))


def buckets_of(kind: str, holder: str, limits: Limits) -> Sequence[Bucket]:
    """Where the limits of a holder are counted. `kind`: what it is, `key` and so on; with `holder` it tells it from all
    others. A rate that is edited begins anew: what it has counted is a time, which means another number of units
    then. Slots have no resets: what is in flight holds them still."""
    return [Bucket(f"{kind}/{holder}/{limit.name}/{_resets(limit, limits)}{_terms(limit)}", limit) for limit in limits]


@lru_cache(maxsize=10_000)
def of_route(key_id: str, limit: Rate | Quota) -> Demand:
    """What a route's own limit asks of the requests of one key."""
    return Demand(buckets_of("route", key_id, Limits([limit])))


def rate_limit(states: Iterable[LimitState]) -> bytes:
    """The field `RateLimit` of the same draft: units left, and whole seconds until there are more: as many as were
    asked for, or where there were, all."""
    told = []
    for limit, left, wait, whole in states:
        if left is not None:
            seconds = wait or whole
            name = _quoted(limit.name)
            told.append(b"%b;r=%d" % (name, left) if seconds is None else b"%b;r=%d;t=%d" % (name, left, ceil(seconds)))
    return b", ".join(told)


@lru_cache(maxsize=1_000)
def _quoted(name: str) -> bytes:
    return f'"{name}"'.encode()


def _resets(limit: Limit, limits: Limits) -> int:
    return 0 if isinstance(limit, Slots) else limits.resets


def _terms(limit: Limit) -> str:
    return f"/{limit.units}/{limit.per}/{limit.burst}" if isinstance(limit, Rate) else ""


def _policy(bucket: Bucket) -> str:
    limit = bucket.limit
    if isinstance(limit, Rate):
        return f'"{limit.name}";q={limit.units};w={limit.per}'
    if isinstance(limit, Quota):
        return f'"{limit.name}";q={limit.units};w={PERIOD_SECONDS[limit.per]}'
    return f'"{limit.name}";q={limit.units};qu="concurrent-requests"'
