"""Processes that deliver, a database and targets in a world of virtual time: what arrives, in which order, how often.

Each process is the real `Deliverer`. The database is a table with a lock, and may be slow, lose messages and answers,
or be away; targets refuse, are slow, are gone, or take what comes and say nothing. Processes are killed, paused, end
and come.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatepost.database import Delivery, LeaseLostError, Render, Wanted
from gatepost.webhooks.deliverer import Deliverer
from gatepost.webhooks.targets import SEND_SECONDS_MAX, Sent
from tests.simulation.network import Network, Weather
from tests.simulation.world import Process, World

SECONDS = 400.0
CALM_SECONDS = 200.0
"""With nothing that fails: longer than a message waits for its last attempt."""

PROCESSES = 3
TIMEOUT = 10.0
DELAYS = (2.0, 10.0, 40.0)
KEYS = "abcde"
TARGETS = ("siem", "chat")

LATE = {"take": 4.0, "queue": 3.0, "due": 2.0}
"""Seconds that answers may take on average, where there are faults: what they say was true that long ago."""

WRITES = {"take", "queue", "sweep", "remove", "fail"}
"""What fails of a process that may only read."""


@dataclass(frozen=True)
class Plan:
    """`faults`: of processes and of the database. `refusing`: targets fail too. `sparse`: keys are changed seldom, many
    at once."""

    seed: str
    faults: bool
    refusing: bool
    sparse: bool


PLANS = 16


def plan(number: int) -> Plan:
    """The plan of that number."""
    return Plan(f"webhooks {number}", number % 2 == 1, number % 4 >= 2, number % 8 >= 4)


@dataclass
class Report:
    """`violation`: what must not be; `None` = nothing."""

    violation: str | None
    counts: Counter[str]
    trace: str


@dataclass
class Row:
    """One message, on its way to one target. `place`: they go up; `due_at`: by the database's clock."""

    place: int
    delivery: Delivery
    due_at: float
    dead: bool = False


class Table:
    """The database's rows, and its clock."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.network = Network(world, weather)
        self.holder, self.until = "", 0.0
        self.log: list[str] = []
        """The key of each event, in order."""
        self.queued: dict[str, int] = dict.fromkeys(TARGETS, 0)
        self.rows: dict[str, list[Row]] = {name: [] for name in TARGETS}
        self.stopped: set[str] = set()

    def take(self, holder: str, seconds: float) -> bool:
        """At one moment, as all below."""
        now = self.world.time()
        if self.holder != holder and self.until > now:
            return False
        if self.holder != holder:
            self.world.counts["leases taken"] += 1
        self.holder, self.until = holder, now + seconds
        return True

    def renew(self, holder: str, seconds: float) -> None:
        """Of who has it."""
        if self.holder != holder or self.until <= self.world.time():
            self.world.counts["leases lost"] += 1
            raise LeaseLostError("Another process delivers")
        self.until = self.world.time() + seconds

    def left(self, holder: str) -> float:
        """Seconds."""
        return 0.0 if self.holder == holder else max(0.0, self.until - self.world.time())

    def give_up(self, holder: str) -> None:
        """At once another's."""
        if self.holder == holder:
            self.until = self.world.time()

    def queue(self, holder: str, seconds: float) -> int:
        """What is new in the log."""
        self.renew(holder, seconds)
        added = 0
        for name, place in self.queued.items():
            for number, key_id in enumerate(self.log[place:], place):
                delivery = Delivery(name, str(number), key_id, "key.updated", "{}", 0, self.world.time(), None)
                self.rows[name].append(Row(number, delivery, self.world.time()))
                added += 1
            self.queued[name] = len(self.log)
        return added

    def due(self, target: str, most: int) -> Sequence[Delivery]:
        """Of each key the oldest that waits, if its time has come."""
        heads: dict[str, Row] = {}
        for row in self.rows[target]:
            if not row.dead:
                heads.setdefault(row.delivery.key_id, row)
        found = [row.delivery for row in heads.values() if row.due_at <= self.world.time()]
        return [] if target in self.stopped else found[:most]

    def remove(self, target: str, ids: Sequence[str]) -> None:
        """They have arrived."""
        self.rows[target] = [row for row in self.rows[target] if row.delivery.id not in ids]

    def fail(self, delivery: Delivery, error: str, delay: float | None) -> None:
        """It has not."""
        for row in self.rows[delivery.target]:
            if row.delivery.id == delivery.id:
                row.delivery = replace(row.delivery, attempts=delivery.attempts + 1, error=error)
                row.due_at, row.dead = self.world.time() + (delay or 0.0), delay is None


