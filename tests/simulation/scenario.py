"""The actors, and one run of all of them: workers that serve, admins that change keys, and fate."""

import asyncio
import hmac
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from gatepost.base.errors import (
    AccessDeniedError,
    BadInputError,
    KeyNotFoundError,
    StillSpreadingError,
    UnavailableError,
    UncertainCommitError,
)
from gatepost.base.models import Issued, Outcome, Propagation
from gatepost.base.secret import digest as digest_of
from gatepost.freshness.membership import certainly_over
from gatepost.keys import APIKeys, Wait
from gatepost.keys.parts import Parts, Settings
from gatepost.temporary import Claims, Template, TemporaryFormat, tags_of
from tests.simulation.database import Database, Server
from tests.simulation.invariant import Bounds, Ledger, ViolationError
from tests.simulation.network import Network, Weather
from tests.simulation.redis import Habits, RedisServer, RedisTier
from tests.simulation.world import Process, World

if TYPE_CHECKING:
    from gatepost.database.database import Database as RealDatabase
    from gatepost.redis.tier import RedisTier as RealRedisTier

ROLES = ("editor", "reader")
PERMISSIONS = ("FILE_UPLOAD", "OBJECTS_LIST", "FILE_DELETE")
KEYS_ALIVE = 6
TEMPLATES_ALIVE = 3
AT_ONCE = (1, 1, 1, 4)
"""Verbs that one admin calls at the same time."""

SECRETS_REMEMBERED = 14
"""Secrets that clients go on trying, those of the dead included; and as many that were issued of templates."""

PRUNE_AGE = 3.0
"""Seconds: events are removed when they are older; longer than it takes to find out how a commit ended."""


@dataclass(frozen=True)
class Plan:
    """One run. Times in seconds. `faults`: mean time between two of each kind; what is not named does not happen.
    `roles`: keys hold some, which are edited. `temporary`: every other request comes with a temporary secret of the
    secret. `templates`: they are made, switched, edited, rotated and deleted; workers issue temporary secrets of them,
    with which most requests come."""

    seed: str
    seconds: float = 60.0
    workers: int = 4
    clients: int = 5
    request_every: float = 0.12
    verb_every: float = 0.5
    max_staleness: float = 2.0
    poll_interval: float = 0.4
    read_timeout: float = 1.0
    weather: Weather = field(default_factory=Weather)
    habits: Habits = field(default_factory=Habits)
    faults: dict[str, float] = field(default_factory=dict)
    roles: bool = False
    temporary: bool = False
    templates: bool = False


@dataclass
class Report:
    """How a run went. `violation`: `None` = the promise held. `requests`: up to then."""

    seed: str
    requests: int
    counts: Counter[str]
    violation: str | None
    fingerprint: str
    trace: str


class SimulatedParts(Parts):
    """The real parts, in a simulated process: its clock, its database, its Redis."""

    def __init__(self, settings: Settings, process: Process, server: Server, redis: RedisServer | None) -> None:
        super().__init__(settings)
        self.clock = process.clock
        self.tier: RedisTier | None = None
        self.process = process
        self._server = server
        self._redis_server = redis

    def new_database(self) -> "RealDatabase":
        return cast("RealDatabase", Database(self._server, self.process, self.settings.read_timeout))

    def new_redis(self) -> "RealRedisTier | None":
        if self._redis_server is None:
            return None
        self.tier = RedisTier(self._redis_server, self.process, self.settings.redis_timeout)
        return cast("RealRedisTier", self.tier)


class SimulatedKeys(APIKeys):
    """The real keys, of simulated parts."""

    _parts: SimulatedParts

    def __init__(self, process: Process, server: Server, redis: RedisServer | None, plan: Plan, entries: int) -> None:
        super().__init__(
            max_staleness=plan.max_staleness,
            poll_interval=plan.poll_interval,
            read_timeout=plan.read_timeout,
            memory_entries=entries,
            server_keys=[server.settings["server_key"]],
            usage=False,  # another transaction, which this world does not have
        )
        self._parts = SimulatedParts(self._parts.settings, process, server, redis)

    @property
    def tier(self) -> RedisTier | None:
        """Its Redis tier; `None` = it has had none."""
        return self._parts.tier


