"""A site of very many workers in virtual time: the real keys in each of them, and a database whose processors are few.

    N real `APIKeys` ──statement──> on its way ──> queue ──> one of C processors, as long as the real PostgreSQL took
                     <──answer────  on its way <─────────────┘

Nothing fails here of itself; what is asked is what it costs, and what that breaks. A worker's own processor is not
modelled, as if each had a core of its own, and time stands still while anything can run.
"""

import asyncio
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from gatepost.base import Outcome
from gatepost.freshness import membership, propagation
from gatepost.freshness.membership import RENEW_FACTOR
from tests.simulation.breaks import Swap
from tests.simulation.database import Server
from tests.simulation.invariant import Ledger
from tests.simulation.network import Network, Weather
from tests.simulation.redis import Habits, RedisServer
from tests.simulation.scenario import Plan, SimulatedKeys
from tests.simulation.world import Process, World

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Seconds of the database's processor: for `each` statement, and for each `row` that it looks at."""

    each: float
    row: float = 0.0


COSTS: Mapping[str, Cost] = {
    "Database.read_position": Cost(150e-6),
    "Database.read_events": Cost(160e-6),
    "Database.read_records": Cost(230e-6),
    "Transaction.begin": Cost(400e-6),
    "Transaction.do": Cost(200e-6),
    "Database._commit": Cost(400e-6),
    "Workers.renew": Cost(410e-6),
    "Workers.read_all": Cost(190e-6, 0.4e-6),
    "Workers.read_acked": Cost(150e-6, 0.3e-6),
    "Workers.read_after": Cost(250e-6, 0.36e-6),
}
"""Of the methods that ask a statement each, as `calibrate.py` measured them on PostgreSQL 18.4 with `fsync`, on two
cores of an AMD EPYC that others used too: so on the high side. Of a change of keys only the sum was measured."""

LATENCY_SECONDS = 0.00025
"""One way between a worker and the database, on average: the same data centre."""

RING_SECONDS = 0.001
"""From a ring of the doorbell to the worker that hears it, on average."""

STILL_SECONDS = 2.0
"""Before the first look at a site, and after each call."""

PEAK_SECONDS = 0.1
"""The busiest moment lasts so long."""

READ_TIMEOUT = 5.0
"""Seconds: the default."""

ASKED = 100
"""So many workers are asked after each call whether they let the key in."""


class Clockwork(World):
    """A world in which only waiting takes time: what can run runs at once, in the order in which it could."""

    def __init__(self, seed: str) -> None:
        self._queue: deque[asyncio.Handle] = deque()
        super().__init__(seed)

    def _take_in(self, handle: asyncio.Handle) -> None:
        self._queue.append(handle)

    def _run_once(self) -> None:
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        if not self._queue:
            while timers and timers[0]._cancelled:
                heapq.heappop(timers)._scheduled = False
            if not timers:
                raise RuntimeError("The world stands still: everybody waits for somebody")
            self._now = max(self._now, timers[0]._when)
        while timers and timers[0]._when <= self._now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            self._queue.append(timer)
        for _ in range(len(self._queue)):
            handle = self._queue.popleft()
            if not handle.cancelled():
                self.steps += 1
                handle._run()


@dataclass
class Load:
    """What the database did for some time. `statements`, and `rows` that they looked at: by method, as in `COSTS`.
    `busy`: seconds of one processor. `longest_wait`: seconds that a statement stood in the queue. `moments`: `busy` of
    each `PEAK_SECONDS` in which there was work."""

    statements: Counter[str]
    rows: Counter[str]
    moments: dict[int, float]
    busy: float = 0.0
    longest_wait: float = 0.0

    @classmethod
    def none(cls) -> "Load":
        """Nothing yet."""
        return cls(Counter(), Counter(), defaultdict(float))

    @property
    def peak(self) -> float:
        """Seconds of one processor in a second of the busiest moment."""
        return max(self.moments.values(), default=0.0) / PEAK_SECONDS


