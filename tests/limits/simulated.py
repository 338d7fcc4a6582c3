"""Workers, a Redis and a database in a world of virtual time, and what they may have let in at most.

Each worker is the real `Limiter`; Redis is the reference of the script, the database a table with a lock. Both may be
slow, lose messages and answers, or be away; clocks run unevenly and are set; workers are killed, leave and come.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from gatepost.base import Limit, Quota, Rate, Slots, UnavailableError
from gatepost.database.quotas.quotas import REST_PART
from gatepost.limits import Bucket, Call, Leases, Limiter, Members, SharedCounts
from gatepost.limits.leases import LEASE_PART
from gatepost.limits.periods import period_at
from tests.limits.reference import Counts
from tests.simulation.network import Network, Weather
from tests.simulation.world import Process, World

BEGIN = 1_795_996_700.0
"""Seconds since the epoch at the database when a world begins: 100 seconds before a day ends, and with it a month."""

SECONDS = 240.0
TIMEOUT = 0.1
PAUSE = 0.1
"""Where there is a Redis no worker pauses for longer: else nobody could tell when what it heard of was counted."""

LATE = TIMEOUT + PAUSE
"""So much later than it was counted a worker may hear that a request is let in."""

WORKERS = 3
CLOCK_PART = 1.01
"""Clocks run unevenly, by less than that."""

ROOM = 1e-3
"""Of a unit, for numbers that are not whole."""


@dataclass(frozen=True)
class Plan:
    """`redis`: whether there is one; then it may be `away` from time to time. `steps`: its clock, and wall clocks, are
    set. `faults`: of workers and of the database too."""

    seed: str
    redis: bool
    away: bool
    steps: bool
    faults: bool


PLANS = 8


def plan(number: int) -> Plan:
    """The plan of that number."""
    return Plan(
        f"limits {number}", number % 4 != 0, number % 4 >= 2, number % 4 == 3 or number % 8 == 4, number % 2 == 0
    )


@dataclass
class Report:
    """`violation`: what was more than it may be; `None` = nothing."""

    violation: str | None
    counts: Counter[str]
    trace: str


@dataclass(frozen=True)
class Leased:
    """As the database's."""

    units: int
    used: int
    is_open: bool


class Table:
    """The database's rows of quotas, and its clock."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.network = Network(world, weather)
        self.used: Counter[tuple[str, int]] = Counter()
        self.given_back: Counter[str] = Counter()

    def now(self) -> float:
        """Seconds since the epoch."""
        return BEGIN + self.world.time()

    def lease(self, bucket: str, period: tuple[int, int], units: int, wanted: int, least: int) -> Leased:
        """At one moment."""
        begins, ends = period
        is_open = begins <= self.now() < ends
        left = units - self.used[bucket, begins]
        rest = wanted if wanted <= least else max(least, min(wanted, left // REST_PART))
        if not is_open or left < rest:
            return Leased(0, self.used[bucket, begins], is_open)
        self.used[bucket, begins] += rest
        return Leased(rest, self.used[bucket, begins], True)

    def give_back(self, leases: Sequence[tuple[str, int, int]]) -> None:
        """Never below nothing."""
        for bucket, period, units in leases:
            if self.used[bucket, period] >= units:
                self.used[bucket, period] -= units


class Lessor:
    """One process's way to it."""

    def __init__(self, table: Table, process: Process) -> None:
        self._table = table
        self._process = process

    async def lease(self, bucket: str, period: tuple[int, int], *, units: int, wanted: int, least: int) -> Leased:
        """One exchange."""
        self._table.world.counts["leases"] += 1
        return await self._table.network.exchange(
            self._process, "lease", lambda: self._table.lease(bucket, period, units, wanted, least), 1.0
        )

    async def charge(self, bucket: str, period: tuple[int, int], *, units: int, cost: int) -> int:
        """Not asked here."""
        raise NotImplementedError

    async def give_back(self, leases: Sequence[tuple[str, int, int]]) -> None:
        """One exchange."""
        self._table.world.counts["given back"] += len(leases)
        await self._table.network.exchange(self._process, "give back", lambda: self._table.give_back(leases), 1.0)

    async def read_used(self, buckets: Sequence[tuple[str, int]]) -> Sequence[int]:
        """Not asked here."""
        raise NotImplementedError


