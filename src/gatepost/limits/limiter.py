"""`Limiter`: takes from all the limits of a request, or from none of them.

    quotas, from leases in memory ──> rates and slots, in one call of Redis for many requests ──> let in
          └── refused: nothing taken      └── refused: quotas get theirs back    └── silent: each limit's on_outage

Without a Redis rates and slots are counted in this process: all of them where it is the only one, else its part.
"""

from collections.abc import Sequence

from gatepost.base import Clock, Limit, Quota, Rate, Slots, UnavailableError, boot_clock
from gatepost.limits.bucket import Asked, Bucket, Lease, LimitState, Taken
from gatepost.limits.leases import Leases
from gatepost.limits.members import Members
from gatepost.limits.rates import LocalRates
from gatepost.limits.shared import Answer, Call, SharedCounts
from gatepost.limits.slots import LocalSlots


class Limiter:
    """What one worker lets in. `shared`: who counts for all of them; `None` = nobody does."""

    def __init__(
        self, leases: Leases, shared: SharedCounts | None, members: Members, *, clock: Clock = boot_clock
    ) -> None:
        self._leases = leases
        self._shared = shared
        self._members = members
        self._rates = LocalRates(members, clock)
        self._slots = LocalSlots(members)

    def take_at_once(self, asked: Asked) -> Taken | None:
        """As `take`, where that needs no I/O; else `None`, and nothing is taken."""
        shared = self._shared is not None or not self._members.number
        states = []
        for bucket, cost in asked:
            limit = bucket.limit
            if isinstance(limit, Quota):
                state = self._leases.look(bucket.name, limit, cost)
                if state is None:
                    return None
                states.append(state)
            elif shared:
                return None
            else:
                states.append(self._look(bucket, cost))
        if any(state.wait for state in states):
            return Taken(False, states)
        spent = [(self._leases.take(bucket.name, cost), cost) for bucket, cost in asked if bucket.is_quota]
        return self._taken_here(asked, states, spent)

    def take_one(self, bucket: Bucket) -> Taken | None:
        """As `take_at_once`, of a single unit of a single quota; also `None` where it is used up."""
        quota: Quota = bucket.limit  # type: ignore[assignment]  # as the caller knows
        spent = self._leases.spend(bucket.name, quota)
        return None if spent is None else Taken(True, (spent[1],), None, (), (), ((spent[0], 1),))

    async def take(self, asked: Asked, call: Call | None = None) -> Taken:
        """Take from all, or from none where one has too little left. No I/O where leases suffice and Redis counts
        nothing; else one round trip, shared with others, and now and then one for a lease. `call`: where all of them
        are rates, what is asked of Redis: made once, it spares each request the words.

        Raises `UnavailableError`, with nothing taken, where a limit cannot be asked that is not open then.
        """
        if call is not None and self._shared is not None:
            answer = await self._shared.ask(call)
            return await self._take_without(asked) if answer is None else self._taken_by_all(asked, answer)
        quotas = [(bucket, bucket.limit, cost) for bucket, cost in asked if isinstance(bucket.limit, Quota)]
        others = [(bucket, cost) for bucket, cost in asked if not isinstance(bucket.limit, Quota)]
        spent: list[tuple[Lease, int]] = []
        states: dict[Bucket, LimitState] = {}
        if quotas:
            states = await self._look_at_quotas(quotas)
            if any(state.wait for state in states.values()):
                return Taken(False, list(states.values()))
            spent = [(self._leases.take(bucket.name, cost), cost) for bucket, _, cost in quotas if bucket in states]
            states = {bucket: _less(states[bucket], cost) for bucket, _, cost in quotas if bucket in states}
        if not others:
            return Taken(True, list(states.values()), spent=spent)
        let_in = False
        try:
            taken = await self._take_others(others)
            let_in = taken.let_in
        finally:
            if not let_in:
                for lease, cost in spent:
                    lease.left += cost
        if not let_in:
            return taken
        states |= {bucket: state for (bucket, _), state in zip(others, taken.states, strict=False)}
        told = [states[bucket] for bucket, _ in asked if bucket in states]
        taken.states, taken.spent = told, spent
        return taken

    def free(self, taken: Taken) -> None:
        """A request that was let in is over: its slots are free. To be called once. No wait."""
        for name in taken.held:
            self._slots.free(name)
        if taken.slot is not None and self._shared is not None:
            self._shared.free(taken.slot)

    async def give_back(self, taken: Taken) -> None:
        """A request that was let in was refused afterwards: it has used nothing. Of a rate that is given back which has
        not come back by itself meanwhile. `free` it all the same. One round trip, shared, where Redis counts, and there
        is anything left to give."""
        for lease, cost in taken.spent:
            lease.left += cost
        elapsed = self._rates.now() - taken.at
        for bucket, cost in taken.rates:
            rate: Rate = bucket.limit  # type: ignore[assignment]  # nothing else is in there
            self._rates.give_back(bucket.name, rate, cost, elapsed, taken.members)
        if taken.shared and self._shared is not None:
            await self._shared.give_back(taken.rates, elapsed)

    async def charge(self, asked: Asked) -> None:
        """Count what a request has cost beyond what it was let in for, whether or not there is so much: of a rate at
        most its burst below nothing, of a quota what is left. Nothing for slots. As many round trips as `take`."""
        rates = [(bucket, cost) for bucket, cost in asked if isinstance(bucket.limit, Rate)]
        for bucket, cost in rates:
            self._take_here(bucket, cost)
        if rates and self._shared is not None:
            await self._shared.charge(rates)
        for bucket, cost in asked:
            if isinstance(bucket.limit, Quota):
                await self._leases.charge(bucket.name, bucket.limit, cost)

    async def look(self, buckets: Sequence[Bucket], now: float, *, serving: bool) -> Sequence[LimitState]:
        """How limits stand, for people, at `now` by the database's clock. Quotas by the database, rates and slots by
        who counts them: where that is each worker for itself, nobody knows the whole (`left` is `None`) unless this is
        the only one, and `serving`."""
        quotas = [(bucket, bucket.limit) for bucket in buckets if isinstance(bucket.limit, Quota)]
        others = [(bucket, 0) for bucket in buckets if not isinstance(bucket.limit, Quota)]
        states = dict(zip([bucket for bucket, _ in quotas], await self._leases.used(quotas, now), strict=True))
        if others:
            taken = None
            if self._shared is None:
                await self._members.learn()
            else:
                taken = await self._shared.take(others, None)
            if taken is not None:
                told = taken.states
            elif self._shared is None and serving and self._members() == 1:
                told = [self._look(bucket, 0) for bucket, _ in others]
            else:
                told = [LimitState(bucket.limit, None, 0.0, None) for bucket, _ in others]
            states |= dict(zip([bucket for bucket, _ in others], told, strict=True))
        return [states[bucket] for bucket in buckets]

    async def learn_parts(self) -> None:
        """Have it known, and told to the log, among how many workers limits are divided that nobody counts for all of
        them. One statement, the first time."""
        await self._members.learn()

    async def close(self) -> None:
        """End what is under way, and give back what was leased."""
        if self._shared is not None:
            await self._shared.close()
        await self._members.close()
        await self._leases.close()

    async def _look_at_quotas(self, quotas: Sequence[tuple[Bucket, Quota, int]]) -> dict[Bucket, LimitState]:
        """All of them at one moment, once enough is leased of each: the caller takes in the same step. Raises
        `UnavailableError`."""
        unknown: set[Bucket] = set()
        while True:
            states = {}
            for bucket, quota, cost in quotas:
                state = self._leases.look(bucket.name, quota, cost)
                if state is not None:
                    states[bucket] = state
                elif bucket not in unknown:
                    try:
                        await self._leases.fetch(bucket, quota, cost)
                    except UnavailableError:
                        if quota.on_outage != "open":
                            raise
                        unknown.add(bucket)
                    break
            else:
                return states

    async def _take_others(self, asked: Asked) -> Taken:
        """Take from rates and slots."""
        if self._shared is None:
            await self._members.learn()
            return self._take_all_here(asked)
        slot = None
        if any(isinstance(bucket.limit, Slots) and cost for bucket, cost in asked):
            slot = self._shared.new_slot()
        taken = await self._shared.take(asked, slot)
        if taken is not None:
            if not taken.let_in:
                return taken
            here = self._taken_here(asked, taken.states, look_again=False)
            here.slot, here.shared = slot, True
            return here
        return await self._take_without(asked)

    async def _take_without(self, asked: Asked) -> Taken:
        """Take from rates and slots, though Redis does not answer."""
        closed = next((bucket.limit.name for bucket, _ in asked if bucket.limit.on_outage == "closed"), None)
        if closed is not None:
            raise UnavailableError(f"The limit {closed!r} cannot be asked, and is closed then: Redis does not answer")
        await self._members.learn()
        return self._take_all_here([(bucket, cost) for bucket, cost in asked if bucket.limit.on_outage == "local"])

    def _taken_by_all(self, asked: Asked, answer: Answer) -> Taken:
        """What `take` answers for rates that Redis has counted. For all who asked the same they are counted here at
        once."""
        taken = answer.taken(asked)
        if answer.uncounted:
            for bucket, cost in asked:
                self._take_here(bucket, cost, answer.uncounted)
            answer.uncounted = 0
        if taken.let_in:
            taken.rates, taken.shared = asked, True
            taken.at, taken.members = self._rates.now(), self._members.known
        return taken

    def _take_all_here(self, asked: Asked) -> Taken:
        """Take from this process's part of rates and slots."""
        states = [self._look(bucket, cost) for bucket, cost in asked]
        if any(state.wait for state in states):
            return Taken(False, states)
        return self._taken_here(asked, states)

    def _taken_here(
        self,
        asked: Asked,
        states: Sequence[LimitState],
        spent: Sequence[tuple[Lease, int]] = (),
        *,
        look_again: bool = True,
    ) -> Taken:
        """What `take` answers for what is there: counted in this process."""
        held, rates = [], []
        for bucket, cost in asked:
            self._take_here(bucket, cost)
            if cost and isinstance(bucket.limit, Slots):
                held.append(bucket.name)
            elif cost and isinstance(bucket.limit, Rate):
                rates.append((bucket, cost))
        if look_again:
            states = [
                _less(state, cost) if bucket.is_quota else self._look(bucket, 0)
                for (bucket, cost), state in zip(asked, states, strict=True)
            ]
        taken = Taken(True, states, None, held, rates, spent)
        if rates:
            taken.at, taken.members = self._rates.now(), self._members.known
        return taken

    def _look(self, bucket: Bucket, cost: int) -> LimitState:
        """How a rate or slots stand in this process."""
        limit: Limit = bucket.limit
        if isinstance(limit, Rate):
            return self._rates.look(bucket.name, limit, cost)
        if isinstance(limit, Slots):
            return self._slots.look(bucket.name, limit, cost)
        raise TypeError(limit)

    def _take_here(self, bucket: Bucket, cost: int, times: int = 1) -> None:
        """Count in this process: for an outage also what others have let in. `times`: of a rate, so often."""
        limit = bucket.limit
        if isinstance(limit, Rate):
            self._rates.take(bucket.name, limit, cost, times)
        elif isinstance(limit, Slots) and cost:
            self._slots.take(bucket.name)


def _less(state: LimitState, cost: int) -> LimitState:
    limit, left, wait, whole = state
    return LimitState(limit, None if left is None else max(0, left - cost), wait, whole)