class Processors:
    """The database's: `number` of them, and a queue before them. `load`: `None` = what is asked costs no time."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._idle = number
        self._queue: deque[Callable[[], None]] = deque()
        self.number = number
        self.load: Load | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Begin `work` when it is its turn; it says by `end` what it takes."""
        if self.load is None:
            work()
        elif self._idle:
            self._idle -= 1
            work()
        else:
            came = self._world.time()

            def late() -> None:
                if self.load is not None:
                    self.load.longest_wait = max(self.load.longest_wait, self._world.time() - came)
                work()

            self._queue.append(late)

    def end(self, what: str, rows: int, then: Callable[[], None]) -> None:
        """What has begun looks at so many rows; `then` it is done, and its processor is the next one's."""
        if self.load is None:
            then()
            return
        cost = COSTS[what]
        seconds = cost.each + cost.row * rows
        self.load.statements[what] += 1
        self.load.rows[what] += rows
        self.load.busy += seconds
        self.load.moments[int(self._world.time() / PEAK_SECONDS)] += seconds
        self._world.outside.after(seconds, self._end, then)

    def _end(self, then: Callable[[], None]) -> None:
        if self._queue:
            self._queue.popleft()()
        else:
            self._idle += 1
        then()


class BusyNetwork(Network):
    """A way on which nothing is lost, to a server that has only so many processors. `rows_of`: how many rows a method
    looks at, where not those that it answers."""

    def __init__(self, world: World, processors: Processors, rows_of: Callable[[str, Any], int]) -> None:
        super().__init__(world, Weather(latency=LATENCY_SECONDS, slow=0.0, lost_before=0.0, lost_after=0.0))
        self._processors = processors
        self._rows_of = rows_of

    async def exchange(self, process: Process, kind: str, effect: Callable[[], T], timeout: float) -> T:
        """As ever. A read sees what is there when it begins, a write is seen when it ends."""
        what = effect.__qualname__.partition(".<locals>")[0]
        serve = self._read if kind.startswith("SELECT") else self._write
        return await super().post(process, kind, lambda answer: serve(what, effect, answer), timeout)

    async def post(self, process: Process, kind: str, arrive: Callable[[Any], None], timeout: float) -> Any:
        """As ever, for a statement that then waits for a lock, which takes no processor."""

        def begin(answer: Any) -> None:
            self._processors.begin(lambda: self._processors.end("Transaction.begin", 1, lambda: arrive(answer)))

        return await super().post(process, kind, begin, timeout)

    def _read(self, what: str, effect: Callable[[], Any], answer: Callable[[Callable[[], Any]], None]) -> None:
        def work() -> None:
            value = effect()
            self._processors.end(what, self._rows_of(what, value), lambda: answer(lambda: value))

        self._processors.begin(work)

    def _write(self, what: str, effect: Callable[[], Any], answer: Callable[[Callable[[], Any]], None]) -> None:
        self._processors.begin(lambda: self._processors.end(what, 1, lambda: answer(effect)))


@dataclass(frozen=True)
class Site:
    """What is asked for. `doorbell`: whether workers hear of a change at once. `processors`: the database's.
    `as_it_was`: with looks and watches as they were before they were made for many workers (docs/decisions/0043).
    Times in seconds."""

    workers: int
    doorbell: bool = True
    processors: int = 4
    poll_interval: float = 1.0
    max_staleness: float = 10.0
    calls: int = 3
    as_it_was: bool = False
    seed: str = "site"

    @property
    def period(self) -> float:
        """Seconds between two signs of life of a worker: in these each has done all that it does at rest."""
        return self.max_staleness * RENEW_FACTOR


@dataclass(frozen=True)
class Call:
    """One `deactivate()`: seconds from call to return, what the database did meanwhile, how many had acknowledged."""

    seconds: float
    load: Load
    acknowledged: int