class Redis:
    """The one that all share. Its clock may be set."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.network = Network(world, weather)
        self.counts = Counts()
        self.set_by = 0.0

    def count(self, buckets: Sequence[bytes], words: Sequence[bytes | int]) -> list[int]:
        """At one moment."""
        self.counts.now = int((1e9 + self.world.time() + self.set_by) * 1e6)
        return self.counts.count(buckets, words)


class Tier:
    """One process's way to it. A breaker as short as a moment."""

    def __init__(self, redis: Redis, process: Process) -> None:
        self._redis = redis
        self._process = process

    async def count(self, buckets: Sequence[bytes], words: Sequence[bytes | int]) -> Sequence[int] | None:
        """One exchange."""
        try:
            return await self._redis.network.exchange(
                self._process, "count", lambda: self._redis.count(buckets, words), TIMEOUT
            )
        except UnavailableError:
            self._redis.world.counts["counts lost"] += 1
            return None


@dataclass(frozen=True, slots=True)
class Admission:
    """One request that was let in. `by`: `shared`, or the worker's name. Times are the world's: when it was asked for,
    and when it was let in. `day`: in which it must count, `None` = one of two. `members`: that the worker knew of."""

    bucket: Bucket
    cost: int
    by: str
    asked_at: float
    at: float
    day: int | None
    members: int


@dataclass(eq=False)
class Worker:
    """One process, and its limiter."""

    process: Process
    limiter: Limiter
    leases: Leases
    members: Members
    held: Counter[str] = field(default_factory=Counter)
    """Requests in flight, by bucket."""
    calls: dict[tuple[tuple[Bucket, int], ...], Call] = field(default_factory=dict)

    def call(self, asked: Sequence[tuple[Bucket, int]]) -> Call | None:
        """What requests that ask the same for rates alone have in common, as those of one key have."""
        if not all(isinstance(bucket.limit, Rate) for bucket, _ in asked):
            return None
        return self.calls.setdefault(tuple(asked), Call.of(asked))


LIMITS: Sequence[Limit] = (
    Rate(30, per=60, burst=9, name="slow"),
    Rate(20, per=1, burst=6, name="fast"),
    Quota(700, per="day", name="plan"),
    Quota(60, per="month", name="trial"),
    Quota(40_000, per="day", name="wide"),
    Slots(4, name="flight"),
)
BUCKETS = {limit.name: Bucket(f"key/a/{limit.name}/0", limit) for limit in LIMITS}
ASKED = (
    ("slow",),
    ("fast",),
    ("plan",),
    ("trial",),
    ("wide",),
    ("flight",),
    ("slow", "plan"),
    ("fast", "flight", "plan"),
    ("fast", "slow"),
)