@dataclass
class Worker:
    """A process that serves. `keys`: its view of them."""

    process: Process
    keys: SimulatedKeys
    served: int = 0


class Run:
    """One world, from its beginning to its end, or to the first broken promise."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed)
        self.ledger = Ledger()
        self.network = Network(self.world, plan.weather)
        self.server = Server(self.world, self.network, self.ledger)
        self.redis = RedisServer(self.world, plan.habits)
        self.workers: list[Worker] = []
        self.violation: asyncio.Future[str] = self.world.create_future()
        self.requests = 0
        self._secrets: list[tuple[str, bytes]] = []  # (id of the key, secret), the newest last
        self._alive: list[str] = []
        self._names = 0
        self._verbs = 0
        self._settings = [self.server.tables.copy()]
        keys = [hmac.digest(self.server.settings["server_key"], b"gatepost key\0temporary secret", "sha256")]
        self._format = TemporaryFormat(keys, "gp")
        self._temporaries: dict[bytes, tuple[bytes, Bounds]] = {}
        self._templates: list[str] = []
        self._issued: list[tuple[bytes, bytes, Bounds]] = []  # (secret, digest of its parent's, what it is bound to)
        self.admin = SimulatedKeys(self._process("admin"), self.server, self.redis, plan, 0)

    def play(self) -> Report:
        """Run it."""
        world = self.world
        try:
            world.run(self._play(), 10 * self.plan.seconds + 600)
        except ViolationError as broken:
            self._break_off(str(broken))
        violation = self.violation.result() if self.violation.done() else None
        if violation is None and world.failures:
            violation = world.failures[0]
        for worker in self.workers:
            self._collect(worker)
        return Report(self.plan.seed, self.requests, world.counts, violation, world.fingerprint, world.trace)

    async def _play(self) -> None:
        await self.admin._parts.process.start(self._open(self.admin))
        self.admin._parts.process.start(self._administer(self.admin))
        for _ in range(self.plan.workers):
            self._hire()
        for kind, every in self.plan.faults.items():
            self.world.outside.start(self._suffer(getattr(self, f"_{kind}"), every))
        self.world.outside.start(self._keep_copies())
        await asyncio.wait({self.violation}, timeout=self.plan.seconds)
        self.world.tell(f"the end: {self.requests} requests, {self._verbs} verbs")

    def _process(self, kind: str) -> Process:
        self._names += 1
        return self.world.process(f"{kind} {self._names}")

    def _break_off(self, violation: str) -> None:
        if not self.violation.done():
            self.world.tell(f"BROKEN: {violation}")
            self.violation.set_result(violation)

    # Workers

    def _hire(self) -> Worker:
        """Start a new worker. Some have no Redis, some no memory; one in three also does an admin's work."""
        rng = self.world.rng
        process = self._process("worker")
        redis = None if rng.random() < 0.15 else self.redis
        worker = Worker(
            process, SimulatedKeys(process, self.server, redis, self.plan, 0 if rng.random() < 0.2 else 100)
        )
        self.workers.append(worker)
        process.start(self._work(worker, is_admin=rng.random() < 0.35))
        self.world.counts["workers started"] += 1
        return worker

    async def _work(self, worker: Worker, *, is_admin: bool) -> None:
        await self._open(worker.keys)
        observe(worker.keys, self.world.counts, self._judge_harm)
        for _ in range(self.plan.clients):
            worker.process.start(self._be_client(worker))
        if is_admin:
            worker.process.start(self._administer(worker.keys))

    async def _open(self, keys: SimulatedKeys) -> None:
        while not self.world.is_over:
            try:
                await keys.open()
            except UnavailableError:
                await asyncio.sleep(0.1)
            else:
                return

    async def _be_client(self, worker: Worker) -> None:
        rng = self.world.rng
        while worker.keys.is_open:
            await asyncio.sleep(rng.expovariate(1 / self.plan.request_every))
            if not self._secrets:
                continue
            secret = self._choose_secret()
            for _ in range(1 if rng.random() < 0.8 else 3):  # now and then several, one after another
                await self.request(worker, secret)

    def _choose_secret(self) -> bytes:
        rng = self.world.rng
        secrets = [each for each in self._secrets if each[0] in self._alive] if rng.random() < 0.8 else self._secrets
        return rng.choice(secrets or self._secrets)[1]

    async def request(self, worker: Worker, secret: bytes) -> Outcome:
        """One request, as the middleware makes it; then the question whether it was answered rightly."""
        digest, bounds = digest_of(secret), None
        shown = digest
        if self.plan.temporary and self.world.rng.random() < 0.5:
            secret, bounds = self._temporary_of(digest)
            shown = digest_of(secret)
            self.world.counts["temporary secrets shown"] += 1
        if self.plan.templates and self._templates and self.world.rng.random() < 0.03:
            await self._issue(worker, self.world.rng.choice(self._templates))
        if self._issued and self.world.rng.random() < 0.8:
            secret, digest, bounds = self.world.rng.choice(self._issued)
            shown = digest_of(secret)
            self.world.counts["secrets of templates shown"] += 1
        ticket = self.ledger.begin(self.server.now())
        record = worker.keys.hit(shown) or worker.keys.temporary_hit(shown)
        if record is not None:
            outcome = Outcome.VALID
            self.world.counts["recalled from memory"] += 1
        else:
            try:
                outcome, record = await worker.keys.judge(secret)
            except UnavailableError:
                outcome = Outcome.UNAVAILABLE
        self.requests += 1
        worker.served += 1
        self.world.counts[f"outcome {outcome.value}"] += 1
        self.world.tell(f"{worker.process.name}: {digest.hex()[:6]} {outcome.value}")
        permissions = record.permissions if record is not None and outcome is Outcome.VALID else None
        try:
            self.ledger.check(ticket, digest, outcome, permissions, self.server.now(), bounds)
        except ViolationError as broken:
            how = "" if record is None else f", as of change {record.as_of}"
            self._break_off(f"{worker.process.name}, {digest.hex()[:6]}: {broken}{how}")
        return outcome

    def _temporary_of(self, digest: bytes) -> tuple[bytes, Bounds]:
        """A temporary secret of the secret with that digest, and what it was narrowed to: mostly the last one again."""
        rng, now = self.world.rng, int(self.server.now())
        if digest not in self._temporaries or rng.random() < 0.02:
            names = frozenset(name for name in PERMISSIONS if rng.random() < 0.7)
            bounds = Bounds(names, now + rng.choice((5, 20, 1000)), now)
            claims = Claims(rng.randbytes(8), digest, now, bounds.usable_until, tags=tags_of(names))
            self._temporaries[digest] = (self._format.make(claims).encode(), bounds)
        return self._temporaries[digest]

    async def _issue(self, worker: Worker, template_id: str) -> None:
        """Have a worker issue a temporary secret of a template: held against what was promised, as a request is."""
        rng = self.world.rng
        names = frozenset(name for name in PERMISSIONS if rng.random() < 0.7) if rng.random() < 0.3 else None
        ticket = self.ledger.begin(self.server.now())
        try:
            issued = await worker.keys.issue_temporary(template_id, permissions=names, lifetime=rng.choice((None, 5)))
        except (AccessDeniedError, BadInputError, KeyNotFoundError, UnavailableError) as refusal:
            self.world.counts[f"issued nothing: {type(refusal).__name__}"] += 1
            return
        secret = issued.secret.encode()
        claims = self._format.read(secret)
        assert claims is not None
        bounds = Bounds(frozenset(PERMISSIONS) if names is None else names, claims.expires_at, claims.issued_at)
        if len(self._issued) == SECRETS_REMEMBERED:
            self._issued.pop(rng.randrange(SECRETS_REMEMBERED))  # some are old: a secret of minutes is to be seen end
        self._issued.append((secret, claims.digest, bounds))
        self.world.counts["secrets of templates issued"] += 1
        self.world.tell(f"{worker.process.name}: {claims.digest.hex()[:6]} issues {issued.id}")
        try:
            self.ledger.check(ticket, claims.digest, Outcome.VALID, issued.permissions, self.server.now(), bounds)
        except ViolationError as broken:
            self._break_off(f"{worker.process.name}, which issued of {claims.digest.hex()[:6]}: {broken}")

    def _collect(self, worker: Worker) -> None:
        opened = worker.keys._parts.current
        if opened is not None:
            counts = opened.lookup.counts
            self.world.counts["found in memory"] += counts.from_memory
            self.world.counts["found in Redis"] += counts.from_redis
            self.world.counts["reads"] += counts.reads

    def _judge_harm(self, worker_id: str | None, what: str) -> None:
        """A worker has lost its place in the log, or its lease. Where the log is pruned as told alone, that happens to
        none that the others know to live, however far it is behind."""
        is_told = "prune_as_told" in self.plan.faults and not {"prune", "restore"} & self.plan.faults.keys()
        row = self.server.tables.workers.get(worker_id or "")
        if is_told and row is not None and row.acked_seq >= 0:
            self._break_off(f"{row.worker.name}, which has applied change {row.acked_seq}: {what}")

    # Admins

    async def _administer(self, keys: SimulatedKeys) -> None:
        rng = self.world.rng
        await self._create(keys)
        while keys.is_open:
            await asyncio.sleep(rng.expovariate(1 / self.plan.verb_every))
            await asyncio.gather(*(self.act(keys) for _ in range(rng.choice(AT_ONCE))))

    async def act(self, keys: SimulatedKeys) -> None:
        """One verb on one key; several admins may meet on it."""
        rng = self.world.rng
        if len(self._alive) < KEYS_ALIVE:
            await self._create(keys)
            return
        key_id = rng.choice(self._alive)
        wait: Wait = "everywhere" if rng.random() < 0.8 else "commit"
        timeout = None if rng.random() < 0.8 else rng.uniform(0, 2 * self.plan.max_staleness)
        how: dict[str, Any] = {"wait": wait, "timeout": timeout}
        if self.plan.roles and rng.random() < 0.4:
            await self._act_on_roles(keys, key_id, how)
            return
        if self.plan.templates and rng.random() < 0.7:
            await self._act_on_templates(keys, how)
            return
        await self._act_on_key(keys, key_id, how)

    async def _act_on_key(self, keys: SimulatedKeys, key_id: str, how: dict[str, Any]) -> None:
        rng = self.world.rng
        verb = rng.choices(
            ("deactivate", "activate", "update", "shorten", "rotate", "end_grace", "delete"),
            weights=(5, 6, 4, 1, 2, 2, 1),
        )[0]
        if verb == "deactivate":
            await self.change(keys, verb, lambda actor: keys.deactivate(key_id, actor=actor, **how))
        elif verb == "activate":
            how["wait"] = "everywhere" if rng.random() < 0.5 else "commit"
            await self.change(keys, verb, lambda actor: keys.activate(key_id, actor=actor, **how))
        elif verb == "update":
            names = [name for name in PERMISSIONS if rng.random() < 0.6]
            await self.change(keys, verb, lambda actor: keys.update(key_id, permissions=names, actor=actor, **how))
        elif verb == "shorten":
            now = datetime.fromtimestamp(self.server.now(), UTC)
            moment = now + timedelta(seconds=rng.uniform(0.5, 20))
            await self.change(keys, verb, lambda actor: keys.update(key_id, expires_at=moment, actor=actor, **how))
        elif verb == "rotate":
            grace = 0.0 if rng.random() < 0.4 else rng.uniform(0.1, 10)
            issued = await self.change(keys, verb, lambda actor: keys.rotate(key_id, grace=grace, actor=actor, **how))
            if isinstance(issued, Issued):
                self._remember(key_id, issued.secret)
        elif verb == "end_grace":
            await self.change(keys, verb, lambda actor: keys.end_grace([key_id], actor=actor, **how))
        else:
            self._bury(key_id)
            await self.change(keys, verb, lambda actor: keys.delete([key_id], actor=actor, **how))

    async def _act_on_roles(self, keys: SimulatedKeys, key_id: str, how: dict[str, Any]) -> None:
        """Edit a role, which there may not be yet; or let a key hold others."""
        rng = self.world.rng
        names = [name for name in PERMISSIONS if rng.random() < 0.5]
        role = rng.choice(ROLES)
        if role not in self.server.tables.roles:
            await self.change(keys, "make role", lambda actor: keys.roles.create(role, names, actor=actor))
        elif rng.random() < 0.7:
            edit = keys.roles.update
            await self.change(keys, "edit role", lambda actor: edit(role, permissions=names, actor=actor, **how))
        else:
            held = [each for each in ROLES if rng.random() < 0.7]
            await self.change(keys, "hold roles", lambda actor: keys.update(key_id, roles=held, actor=actor, **how))

    async def _act_on_templates(self, keys: SimulatedKeys, how: dict[str, Any]) -> None:
        """Make one, or switch, edit, rotate or delete one."""
        rng, templates = self.world.rng, keys.templates
        names = [name for name in PERMISSIONS if rng.random() < 0.7]
        lifetime = rng.choice((4, 20, 1000))
        if len(self._templates) < TEMPLATES_ALIVE:
            made = await self.change(
                keys, "make template", lambda actor: templates.create("t", names, lifetime=lifetime, actor=actor)
            )
            if made is not None:
                self._templates.append(made.id)
            return
        one = rng.choice(self._templates)
        is_waited = how["wait"] == "everywhere"
        calls: dict[str, Callable[[str], Any]] = {
            "deactivate": lambda actor: templates.deactivate([one], actor=actor, **how),
            "activate": lambda actor: templates.activate([one], actor=actor, **how),
            "update": lambda actor: keys.update(one, permissions=names, actor=actor, **how),
            "terms": lambda actor: templates.update(one, lifetime=lifetime, actor=actor, **how),
            "rotate": lambda actor: templates.rotate(one, actor=actor, **how),
            "delete": lambda actor: templates.delete([one], actor=actor, **how),
        }
        verb = rng.choices(list(calls), weights=(5, 6, 4, 3, 3, 1))[0]
        if verb == "delete":
            self._templates.remove(one)
        returned: list[tuple[str, Any]] = []

        async def call(actor: str) -> Any:
            returned.append((actor, await calls[verb](actor)))
            return returned[0][1]

        past, before = self.ledger.past, self.ledger.committed_seq()
        await self.change(keys, f"{verb} template", call)
        if is_waited and returned and isinstance(returned[0][1], Template):  # it does not tell, but has waited
            self.ledger.settled(self.ledger.seq_of(returned[0][0], before), past, self.world.time())

    async def _create(self, keys: SimulatedKeys) -> None:
        names = [name for name in PERMISSIONS if self.world.rng.random() < 0.7]
        roles = [each for each in self.server.tables.roles if self.plan.roles and self.world.rng.random() < 0.6]
        issued = await self.change(keys, "create", lambda actor: keys.create("a key", names, roles=roles, actor=actor))
        if isinstance(issued, Issued):
            self._alive.append(issued.key.id)
            self._remember(issued.key.id, issued.secret)

    def _remember(self, key_id: str, secret: str) -> None:
        self._secrets.append((key_id, secret.encode()))
        del self._secrets[:-SECRETS_REMEMBERED]

    def _bury(self, key_id: str) -> None:
        for alive in (self._alive, self._templates):
            if key_id in alive:
                alive.remove(key_id)

    async def change(self, keys: SimulatedKeys, verb: str, call: Callable[[str], Any]) -> Any:
        """Call a verb, and enter into the ledger what it promised. Answers its result, `None` where there is none."""
        world, ledger = self.world, self.ledger
        self._verbs += 1
        actor = f"{keys._parts.process.name}, {verb} {self._verbs}"
        past = ledger.past
        before = ledger.committed_seq()
        world.counts[f"verb {verb}"] += 1
        world.tell(f"{actor}: begins")
        try:
            result = await call(actor)
        except StillSpreadingError as failure:
            world.counts["verbs told: still spreading"] += 1
            result = failure.result
        except KeyNotFoundError as unknown:
            for key_id in unknown.ids:
                self._bury(key_id)
            return None
        except BadInputError:
            return None
        except UncertainCommitError:
            world.counts["verbs told: uncertain"] += 1
            return None
        except UnavailableError as failure:
            world.counts["verbs told: nothing changed"] += 1
            if ledger.has_committed(actor) and past == ledger.past:
                self._break_off(f"{actor}: is committed, but its caller was told {failure}")
            return None
        claims = isinstance(result, Issued) or getattr(result, "seq", None) is not None
        if claims and not ledger.has_committed(actor) and past == ledger.past:
            self._break_off(f"{actor}: is not committed, but its caller was told that it is")
        if getattr(result, "propagation", None) is not None:
            seq = getattr(result, "seq", None) or ledger.seq_of(actor, before)
            self._take_promise(actor, result.propagation, seq, past)
        return result

    def _take_promise(self, actor: str, told: Propagation, seq: int, past: int) -> None:
        world = self.world
        world.tell(f"{actor}: returns; complete={told.complete}, change {seq}, holds from {told.holds_from}")
        world.counts["workers that acknowledged"] += len(told.acknowledged)
        world.counts["workers that had left"] += len(told.left)
        world.counts["workers whose lease ran out"] += len(told.expired)
        if told.complete:
            world.counts["verbs complete"] += 1
            world.counts["waits that needed a lease to run out"] += bool(told.expired)
            world.counts["waits by acknowledgement alone"] += bool(told.acknowledged) and not told.expired
            self.ledger.settled(seq, past, world.time())
        elif told.holds_from is not None:
            world.counts["promises for later"] += 1
            moment = max(world.time(), self.server.world_time(told.holds_from))
            world.outside.after(moment - world.time(), self._keep_promise, seq, past)

    def _keep_promise(self, seq: int, past: int) -> None:
        self.ledger.settled(seq, past, self.world.time())

    # Fate

    async def _suffer(self, fault: Callable[[], None], every: float) -> None:
        while True:
            await asyncio.sleep(self.world.rng.expovariate(1 / every))
            self.world.counts[f"fault {fault.__name__.strip('_')}"] += 1
            fault()

    def _somebody(self) -> Worker:
        return self.world.rng.choice(self.workers)

    def _moment(self) -> float:
        """Seconds: mostly short, sometimes longer than leases and rows live."""
        rng = self.world.rng
        lease = self.plan.max_staleness
        return rng.choice((rng.uniform(0.01, 0.3), rng.uniform(0.1, lease), rng.uniform(lease, 4 * lease)))

    def _tell_fault(self, what: str, whose: Process, seconds: float) -> None:
        self.world.tell(f"fate: {whose.name} {what} for {seconds:.2f} s")

    def _pause(self) -> None:
        process, seconds = self._somebody().process, self._moment()
        if not process.is_paused:
            self._tell_fault("is paused", process, seconds)
            process.pause(seconds)

    def _block(self) -> None:
        """Its event loop is blocked: by a handler that does not await, or a burst of work."""
        process, seconds = self._somebody().process, self.world.rng.uniform(0.02, 2 * self.plan.read_timeout)
        if not process.is_paused:
            self._tell_fault("is blocked", process, seconds)
            process.pause(seconds)

    def _kill(self) -> None:
        worker = self._somebody()
        self._tell_fault("is killed", worker.process, 0)
        worker.process.kill()
        self._replace(worker)

    def _leave(self) -> None:
        worker = self._somebody()
        self._tell_fault("leaves", worker.process, 0)
        worker.process.start(worker.keys.close())
        self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self._collect(worker)
        self.workers.remove(worker)
        if worker.keys.tier in self.redis.tiers and worker.keys.tier is not None:
            self.redis.tiers.remove(worker.keys.tier)
        self._hire()

    def _cut(self) -> None:
        line, seconds = self.network.line(process := self._somebody().process), self._moment()
        if not line.is_cut:
            self._tell_fault("is cut off", process, seconds)
            line.is_cut = True
            self.world.outside.after(seconds, setattr, line, "is_cut", False)

    def _cut_kind(self) -> None:
        kind = self.world.rng.choice(
            ("SELECT counter", "SELECT events", "SELECT records", "UPDATE workers", "INSERT workers", "SELECT workers")
        )
        line, seconds = self.network.line(process := self._somebody().process), self._moment()
        if kind not in line.kinds:
            self._tell_fault(f"cannot {kind}", process, seconds)
            line.kinds.add(kind)
            self.world.outside.after(seconds, line.kinds.discard, kind)

    def _silence(self) -> None:
        """Nobody hears that a worker lives, for about as long as rows are kept, though it hears of all changes."""
        line = self.network.line(process := self._somebody().process)
        seconds = self.world.rng.uniform(1, 6) * self.plan.max_staleness
        if "UPDATE workers" not in line.kinds:
            self._tell_fault("shows no sign of life", process, seconds)
            line.kinds.add("UPDATE workers")
            self.world.outside.after(seconds, line.kinds.discard, "UPDATE workers")

    def _outage(self) -> None:
        seconds = self._moment()
        if not self.network.is_down:
            self._tell_fault("database is down", self.world.outside, seconds)
            self.network.is_down = True
            self.world.outside.after(seconds, setattr, self.network, "is_down", False)

    def _lose_redis(self) -> None:
        tier, seconds = self._somebody().keys.tier, self._moment()
        if tier is not None and not tier.is_cut:
            tier.is_cut = True
            self.world.outside.after(seconds, setattr, tier, "is_cut", False)

    def _set_clock(self) -> None:
        self._somebody().process.set_wall(self.world.rng.uniform(-30, 30))

    def _prune(self) -> None:
        self.world.tell("fate: old events are removed")
        self.server.prune(self.world.rng.choice((PRUNE_AGE, 3 * PRUNE_AGE)))

    def _prune_as_told(self) -> None:
        removed = self.server.prune_as_told(self.world.rng.choice((0.0, PRUNE_AGE)) + PRUNE_AGE)
        self.world.tell(f"fate: {removed} old events are pruned")
        self.world.counts["events pruned as told"] += removed

    def _restore(self) -> None:
        """Back to a moment not long ago."""
        copy = self.world.rng.choice(self._settings)
        if copy.seq == 0:
            return
        self.server.restore(copy)
        self._alive = [key_id for key_id, row in self.server.tables.keys.items() if row.template is None]
        self.ledger.doubt_until(math.inf)
        self.world.outside.start(self._invalidate(self.ledger.past))

    async def _invalidate(self, past: int) -> None:
        """Somebody notices that the database was restored, and says so. Promises hold again when that is known
        everywhere, and every lease of before is over: the restored database may not know all who have one."""
        lease_over = self.world.time() + certainly_over(self.plan.max_staleness)
        await asyncio.sleep(self.world.rng.uniform(0, 2 * self.plan.max_staleness))
        told = None
        while told is None and past == self.ledger.past and not self.world.is_over:
            try:
                told = await self.admin._parts.process.start(self.admin.invalidate())
            except UnavailableError:
                await asyncio.sleep(0.1)
        await asyncio.sleep(max(0.0, lease_over - self.world.time()))
        self.ledger.lease_over(past)

    async def _keep_copies(self) -> None:
        while "restore" in self.plan.faults:
            self._settings = [*self._settings[-4:], self.server.tables.copy()]
            await asyncio.sleep(0.7)


