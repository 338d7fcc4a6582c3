"""`RequestLimits`: what is left of the limits of one request, for the app."""

from collections.abc import Iterable, Sequence

from gatepost.base import BadInputError, Record
from gatepost.limits.bucket import LimitState, Taken
from gatepost.limits.demand import Demand, rate_limit
from gatepost.limits.limiter import Limiter


class RequestLimits:
    """What is left of the limits of one request: `scope["limits"]`.

    `states`: of each limit when the request was let in: the limit, units left (`None` = not known), seconds to wait,
    seconds until all is there. `key`: whose request it is.
    """

    __slots__ = ("_is_refused", "_limiter", "_taken", "demand", "has_end", "key", "states")

    def __init__(self, limiter: Limiter, demand: Demand, taken: Taken, key: Record) -> None:
        self._limiter = limiter
        self.demand = demand
        self._taken = [taken]
        self.key = key
        self._is_refused = False
        self.has_end = taken.slot is not None or bool(taken.held)
        """Whether there is anything for `end` to do."""
        self.states: Sequence[LimitState] = taken.states

    def left(self, name: str) -> int | None:
        """Units that were left of the limit called `name`; `None` = it was not asked, or there is none of that name."""
        return next((state.left for state in self.states if state.limit.name == name), None)

    async def charge(self, cost: int, name: str | None = None) -> None:
        """Count `cost` units more, though the request was let in: what it has cost is known only now. In the limit
        called `name`; `None` = in all rates and quotas. Of a rate at most its burst below nothing counts, of a quota
        what is left. One round trip where Redis counts. Raises `BadInputError`, `UnavailableError`."""
        if not isinstance(cost, int) or isinstance(cost, bool) or cost < 1:
            raise BadInputError(f"cost must be a whole number, 1 or more, not {cost!r:.50}", "cost")
        asked = [(bucket, cost) for bucket, _ in self.demand.asked if name in (None, bucket.limit.name)]
        if not asked:
            names = ", ".join(bucket.limit.name for bucket, _ in self.demand.asked)
            raise BadInputError(f"name: this request has no limit {name!r:.50}, but {names}", "name")
        await self._limiter.charge(asked)

    def refuse(self) -> None:
        """The request is refused after all: what it took is given back when it is over. From any thread."""
        self.has_end = self._is_refused = True

    async def take_more(self, cost: int) -> Taken:
        """Take `cost` units more of rates and quotas, or none. Raises `UnavailableError`."""
        taken = await self._limiter.take([(b, cost) for b, _ in self.demand.asked if b.limit.type != "slots"])
        told = {state.limit.name: state for state in taken.states}
        self.states = [told.get(state.limit.name, state) for state in self.states]
        if taken.let_in:
            self.keep(taken)
        return taken

    def keep(self, taken: Taken) -> None:
        """It was taken for this request too."""
        self._taken.append(taken)

    async def end(self) -> None:
        """The request is over: its slots are free."""
        for taken in self._taken:
            self._limiter.free(taken)
        if self._is_refused:
            for taken in self._taken:
                await self._limiter.give_back(taken)

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The two fields of the draft."""
        return fields_of(self.demand, self.states)


def fields_of(demand: Demand, states: Iterable[LimitState]) -> list[tuple[bytes, bytes]]:
    """The two fields of the draft, as headers."""
    fields = [(b"ratelimit-policy", demand.policy)]
    told = rate_limit(states)
    return [*fields, (b"ratelimit", told)] if told else fields