class Site:
    """All of them."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        bad = 0.01 if plan.faults else 0.0
        weather = Weather(latency=0.002, slow=bad, slowest=2.0, lost_before=bad, lost_after=bad)
        self.table = Table(world, weather)
        self.redis = Redis(world, Weather(latency=0.001, slow=0.0, slowest=0.0, lost_before=0.0, lost_after=bad))
        self.workers: list[Worker] = []
        self.admitted: list[Admission] = []
        self.shared_flight: dict[str, int] = defaultdict(int)
        self.violation: str | None = None
        self.lost_at_most: Counter[str] = Counter()
        self.steps = 0

    def come(self) -> Worker:
        """A new worker."""
        world = self.world
        process = world.process(f"worker {world.counts['workers']}")
        world.counts["workers"] += 1
        process.set_wall(world.rng.uniform(-1e3, 1e3))
        leases = Leases(Lessor(self.table, process), self.table.now, process.clock)

        async def count() -> int:
            return WORKERS

        members = Members(count, process.clock)
        shared = SharedCounts(Tier(self.redis, process)) if self.plan.redis else None
        worker = Worker(process, Limiter(leases, shared, members, clock=process.clock), leases, members)
        self.workers.append(worker)
        process.start(self._serve(worker))
        return worker

    def kill(self, worker: Worker) -> None:
        """The end of one: what it had leased is lost, its slots end by themselves."""
        worker.process.kill()
        self.workers.remove(worker)
        self.world.counts["kills"] += 1
        self._let_go(worker)
        for bucket in BUCKETS.values():
            if isinstance(bucket.limit, Quota):
                self.lost_at_most[bucket.name] += 2 * (bucket.limit.units // LEASE_PART + 3)

    async def leave(self, worker: Worker) -> None:
        """One that is closed in good order, once its requests are over."""
        self.workers.remove(worker)
        self.world.counts["leaves"] += 1
        await asyncio.sleep(3)
        with contextlib.suppress(UnavailableError):
            await worker.process.start(worker.limiter.close())

    def _let_go(self, worker: Worker) -> None:
        for name, number in worker.held.items():
            self.shared_flight[name] -= number

    async def _serve(self, worker: Worker) -> None:
        rng = self.world.rng
        while worker in self.workers and not self.world.is_over:
            await asyncio.sleep(rng.expovariate(8))
            names = rng.choice(ASKED)
            for _ in range(rng.choice((1, 1, 1, 2, 12))):
                worker.process.start(self._request(worker, names))

    async def _request(self, worker: Worker, names: Sequence[str]) -> None:
        world, rng = self.world, self.world.rng
        cost = rng.choice((1, 1, 1, 3))
        asked = [(BUCKETS[name], cost) for name in names]
        begun = world.time()
        day = period_at(self.table.now(), "day").begins
        call = worker.call(asked)
        try:
            is_one = cost == 1 and len(asked) == 1 and asked[0][0].is_quota
            taken = worker.limiter.take_one(asked[0][0]) if is_one else None
            world.counts["let in at once"] += taken is not None
            taken = taken or worker.limiter.take_at_once(asked) or await worker.limiter.take(asked, call)
        except UnavailableError:
            world.counts["unavailable"] += 1
            return
        if not taken.let_in:
            world.counts["refused"] += 1
            if not taken.violated:
                self.violation = self.violation or f"{names} were refused by nothing"
            return
        by = "shared" if taken.shared else worker.process.name
        world.counts[f"let in {'by all' if by == 'shared' else 'here'}"] += 1
        if rng.random() < 0.1:
            await asyncio.sleep(rng.expovariate(0.5))  # as long as units take to come back by themselves
            await worker.limiter.give_back(taken)
            worker.limiter.free(taken)
            world.counts["refused afterwards"] += 1
            return
        self._note(worker, asked, begun, day, by)
        flights = [bucket for bucket, _ in asked if isinstance(bucket.limit, Slots)]
        await asyncio.sleep(self._lasts())
        if by == "shared":
            for bucket in flights:
                worker.held[bucket.name] -= 1
                self.shared_flight[bucket.name] -= 1
        worker.limiter.free(taken)

    def _lasts(self) -> float:
        rng = self.world.rng
        is_long = rng.random() > 0.95
        return rng.uniform(20, 50) if is_long and not self.plan.away else rng.expovariate(1)

    def _note(self, worker: Worker, asked: Sequence[tuple[Bucket, int]], begun: float, day: int, by: str) -> None:
        """A request was let in."""
        now = self.world.time()
        counts_in = day if day == period_at(self.table.now(), "day").begins else None
        for bucket, cost in asked:
            self.admitted.append(Admission(bucket, cost, by, begun, now, counts_in, worker.members.number))
            if by == "shared" and isinstance(bucket.limit, Slots):
                worker.held[bucket.name] += 1
                self.shared_flight[bucket.name] += 1
                if self.shared_flight[bucket.name] > bucket.limit.units and not self.plan.steps:
                    self.violation = self.violation or f"{self.shared_flight[bucket.name]} in flight of {bucket.limit}"

    async def fate(self) -> None:
        """What happens to them."""
        world, plan = self.world, self.plan
        faults = ["nothing"]
        if plan.faults:
            faults += ["kill", "leave", "pause", "database"]
        if plan.away:
            faults += ["redis", "redis"]
        if plan.steps:
            faults += ["step", "wall"]
        while world.time() < SECONDS:
            await asyncio.sleep(world.rng.expovariate(1 / 6))
            fault = world.rng.choice(faults)
            world.counts[f"fault {fault}"] += 1
            await self._befall(fault)

    async def _befall(self, fault: str) -> None:
        rng = self.world.rng
        worker = rng.choice(self.workers)
        if fault == "kill":
            self.kill(worker)
            self.come()
        elif fault == "leave":
            await self.leave(worker)
            self.come()
        elif fault == "pause":
            worker.process.pause(rng.uniform(0.01, PAUSE) if self.plan.redis else rng.uniform(0.1, 5))
        elif fault == "wall":
            worker.process.set_wall(rng.uniform(-100, 100))
        elif fault == "step":
            self.redis.set_by += rng.uniform(-30, 0)
        elif fault == "redis":
            await self._away(self.redis.network, rng.uniform(1, 30))
        elif fault == "database":
            await self._away(self.table.network, rng.uniform(1, 8))

    async def _away(self, network: Network, seconds: float) -> None:
        network.is_down = True
        await asyncio.sleep(seconds)
        network.is_down = False

    async def run(self) -> None:
        """From the beginning to the end."""
        for _ in range(WORKERS):
            self.come()
        await self.fate()
        for worker in list(self.workers):
            await self.leave(worker)
        await asyncio.sleep(40)
        self.violation = self.violation or self._found()

    def _found(self) -> str | None:
        for bucket in BUCKETS.values():
            found = (
                self._too_fast(bucket, bucket.limit)
                if isinstance(bucket.limit, Rate)
                else self._too_many(bucket, bucket.limit)
                if isinstance(bucket.limit, Quota)
                else self._leaked(bucket)
            )
            if found is not None:
                return f"{bucket.name}: {found}"
        return None

    def _too_fast(self, bucket: Bucket, rate: Rate) -> str | None:
        """More in any window than burst + elapsed x rate: of all that Redis let in, and of each worker's part."""
        by: dict[str, list[Admission]] = defaultdict(list)
        for each in self.admitted:
            if each.bucket == bucket:
                by[each.by].append(each)
        for who, admissions in by.items():
            is_shared = who == "shared"
            members = 1 if is_shared else max(1, *(each.members for each in admissions))
            most = max(each.cost for each in admissions)
            burst = rate.burst if is_shared else max(rate.burst // members, most)
            speed = rate.units / rate.per / members * (1 if is_shared else CLOCK_PART)
            # a bucket that fills at `speed` and is emptied by what was let in, as early as that can have been
            level, last = float(burst), 0.0
            for each in sorted(admissions, key=lambda admission: admission.at):
                level = min(burst + speed * LATE * is_shared, level + (each.at - last) * speed)
                last = each.at
                level -= each.cost
                if level < -ROOM - (speed * LATE if is_shared else 0):
                    return f"{who} let in {-level:.2f} units too many by {each.at:.1f} s"
        return None

    def _too_many(self, bucket: Bucket, quota: Quota) -> str | None:
        """More in a period than there are units; or more lost than leases of the dead, and those without an answer."""
        spent: Counter[int] = Counter()
        for each in self.admitted:
            if each.bucket == bucket and each.day is not None:
                spent[period_at(each.day, quota.per).begins] += each.cost
        for period, units in spent.items():
            if units > quota.units:
                return f"{units} in the period {period}, of {quota.units}"
            if self.table.used[bucket.name, period] < units:
                return f"{self.table.used[bucket.name, period]} are counted, of {units} that were let in"
        lost = sum(used for (name, _), used in self.table.used.items() if name == bucket.name) - sum(
            each.cost for each in self.admitted if each.bucket == bucket
        )
        uncertain = (
            self.world.counts["answers lost"]
            + self.world.counts["messages lost"]
            + self.world.counts["exchanges given up"]
        )
        most = self.lost_at_most[bucket.name] + uncertain * (quota.units // LEASE_PART + 3)
        # over midnight each worker loses what it had of the day before
        most += 2 * self.world.counts["workers"] * (quota.units // LEASE_PART + 3)
        return f"{lost} units are lost, {most} may be" if lost > most else None

    def _leaked(self, bucket: Bucket) -> str | None:
        """Slots that are held though nothing is in flight."""
        self.redis.count([], [])
        held = self.redis.counts.held(bucket.digest)
        return f"{held} slots are held by nobody" if held else None


def play(plan: Plan) -> Report:
    """One world, from its beginning to its end."""
    world = World(plan.seed)
    site = Site(world, plan)
    world.run(site.run(), 10 * SECONDS)
    violation = site.violation or next(iter(world.failures), None)
    return Report(violation, world.counts, world.trace)