def observe(keys: SimulatedKeys, counts: Counter[str], harmed: Callable[[str | None, str], None]) -> None:
    """Count what a worker does inside, so that a run can be seen to have tried it. `harmed`: told the id of its row,
    and what has happened to it."""
    opened = keys._opened()
    lookup, freshness = opened.lookup, opened.freshness
    join, covers, above, rejoin = (
        lookup._from_database.join,
        freshness.covers,
        freshness.not_below_floor,
        freshness._rejoin_later,
    )
    distrust = freshness._distrust

    def counted_join(digest: bytes) -> Any:
        reading = join(digest)
        counts["joined reads"] += reading is not None
        return reading

    def counted_above(digest: bytes, found: Any) -> bool:
        is_above = above(digest, found)
        counts["values below their floor"] += not is_above
        return is_above

    def counted_covers(digest: bytes, found: Any) -> bool:
        holds = freshness.holds()
        counts["values that outlived the lease"] += not holds
        return covers(digest, found)

    async def counted_rejoin() -> None:
        counts["leases lost with the row"] += 1
        harmed(freshness._membership.worker_id, "its lease has ended")
        await rejoin()

    def counted_distrust(position: Any) -> None:
        counts["pasts that did not continue"] += 1
        harmed(freshness._membership.worker_id, "its place in the log is not there any more")
        distrust(position)

    shadows: dict[str, Any] = {
        "covers": counted_covers,
        "not_below_floor": counted_above,
        "_rejoin_later": counted_rejoin,
        "_distrust": counted_distrust,
    }
    for name, shadow in shadows.items():
        setattr(freshness, name, shadow)
    lookup._from_database.join = counted_join  # type: ignore[method-assign]