@dataclass(frozen=True)
class Seen:
    """What a site did. `rest`: while nothing changed, for `site.period`. `given_up`: statements that took longer than
    `read_timeout`."""

    site: Site
    rest: Load
    calls: Sequence[Call]
    given_up: int


class _Play:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.world = Clockwork(site.seed)
        self.processors = Processors(self.world, site.processors)
        self.network = BusyNetwork(self.world, self.processors, self._rows_of)
        self.server = Server(self.world, self.network, Ledger())
        habits = Habits(
            forgets=0.0,
            resurrects=0.0,
            loses_writes=0.0,
            loses_nudges=0.0 if site.doorbell else 1.0,
            repeats_nudges=0.0,
            latency=RING_SECONDS,
            slow=0.0,
        )
        self.redis = RedisServer(self.world, habits)
        self.plan = Plan(
            site.seed, max_staleness=site.max_staleness, poll_interval=site.poll_interval, read_timeout=READ_TIMEOUT
        )
        self.workers: list[SimulatedKeys] = []
        self.rest = Load.none()
        self.calls: list[Call] = []

    def play(self) -> Seen:
        """From the first worker to the end."""
        with ExitStack() as stack:
            if self.site.as_it_was:
                Swap(membership, "CROWD_PAUSE", 0.0).put_in(stack)
                Swap(propagation, "ROW_PAUSE", 0.0).put_in(stack)
                Swap(propagation, "_ACKED", propagation._ALL).put_in(stack)
            self.world.run(self._play(), 100_000)
        assert not self.world.failures, self.world.failures[0]
        given_up = self.world.counts["exchanges given up"]
        return Seen(self.site, self.rest, self.calls, given_up)

    async def _play(self) -> None:
        admin = self._keys("admin")
        await self._in(admin, admin.open())
        issued = [
            await self._in(admin, admin.create(f"key {n}", ["FILE_UPLOAD"], actor="a")) for n in range(self.site.calls)
        ]
        self.workers = [self._keys(f"worker {n}") for n in range(self.site.workers)]
        await asyncio.gather(*(self._in(keys, self._begin(keys)) for keys in self.workers))
        await asyncio.sleep(STILL_SECONDS)
        self.rest = self.processors.load = Load.none()
        await asyncio.sleep(self.site.period)
        self.processors.load = Load.none()
        asked = self.workers[:: max(1, len(self.workers) // ASKED)]
        for each in issued:
            secret = each.secret.encode()
            assert await self._judged(asked, secret) == {Outcome.VALID}
            load = self.processors.load = Load.none()
            began = self.world.time()
            receipt = await self._in(admin, admin.deactivate(each.key.id, actor="a"))
            self.calls.append(Call(self.world.time() - began, load, len(receipt.propagation.acknowledged)))
            self.processors.load = Load.none()
            assert await self._judged(asked, secret) == {Outcome.DEACTIVATED}
            await asyncio.sleep(STILL_SECONDS)

    def _keys(self, name: str) -> SimulatedKeys:
        return SimulatedKeys(self.world.process(name), self.server, self.redis, self.plan, 100)

    async def _in(self, keys: SimulatedKeys, work: Any) -> Any:
        return await keys._parts.process.start(work)

    async def _begin(self, keys: SimulatedKeys) -> None:
        await asyncio.sleep(self.world.rng.uniform(0, self.site.period))
        await keys.open()
        await keys.serve()

    async def _judged(self, asked: Sequence[SimulatedKeys], secret: bytes) -> set[Outcome]:
        """What workers say of a secret, at the same moment."""
        answers = await asyncio.gather(*(self._in(keys, keys.judge(secret)) for keys in asked))
        return {outcome for outcome, _ in answers}

    def _rows_of(self, what: str, value: Any) -> int:
        if what == "Workers.read_after" and self.site.as_it_was:
            return len(self.server.tables.workers)  # all were put in the ring's order
        return len(value) if what.startswith("Workers.read") else 1


def play(site: Site) -> Seen:
    """What a site does, from the first worker on: the same at each call, on any machine."""
    return _Play(site).play()