class Tables:
    """One process's way to it."""

    def __init__(self, table: Table, process: Process) -> None:
        self._table = table
        self._process = process

    async def _exchange(self, kind: str, method: Any, *arguments: Any) -> Any:
        self._table.world.counts["statements"] += 1
        return await self._table.network.exchange(self._process, kind, lambda: method(*arguments), TIMEOUT)

    async def take_lease(self, holder: str, seconds: float) -> bool:
        """One exchange, as all below."""
        took: bool = await self._exchange("take", self._table.take, holder, seconds)
        return took

    async def lease_left(self, holder: str) -> float:
        """Seconds."""
        left: float = await self._exchange("left", self._table.left, holder)
        return left

    async def give_up_lease(self, holder: str) -> None:
        """At the end."""
        await self._exchange("give up", self._table.give_up, holder)

    async def has_news(self, _names: Sequence[str]) -> bool:
        """Whether the log has more than is queued."""
        table = self._table
        news: bool = await self._exchange("news", lambda: any(each < len(table.log) for each in table.queued.values()))
        return news

    async def queue(self, holder: str, seconds: float, _renders: Mapping[str, Render]) -> int:
        """And renew the lease."""
        queued: int = await self._exchange("queue", self._table.queue, holder, seconds)
        return queued

    async def sweep(self, holder: str, seconds: float, _wanted: Wanted) -> int:
        """Nothing happens by itself here; the lease is renewed."""
        await self._exchange("sweep", self._table.renew, holder, seconds)
        return 0

    async def read_due(self, target: str, most: int) -> Sequence[Delivery]:
        """What is to be sent."""
        due: Sequence[Delivery] = await self._exchange("due", self._table.due, target, most)
        return due

    async def remove(self, target: str, ids: Sequence[str]) -> None:
        """They have arrived."""
        await self._exchange("remove", self._table.remove, target, list(ids))

    async def fail(self, delivery: Delivery, error: str, delay: float | None) -> None:
        """It has not."""
        await self._exchange("fail", self._table.fail, delivery, error, delay)

    async def stop(self, target: str, _reason: str | None) -> bool:
        """Nothing is sent there any more."""
        await self._exchange("stop", self._table.stopped.add, target)
        return True


@dataclass(eq=False)
class Attempt:
    """One, while it may still arrive. `by`: the process that makes it."""

    by: Process
    delivery: Delivery


class Receiver:
    """One target, as it is on its own side."""

    def __init__(self, site: "Site", name: str) -> None:
        self.site = site
        self.name = name
        self.under_way: set[Attempt] = set()
        self.arrived: dict[str, int] = {}
        """How often, by message."""
        self.attempts: Counter[str] = Counter()

    def begin(self, attempt: Attempt) -> None:
        """Somebody connects."""
        for other in self.under_way:
            if other.by is not attempt.by:
                self.site.violate(
                    f"{attempt.by.name} sends {attempt.delivery.id} to {self.name} while {other.by.name} still sends "
                    f"{other.delivery.id}"
                )
        self.under_way.add(attempt)
        self.attempts[attempt.delivery.id] += 1
        self.site.world.counts["attempts"] += 1

    def take(self, attempt: Attempt) -> None:
        """A message is there."""
        if attempt not in self.under_way:
            return
        self.under_way.discard(attempt)
        message = attempt.delivery
        if message.id not in self.arrived:
            self._check_order(message)
        self.arrived[message.id] = self.arrived.get(message.id, 0) + 1
        self.site.world.counts["arrived"] += 1
        if self.arrived[message.id] > 1:
            self.site.world.counts["arrived again"] += 1
            if not self.site.plan.faults and not self.site.plan.refusing:
                self.site.violate(f"{message.id} arrived twice at {self.name}, and nothing had failed")

    def _check_order(self, message: Delivery) -> None:
        earlier = self.site.table.log[: int(message.id)]
        for number, key_id in enumerate(earlier):
            if key_id == message.key_id and str(number) not in self.arrived and not self._given_up(str(number)):
                self.site.violate(f"{message.id} of key {key_id} arrived at {self.name} before {number} of that key")

    def _given_up(self, message_id: str) -> bool:
        return any(row.dead and row.delivery.id == message_id for row in self.site.table.rows[self.name])