WEATHERS = 12
"""Kinds of bad weather: plans with numbers that differ by so much have the same."""


def plan(number: int, past: str = "") -> Plan:
    """The plan of a number: kinds of bad weather in turn, so that every few runs have seen them all. `past`: what
    happens to it: nothing, or `r` = the database is restored now and then, and soon after that invalidated; or
    nothing, but with `o` keys hold roles, with `t` temporary secrets are in use, and with `m` templates."""
    calm = Weather(slow=0.002, lost_before=0.0, lost_after=0.0)
    rough = Weather(latency=0.01, slow=0.03, lost_before=0.01, lost_after=0.01)
    slow = Weather(latency=0.08, slow=0.05)
    every = {"pause": 4.0, "kill": 20.0, "leave": 20.0, "cut": 5.0, "cut_kind": 3.0, "set_clock": 3.0}
    every |= {"outage": 30.0, "lose_redis": 6.0}
    kinds: Sequence[dict[str, Any]] = (
        {"weather": calm, "faults": every},
        {"weather": rough, "faults": every | {"prune": 1.0, "cut": 3.0}, "verb_every": 1.0},
        {
            "weather": Weather(slow=0.0, late={"SELECT counter": 0.2}),
            "faults": {"cut": 3.0, "cut_kind": 0.6, "set_clock": 2.0},
            "verb_every": 0.15,
            "habits": Habits(loses_nudges=0.7),
        },
        {"weather": slow, "faults": {"pause": 5.0, "leave": 6.0, "kill": 6.0, "set_clock": 5.0}, "request_every": 0.05},
        {"weather": calm, "faults": {}, "verb_every": 0.15, "habits": Habits(resurrects=0.6, loses_nudges=0.6)},
        {"weather": slow, "faults": {"leave": 0.8, "kill": 4.0}, "verb_every": 0.3, "request_every": 0.08},
        {
            "weather": Weather(slow=0.0, late={"SELECT records": 0.4}),
            "faults": {"set_clock": 3.0},
            "verb_every": 0.2,
            "request_every": 0.04,
            "habits": Habits(forgets=0.7, loses_nudges=0.1),
        },
        {
            "weather": Weather(latency=0.05, slow=0.0),
            "faults": {"leave": 1.0},
            "workers": 3,
            "verb_every": 0.1,
            "request_every": 0.03,
            "max_staleness": 8.0,
            "poll_interval": 4.0,
            "habits": Habits(loses_nudges=0.4),
        },
        {
            "weather": calm,
            "faults": {"prune": 0.5},
            "seconds": 200.0,
            "verb_every": 8.0,
            "request_every": 0.15,
            "max_staleness": 4.0,
            "poll_interval": 1.0,
            "habits": Habits(loses_nudges=0.9),
        },
        {
            "weather": Weather(slow=0.0),
            "faults": {"silence": 6.0},
            "workers": 3,
            "verb_every": 0.1,
            "request_every": 0.05,
            "poll_interval": 1.0,
            "habits": Habits(loses_nudges=0.2),
        },
        {
            "weather": Weather(latency=0.01, slow=0.0),
            "faults": {"block": 0.4},
            "verb_every": 0.3,
            "request_every": 0.05,
            "habits": Habits(forgets=0.4, latency=0.01, slow=0.0),
        },
        {
            "weather": Weather(slow=0.0),
            "faults": {"prune_as_told": 0.3, "pause": 2.0, "cut": 2.0, "leave": 10.0},
            "verb_every": 0.1,
            "max_staleness": 6.0,
            "poll_interval": 1.0,
            "habits": Habits(loses_nudges=0.3),
        },
    )
    chosen = dict(kinds[number % WEATHERS])
    if "r" in past:
        chosen["faults"] = chosen["faults"] | {"restore": 15.0}
    return Plan(f"{number}{past}", **chosen, roles="o" in past, temporary="t" in past, templates="m" in past)


def plan_of(seed: str) -> Plan:
    """The plan of a seed as it is printed. Raises `ValueError`."""
    number = seed.rstrip("rotm")
    return plan(int(number), seed[len(number) :])


def play(wanted: Plan) -> Report:
    """Run a plan."""
    return Run(wanted).play()
