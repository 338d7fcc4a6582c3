"""`Policies`: what beside keys' own limits holds for requests, and what one takes from in all."""

from collections.abc import Iterable, Mapping

from gatepost.base import BadInputError, Limit, LimitedRecord, Limits, Quota, Record, UnavailableError, checked_limits
from gatepost.limits.demand import OF_APP, Demand, buckets_of
from gatepost.temporary import TemporaryRecord

KINDS = ("all", "project", "owner", "key")
"""Whose requests count together: everybody's, those of a project's keys, those of an owner's, those of one key."""

DEMANDS_MAX = 10_000
"""Most keys, owners and projects whose demands are remembered."""

_EXAMPLE = "write limits={'project': [Rate(1000, per=60)], 'all': [...], 'owner': [...], 'key': [...]}"


class Policies:
    """The limits that a middleware adds to those of keys. `limits`: lists by what they hold for: `all`, `project` (each
    project apart; keys of no project together), `owner` (each owner apart, whatever the project; keys of nobody are
    not bound) or `key` (each key apart). Raises `BadInputError`."""

    def __init__(self, limits: Mapping[str, Iterable[Limit]] | None) -> None:
        if limits is not None and not isinstance(limits, Mapping):
            raise BadInputError(f"limits must say for whom: {_EXAMPLE}; not {limits!r:.50}", "limits")
        self._limits: dict[str, Limits] = {}
        for kind, listed in (limits or {}).items():
            if kind not in KINDS:
                raise BadInputError(f"limits: there is no {kind!r:.50}, but {', '.join(KINDS)}: {_EXAMPLE}", "limits")
            self._limits[kind] = checked_limits(listed)
        Limits(limit for each in self._limits.values() for limit in each)  # no two of one name
        self._by_owner = bool(self._limits.get("owner"))
        self._bind_everybody = any(limits for kind, limits in self._limits.items() if kind != "owner")
        self._demands: dict[tuple[str | None, str | None, str | None], Demand] = {}
        self._joint: dict[str, tuple[Demand, Demand, Demand]] = {}

    def __bool__(self) -> bool:
        return any(self._limits.values())

    @property
    def are_split(self) -> bool:
        """Whether any of them is counted by each worker in part where there is no Redis: quotas never are."""
        return any(not isinstance(limit, Quota) for each in self._limits.values() for limit in each)

    def bind(self, key: Record) -> bool:
        """Whether a request with that key takes from any of them."""
        return self._bind_everybody or (self._by_owner and key.owner is not None)

    def demand(self, key: Record) -> Demand:
        """What a request with that key takes from: its own limits, and these; of a temporary secret those of what it
        was made from too. Raises `UnavailableError` where its own cannot be read."""
        if isinstance(key, TemporaryRecord):
            own = _demand_of_both(key)
        elif isinstance(key, LimitedRecord):
            own = _own_demand(key)
        else:
            return self._added(key)
        return self._joined(key.id, own, self._added(key)) if self.bind(key) else own

    def _added(self, key: Record) -> Demand:
        owner = key.owner if self._by_owner else None  # which is read from JSON
        place = (key.project, owner, key.id if "key" in self._limits else None)
        demand = self._demands.get(place)
        if demand is None:
            if len(self._demands) >= DEMANDS_MAX:
                self._demands.clear()
            holders = {"all": "", "project": key.project or "", "owner": owner, "key": key.id}
            demand = self._demands[place] = Demand(
                bucket
                for kind, limits in self._limits.items()
                if (holder := holders[kind]) is not None
                for bucket in buckets_of(f"{OF_APP}{kind}", holder, limits)
            )
        return demand

    def _joined(self, key_id: str, own: Demand, added: Demand) -> Demand:
        """Both, made once for as long as neither changes."""
        known = self._joint.get(key_id)
        if known is None or known[0] is not own or known[1] is not added:
            if len(self._joint) >= DEMANDS_MAX:
                self._joint.clear()
            known = self._joint[key_id] = (own, added, own.joined(added))
        return known[2]


def _own_demand(key: Record) -> Demand:
    demand: Demand | None = key.asked if isinstance(key, LimitedRecord) else None
    if demand is None:
        if not key.limits:
            raise UnavailableError(f"The limits of key {key.id} cannot be read: set them anew")
        demand = Demand(buckets_of("key", key.id, key.limits))
        if isinstance(key, LimitedRecord):
            key.remember_asked(demand)
    return demand


def _demand_of_both(key: TemporaryRecord) -> Demand:
    """The parent's limits, which all that was issued of it uses up together, and the secret's own."""
    demand: Demand | None = key.asked
    if demand is None:
        holder = f"{key.claims.expires_at}.{key.claims.name}"  # so the database knows when what it has spent can go
        own = Demand(buckets_of("temporary", holder, key.claims.limits))
        demand = _own_demand(key.parent).joined(own) if key.parent.is_limited else own
        key.remember_asked(demand)
    return demand