class Way:
    """One process's way to a target: a `Destination`."""

    types = project = None
    delays = DELAYS

    def __init__(self, receiver: Receiver, process: Process) -> None:
        self.name = receiver.name
        self._receiver = receiver
        self._process = process

    async def send(self, delivery: Delivery) -> Sent:
        """One attempt, of fifteen seconds of this process's clock at most."""
        world, site = self._receiver.site.world, self._receiver.site
        attempt = Attempt(self._process, delivery)
        self._receiver.begin(attempt)
        answered: asyncio.Future[Sent] = world.create_future()
        rng, is_bad = world.rng, site.plan.refusing and not site.is_calm
        most = SEND_SECONDS_MAX / self._process.rate
        seconds = rng.expovariate(20)
        if rng.random() < 0.1 and not site.is_calm and (is_bad or site.plan.faults):
            seconds = most * rng.choice((rng.random(), 0.9999, 1.1 if is_bad else 0.9999))
        world.outside.after(min(seconds, most), self._reach, attempt, answered, is_bad, seconds > most)
        try:
            async with asyncio.timeout(most):
                return await answered
        except TimeoutError:
            world.counts["attempts given up"] += 1
            return Sent("no answer")
        finally:
            if not self._process.is_dead:
                self._receiver.under_way.discard(attempt)

    def _reach(self, attempt: Attempt, answered: asyncio.Future[Sent], is_bad: bool, is_late: bool) -> None:
        """It is there; the target answers, or not."""
        if attempt not in self._receiver.under_way:  # the connection was closed
            return
        if is_late:  # also where who sends is paused, and closes nothing
            self._receiver.under_way.discard(attempt)
            return
        rng, how = self._receiver.site.world.rng, Sent()
        if is_bad and rng.random() < 0.3:
            self._receiver.under_way.discard(attempt)
            self._receiver.site.world.counts["refused"] += 1
            how = Sent("503", gone=rng.random() < 0.02, after=rng.choice((0.0, 0.0, 5.0)))
        else:
            self._receiver.take(attempt)
            if is_bad and rng.random() < 0.1:
                how = Sent("the connection was lost")
        self._process.after(rng.expovariate(50), self._answer, answered, how)

    @staticmethod
    def _answer(answered: asyncio.Future[Sent], how: Sent) -> None:
        if not answered.done():
            answered.set_result(how)

    async def close(self) -> None:
        """There is nothing to let go."""


@dataclass(eq=False)
class Member:
    """One process, and its deliverer."""

    process: Process
    deliverer: Deliverer
    task: asyncio.Task[None] = field(init=False)


class Site:
    """All of them."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        bad = 0.01 if plan.faults else 0.0
        late = LATE if plan.faults else {}
        weather = Weather(latency=0.003, slow=bad, slowest=5.0, lost_before=bad, lost_after=bad, late=late)
        self.table = Table(world, weather)
        self.receivers = {name: Receiver(self, name) for name in TARGETS}
        self.members: list[Member] = []
        self.violation: str | None = None
        self.is_calm = False

    def violate(self, what: str) -> None:
        """Keep the first."""
        self.violation = self.violation or f"{self.world.time():.3f} s: {what}"

    @property
    def is_going_on(self) -> bool:
        """Until it is late, or something was found."""
        return self.violation is None and self.world.time() < SECONDS

    def come(self) -> Member:
        """A new process."""
        world = self.world
        process = world.process(f"process {world.counts['processes']}")
        world.counts["processes"] += 1
        ways = [Way(receiver, process) for receiver in self.receivers.values()]
        tables: Any = Tables(self.table, process)
        deliverer = Deliverer(tables, ways, Wanted(), process.clock, 1.0)
        deliverer.holder = process.name
        member = Member(process, deliverer)
        member.task = process.start(deliverer.run())
        self.members.append(member)
        return member

    def kill(self, member: Member) -> None:
        """The end of one, and of its connections."""
        member.process.kill()
        self.members.remove(member)
        self.world.counts["kills"] += 1
        for receiver in self.receivers.values():
            receiver.under_way = {each for each in receiver.under_way if each.by is not member.process}

    async def leave(self, member: Member) -> None:
        """One that is closed in good order."""
        self.members.remove(member)
        self.world.counts["leaves"] += 1

        async def close() -> None:
            member.task.cancel()
            await asyncio.wait([member.task])
            await member.deliverer.release()

        await member.process.start(close())

    async def _happen(self) -> None:
        """Keys are changed."""
        rng, (each, numbers) = self.world.rng, (20.0, (40,)) if self.plan.sparse else (1.0, (1, 1, 1, 6))
        while self.is_going_on:
            await asyncio.sleep(rng.expovariate(1 / each))
            self.table.log += [rng.choice(KEYS) for _ in range(rng.choice(numbers))]

    async def fate(self) -> None:
        """What happens to them."""
        world = self.world
        while self.is_going_on:
            await asyncio.sleep(world.rng.expovariate(1 / 10))
            if self.plan.faults:
                await self._befall(
                    world.rng.choice(("kill", "leave", "pause", "database", "cut", "reads alone", "reads alone"))
                )
            for name in sorted(self.table.stopped):  # somebody sees to it
                world.counts["gone"] += 1
                self.table.stopped.discard(name)

    async def _befall(self, fault: str) -> None:
        self.world.counts[f"fault {fault}"] += 1
        rng = self.world.rng
        holders = [each for each in self.members if each.deliverer.delivers]
        member = rng.choice(holders or self.members)
        line = self.table.network.line(member.process)
        if fault == "kill":
            self.kill(member)
            self.come()
        elif fault == "leave" and not member.process.is_paused:
            await self.leave(member)
            self.come()
        elif fault == "pause" and not member.process.is_paused:
            member.process.pause(rng.choice((rng.uniform(0.1, 10), rng.uniform(30, 90))))
        elif fault == "cut":
            line.is_cut = True
            await asyncio.sleep(rng.uniform(10, 70))
            line.is_cut = False
        elif fault == "reads alone":
            line.kinds = WRITES
            await asyncio.sleep(rng.uniform(30, 70))
            line.kinds = set()
        elif fault == "database":
            self.table.network.is_down = True
            await asyncio.sleep(rng.uniform(1, 60))
            self.table.network.is_down = False

    async def run(self) -> None:
        """From the beginning to the end."""
        for _ in range(PROCESSES):
            self.come()
        happening = self.world.outside.start(self._happen())
        await self.fate()
        await happening
        if self.violation is not None:
            return
        self.is_calm = True
        self.table.network.weather = Weather(latency=0.003, slow=0.0, slowest=0.0, lost_before=0.0, lost_after=0.0)
        await asyncio.sleep(CALM_SECONDS)
        self.table.stopped.clear()
        await asyncio.sleep(CALM_SECONDS)
        for member in list(self.members):
            await self.leave(member)
        self._check_all_arrived()

    def _check_all_arrived(self) -> None:
        for receiver in self.receivers.values():
            dead = {row.delivery.id: row for row in self.table.rows[receiver.name] if row.dead}
            self.world.counts["given up"] += len(dead)
            for number in range(len(self.table.log)):
                if str(number) not in receiver.arrived and str(number) not in dead:
                    self.violate(f"message {number} never arrived at {receiver.name}, and was not given up")
            for message_id in dead:
                if receiver.attempts[message_id] <= len(DELAYS):
                    self.violate(f"{message_id} was given up after {receiver.attempts[message_id]} attempts")
            waiting = [row for row in self.table.rows[receiver.name] if not row.dead]
            if waiting:
                self.violate(f"{len(waiting)} messages still wait for {receiver.name}")


def play(plan: Plan) -> Report:
    """One world, from its beginning to its end."""
    world = World(plan.seed)
    site = Site(world, plan)
    world.run(site.run(), 10 * (SECONDS + 2 * CALM_SECONDS))
    violation = site.violation or next(iter(world.failures), None)
    return Report(violation, world.counts, world.trace)
