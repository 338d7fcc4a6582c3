"""A database that behaves as PostgreSQL would, in memory: what the code asks of `gatepost.database.database.Database`.

What is kept of PostgreSQL:

- A change takes the row lock of the counter first and holds it to its end, so changes come one after another. Who waits
  for the lock waits in the server. A transaction whose client went away is rolled back once the server notices.
- What a change does is seen by nobody else before COMMIT has reached the server, and by everybody from then on: also
  while the answer is on its way, or lost.
- A read or a single write is one statement in autocommit: one snapshot at one moment between call and answer. It may
  also take effect after its caller has given up. Statements of one process may overtake each other (a pool).
- `UPDATE ... WHERE` decides and changes at one moment, and tells how many rows it was.

What is not: anything that needs SQL. A restore puts everything back to an earlier moment and breaks all connections.
"""

import asyncio
import secrets
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, TypeVar

from gatepost.base.actor import Actor
from gatepost.base.errors import UnavailableError
from gatepost.base.limits import limits_of
from gatepost.base.models import APIKey, OldSecret, Worker
from gatepost.base.networks import allow_of
from gatepost.base.record import Row
from gatepost.base.resources import by_roles_of, resources_of
from gatepost.base.trail import BEHIND, hold_of_worker, prunable_to
from gatepost.database.group_commit import Group, GroupCommit, NobodyKnowsError
from gatepost.database.lists import Filter
from gatepost.database.policies import PolicyRows
from gatepost.database.role_rows import Known
from gatepost.database.standing import Alike, KeyEdit, Standing
from gatepost.database.values import Event, Position, Reading
from gatepost.database.workers import BEAT_BITS, NEVER_ACKED, WorkerRow
from gatepost.rules.roles import Role, role_digest
from gatepost.temporary import terms_of
from tests.simulation.doorbell import Doorbell, Doorbells
from tests.simulation.invariant import Ledger, State
from tests.simulation.network import Network
from tests.simulation.world import CLOCK_RATES, Process, World

T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""The database's clock when the world begins: seconds since the epoch."""

ASK_AGAIN_SECONDS = 0.05
"""As in `gatepost.database.commit`."""


@dataclass(frozen=True)
class KeyRow:
    """A row of `gatepost_keys`."""

    id: str
    project: str | None
    description: str
    permissions: str
    active: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    allow: str | None = None
    limits: str | None = None
    roles: str | None = None
    own_permissions: str | None = None
    resources: str | None = None
    role_resources: str | None = None
    template: str | None = None


GIVEN = ("allow", "limits", "roles", "own_permissions", "resources", "role_resources", "template")
"""The columns of a key that may be left out."""


@dataclass(frozen=True)
class SecretRow:
    """A row of `gatepost_secrets`."""

    key_id: str
    hint: str
    expires_at: datetime | None = None


@dataclass
class Tables:
    """Everything that is committed. Rows are never changed in place, so a copy of the dicts is a snapshot."""

    seq: int = 0
    nonce: int = 0
    keys: dict[str, KeyRow] = field(default_factory=dict)
    secrets: dict[bytes, SecretRow] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    workers: dict[str, WorkerRow] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    making: frozenset[tuple[int, int]] = frozenset()
    """The changes that made keys: seq and nonce."""
    pruned_to: int = -1
    """The anchor's seq."""

    def copy(self) -> "Tables":
        """A snapshot."""
        return replace(
            self,
            keys=dict(self.keys),
            secrets=dict(self.secrets),
            events=list(self.events),
            workers=dict(self.workers),
            roles=dict(self.roles),
        )


class Server:
    """The database's server. `network`: the ways to it. Tells the ledger what is true, the moment it becomes so."""

    counter_apart = False
    """A defect to be found: the counter read after the records, in a statement of its own."""

    events_apart = False
    """A defect to be found: events written by a transaction of their own, after the change's."""

    def __init__(self, world: World, network: Network, ledger: Ledger) -> None:
        self.world = world
        self.network = network
        self.ledger = ledger
        nonce = world.rng.getrandbits(63)
        self.tables = Tables(nonce=nonce, events=[Event(0, nonce, None)])
        self.settings = {"server_key": world.rng.randbytes(32), "seal_key": world.rng.randbytes(32)}
        self._holder: Transaction | None = None
        self._queue: deque[tuple[Transaction, Callable[[], None]]] = deque()
        self._rate = world.rng.uniform(*CLOCK_RATES)
        self._committed_at: dict[int, float] = {nonce: 0.0}
        self.doorbells = Doorbells(world)

    def now(self) -> float:
        """The database's clock: seconds since the epoch."""
        return EPOCH + self.world.time() * self._rate

    def world_time(self, moment: datetime) -> float:
        """The world's time at a moment of the database's clock."""
        return (moment.timestamp() - EPOCH) / self._rate

    def lock(self, transaction: "Transaction", then: Callable[[], None]) -> None:
        """Take the counter's row lock, now or when it is this one's turn."""
        self._queue.append((transaction, then))
        self._grant()

    def end(self, transaction: "Transaction") -> None:
        """A transaction is over, or its client gone: its lock is free."""
        transaction.is_over = True
        if self._holder is transaction:
            self._holder = None
        self._grant()

    def commit(self, transaction: "Transaction") -> None:
        """What the transaction did becomes true, for everybody."""
        if transaction.is_over:
            raise UnavailableError("COMMIT: the connection was lost before")
        tables = self.tables
        tables.seq, tables.nonce = transaction.seq, transaction.nonce
        self._committed_at[tables.nonce] = self.world.time()
        untold = {} if transaction.roles == tables.roles else {each: self.state(each) for each in self.ledger.digests()}
        tables.keys, tables.secrets, tables.roles = transaction.keys, transaction.secrets, transaction.roles
        tables.making |= transaction.making
        if self.events_apart:
            self.world.outside.after(self.world.rng.uniform(0, 0.5), tables.events.extend, transaction.events)
        else:
            tables.events.extend(transaction.events)
        if len(transaction.actors) > 1:
            self.world.counts["changes committed with others"] += len(transaction.actors)
        for seq, actor in transaction.actors.items():
            digests = [event.digest for event in transaction.events if event.seq == seq]
            states = {digest: self.state(digest) for digest in digests if digest is not None and len(digest) == 32}
            if seq == transaction.seq:  # what a role's edit did is true, whether events tell of it or not
                states |= {each: self.state(each) for each, before in untold.items() if self.state(each) != before}
            self.ledger.committed(seq, states, actor)
            self.world.tell(f"database: change {seq} committed, by {actor}")
        self.end(transaction)

    def state(self, digest: bytes) -> State | None:
        """What the tables say of a digest."""
        secret = self.tables.secrets.get(digest)
        if secret is None:
            return None
        key = self.tables.keys[secret.key_id]
        ends = [moment.timestamp() for moment in (key.expires_at, secret.expires_at) if moment is not None]
        terms = None if key.template is None else terms_of(key.template)
        lifetime = None if terms is None else terms.lifetime
        return State(key.active, frozenset(key.permissions.split()), min(ends, default=float("inf")), lifetime)

    def prune(self, age: float) -> None:
        """Somebody removes events that are older than `age` seconds, the newest included if it is."""
        before = self.world.time() - age
        self.tables.events = [event for event in self.tables.events if self._committed_at[event.nonce] >= before]

    def prune_as_told(self, age: float) -> int:
        """Take out what is older than `age` seconds, as `keys.prune` does: by its rule, but with the least margin.
        Answers how many events that were."""
        tables = self.tables
        before = self.world.time() - age
        older = max((event.seq for event in tables.events if self._committed_at[event.nonce] < before), default=-1)
        rows = [row for row in tables.workers.values() if row.acked_seq >= 0]
        holds = [hold_of_worker(row.worker.name, row.acked_seq + BEHIND - 1) for row in rows]
        to = prunable_to(older=older, newest=tables.seq, holds=holds).seq
        count = len(tables.events)
        stay = [event for event in tables.events if event.seq > to or (event.seq, event.nonce) in tables.making]
        tables.events = stay
        tables.pruned_to = max(tables.pruned_to, to)
        return count - len(tables.events)

    def restore(self, tables: Tables) -> None:
        """Everything as it was; every connection is broken."""
        if self._holder is not None:
            self._holder.is_over = True
        self._holder = None
        for transaction, _ in self._queue:
            transaction.is_over = True
        self._queue.clear()
        self.tables = tables.copy()
        self.ledger.restored(tables.seq, {digest: self.state(digest) for digest in self.ledger.digests()})
        self.world.tell(f"database: restored to change {self.tables.seq}")

    def _grant(self) -> None:
        while self._holder is None and self._queue:
            transaction, then = self._queue.popleft()
            if not transaction.is_over:
                self._holder = transaction
                then()


class Transaction:
    """One under way, on a connection of its own: what the server holds of it. `actors`: who made which seq."""

    def __init__(self, database: "Database") -> None:
        self.database = database
        self.server = database.server
        self.nonce = secrets.randbits(63)
        self.seq = 0
        self.now = datetime.min.replace(tzinfo=UTC)
        self.keys: dict[str, KeyRow] = {}
        self.secrets: dict[bytes, SecretRow] = {}
        self.roles: dict[str, Role] = {}
        self.events: list[Event] = []
        self.actors: dict[int, str] = {}
        self.new: list[Callable[[], None]] = []
        self.making: frozenset[tuple[int, int]] = frozenset()
        self.is_over = False
        self.is_broken = False

    async def begin(self) -> None:
        """Take the lock, then see what is committed."""

        def look() -> tuple[int, float]:
            tables = self.server.tables
            self.keys, self.secrets, self.roles = dict(tables.keys), dict(tables.secrets), dict(tables.roles)
            return tables.seq, self.server.now()

        self.seq, now = await self.database.locked(self, "UPDATE gatepost_counter", look)
        self.now = datetime.fromtimestamp(now, UTC)

    async def do(self, kind: str, effect: Callable[[], T]) -> T:
        """One statement, after what waits to be added."""

        def guarded() -> T:
            if self.is_over:
                raise UnavailableError(f"{kind}: the connection was lost")
            return effect()

        try:
            await self.add()
            return await self.database.exchange(kind, guarded)
        except BaseException:
            self.is_broken = True
            raise

    async def add(self) -> None:
        """Add the rows that wait."""
        if self.new:
            new, self.new = self.new, []
            await self.do("INSERT", lambda: [each() for each in new])


async def _no_statement(_statement: Any) -> Any:
    """There are no policies here, so nothing is read of them."""
    raise AssertionError


class Change:
    """A change within a transaction: what the verbs use of `gatepost.database.changes.Change`."""

    role_edits_untold = False
    """A defect to be found: what a role's edit does to keys has no events."""

    def __init__(self, transaction: Transaction, actor: Actor | None) -> None:
        self._transaction = transaction
        self._actor = "nobody" if actor is None else actor.name
        self._events: list[Event] = []
        self._new: list[Callable[[], None]] = []
        self._has_written = False
        self._makes_keys = False
        self.nonce = transaction.nonce
        self.seq = transaction.seq + 1
        self.now = transaction.now
        self.roles = RoleRows(self)
        self.policies = PolicyRows(_no_statement)

    @property
    def digests(self) -> set[bytes]:
        """The secrets whose keys were changed."""
        return {event.digest for event in self._events if event.digest is not None}

    @property
    def has_events(self) -> bool:
        """Whether it has changed anything."""
        return bool(self._events)

    @property
    def needs_rollback(self) -> bool:
        """Whether only a rollback undoes it."""
        return self._has_written or self._transaction.is_broken

    def keep(self) -> None:
        """It is to be committed."""
        if self._events:
            self._transaction.new += self._new
            self._transaction.events += self._events
            self._transaction.seq = self.seq
            self._transaction.actors[self.seq] = self._actor
            if self._makes_keys:
                self._transaction.making |= {(self.seq, self.nonce)}

    async def insert_keys(self, rows: Sequence[Mapping[str, Any]], _kind: str) -> None:
        """Add keys, with the commit at the latest."""
        tables = self._transaction

        def insert() -> None:
            for row in rows:
                columns = {name: row[name] for name in ("id", "project", "description", "permissions", "active")}
                dates = {"created_at": self.now, "updated_at": self.now, "expires_at": row["expires_at"]}
                others: dict[str, Any] = {name: row.get(name) for name in GIVEN}
                tables.keys[row["id"]] = KeyRow(**columns, **dates, **others)
                tables.secrets[row["digest"]] = SecretRow(row["id"], row["hint"])

        self._new.append(insert)
        self._makes_keys = True
        for row in rows:
            self._note(row["digest"])

    async def states(self, ids: Sequence[str]) -> Mapping[str, Standing]:
        """What each key may do."""

        def look() -> Mapping[str, Standing]:
            rows = [self._transaction.keys[each] for each in ids if each in self._transaction.keys]
            return {
                row.id: Standing(
                    row.id,
                    row.project,
                    frozenset(row.permissions.split()),
                    row.active,
                    _old_secret(row, self._transaction.secrets, self.now) is not None,
                )
                for row in rows
            }

        return await self._do("SELECT", look)

    async def alike(self, wanted: Filter, _most: int, *, with_terms: bool) -> Alike:
        """The keys that hold a role, each by itself."""
        assert with_terms
        rows = self._transaction.keys.values()
        found = await self.read_keys([row.id for row in rows if wanted.role in (row.roles or "").split()])
        return Alike(list(found), [(key, [key_id]) for key_id, key in found.items()])

    async def read_keys(self, ids: Sequence[str]) -> Mapping[str, APIKey]:
        """The keys as this change leaves them."""

        def look() -> Mapping[str, APIKey]:
            rows = [self._transaction.keys[each] for each in ids]
            return {row.id: _as_key(row, self._transaction.secrets, self.now) for row in rows}

        return await self._do("SELECT", look)

    async def set_active(self, ids: Sequence[str], active: bool) -> None:
        """Switch keys on or off."""

        def switch() -> None:
            for key_id in ids:
                self._transaction.keys[key_id] = replace(
                    self._transaction.keys[key_id], active=active, updated_at=self.now
                )
                self._note_key(key_id)

        await self._write("UPDATE", switch)

    async def delete_keys(self, ids: Sequence[str]) -> None:
        """Remove keys with their secrets."""

        def delete() -> None:
            for key_id in ids:
                self._note_key(key_id)
                del self._transaction.keys[key_id]
                self._transaction.secrets = {
                    each: row for each, row in self._transaction.secrets.items() if row.key_id != key_id
                }

        await self._write("DELETE", delete)

    async def update_keys(self, edits: Sequence[KeyEdit]) -> None:
        """Set columns of keys."""

        def update() -> None:
            for key_id, edit in ((key_id, each) for each in edits for key_id in each.ids):
                self._transaction.keys[key_id] = replace(
                    self._transaction.keys[key_id], **edit.values, updated_at=self.now
                )
                if not (self.role_edits_untold and "role" in edit.detail):
                    self._note_key(key_id)

        await self._write("UPDATE", update)

    async def rotate_secret(self, key: APIKey, digest: bytes, hint: str, sealed: str | None, grace: timedelta) -> None:
        """Give a key a new secret."""
        assert sealed is None
        key_id = key.id

        def rotate() -> None:
            self._note_key(key_id)
            for each, row in list(self._transaction.secrets.items()):
                if row.key_id == key_id:
                    if not grace or row.expires_at is not None:
                        del self._transaction.secrets[each]
                    else:
                        self._transaction.secrets[each] = replace(row, expires_at=self.now + grace)
            self._transaction.secrets[digest] = SecretRow(key_id, hint)
            self._note(digest)

        await self._write("UPDATE", rotate)

    async def end_grace(self, ids: Sequence[str]) -> None:
        """Take the older secrets of keys away."""

        def end() -> None:
            for key_id in ids:
                self._note_key(key_id)
                self._transaction.keys[key_id] = replace(self._transaction.keys[key_id], updated_at=self.now)
                older = [
                    each for each, row in self._transaction.secrets.items() if row.key_id == key_id and row.expires_at
                ]
                for each in older:
                    del self._transaction.secrets[each]

        await self._write("DELETE", end)

    async def invalidate(self) -> None:
        """Have every worker distrust what was read before."""

        def raise_counter() -> None:
            self.seq = max(self.seq, int(self.now.timestamp() * 1e6))
            self._events.append(Event(self.seq, self.nonce, None))

        await self._write("UPDATE", raise_counter)

    async def read_key(self, key_id: str) -> APIKey:
        """The key as this change leaves it."""
        return await self._do(
            "SELECT", lambda: _as_key(self._transaction.keys[key_id], self._transaction.secrets, self.now)
        )

    async def _write(self, kind: str, effect: Callable[[], None]) -> None:
        self._has_written = True
        await self._do(kind, effect)

    async def _do(self, kind: str, effect: Callable[[], T]) -> T:
        def done() -> T:
            return effect()

        return await self._transaction.do(kind, done)

    def _note_key(self, key_id: str) -> None:
        for digest, row in self._transaction.secrets.items():
            if row.key_id == key_id:
                self._note(digest)

    def _note(self, digest: bytes) -> None:
        self._events.append(Event(self.seq, self.nonce, digest))


class RoleRows:
    """As `gatepost.database.role_rows.RoleRows`; all are company-wide."""

    def __init__(self, change: Change) -> None:
        self._change = change

    async def read(self, names: Iterable[str]) -> Known:
        """Those of these names."""
        wanted = set(names)
        if not wanted:
            return {}
        held = self._change._transaction.roles
        return await self._change._do("SELECT", lambda: {(None, name): held[name] for name in wanted & held.keys()})

    async def add(self, role: Role) -> Role:
        """Add it."""
        return await self._put(role)

    async def set(self, _before: Role, role: Role) -> Role:
        """Edit it."""
        return await self._put(role)

    async def _put(self, role: Role) -> Role:
        def put() -> Role:
            self._change._transaction.roles[role.name] = role
            self._change._note(role_digest(None, role.name)[:31])  # no secret's: the ledger knows of none
            return role

        self._change._has_written = True
        return await self._change._do("UPDATE", put)


class Database:
    """One process's view of the server. `timeout`: seconds that one statement may take."""

    def __init__(self, server: Server, process: Process, timeout: float) -> None:
        self.server = server
        self._process = process
        self._timeout = timeout
        self._transactions: set[Transaction] = set()
        self._changes = GroupCommit(self._make)
        self.workers = Workers(self)
        self.chain = Chain()
        self.quotas: Any = None  # nobody is limited here: tests/limits has a world for that
        self.doorbell = Doorbell(server.doorbells, process)
        process.on_death.append(self._break)

    async def exchange(self, kind: str, effect: Callable[[], T]) -> T:
        """One statement. Raises `UnavailableError`."""
        return await self.server.network.exchange(self._process, kind, effect, self._timeout)

    async def locked(self, transaction: Transaction, kind: str, effect: Callable[[], T]) -> T:
        """One statement that needs the counter's row lock, which is held from then on."""

        def arrive(answer: Callable[[Callable[[], T]], None]) -> None:
            if not transaction.is_over:
                self.server.lock(transaction, lambda: answer(effect))

        return await self.server.network.post(self._process, kind, arrive, self._timeout)

    async def open(self) -> None:
        """Connect."""
        await self.exchange("SELECT version", lambda: None)

    async def close(self) -> None:
        """Hear nothing any more."""
        await self.doorbell.close()

    async def read_settings(self) -> Mapping[str, bytes]:
        """The installation's keys."""
        return await self.exchange("SELECT settings", lambda: dict(self.server.settings))

    async def read_position(self, worker_id: str | None = None) -> Position:
        """The counter, the clock, and whether the worker has its row."""

        def read() -> Position:
            tables = self.server.tables
            return Position(tables.seq, tables.nonce, self.server.now(), worker_id in tables.workers)

        return await self.exchange("SELECT counter", read)

    async def read_events(self, first: int, to: int, page: int) -> AsyncIterator[Sequence[Event]]:
        """The first event of seq `first`, then all of later ones up to `to`; each page is a snapshot of its own."""
        done = 0

        def read() -> list[Event]:
            log = self.server.tables.events
            wanted = [event for event in log if first < event.seq <= to]
            begin = [event for event in log if event.seq == first][:1]
            return [*begin, *wanted][done : done + page]

        while True:
            rows = await self.exchange("SELECT events", read)
            yield rows
            if len(rows) < page:
                return
            done += page

    async def read_oldest_seq(self, above: int) -> int | None:
        """The lowest seq above `above` in the log."""
        return await self.exchange(
            "SELECT events",
            lambda: next(
                (each.seq for each in self.server.tables.events if each.seq > max(above, self.server.tables.pruned_to)),
                None,
            ),
        )

    async def read_records(self, digests: Sequence[bytes]) -> Reading:
        """Rows and seq, of one snapshot."""

        def read() -> Reading:
            tables = self.server.tables
            rows: dict[bytes, Row] = {}
            for digest in digests:
                secret = tables.secrets.get(digest)
                if secret is not None:
                    rows[digest] = _as_row(tables.keys[secret.key_id], secret)
            return Reading(tables.seq, rows)

        reading = await self.exchange("SELECT records", read)
        if self.server.counter_apart:
            position = await self.exchange("SELECT counter", lambda: self.server.tables.seq)
            return Reading(position, reading.rows)
        return reading

    async def get_key(self, key_id: str) -> APIKey | None:
        """The key with this id."""

        def read() -> APIKey | None:
            row = self.server.tables.keys.get(key_id)
            now = datetime.fromtimestamp(self.server.now(), UTC)
            return None if row is None else _as_key(row, self.server.tables.secrets, now)

        return await self.exchange("SELECT keys", read)

    async def current_secret(self, key_id: str) -> tuple[bytes, str] | None:
        """Digest and hint of the secret of that key which ends with the key alone."""

        def read() -> tuple[bytes, str] | None:
            rows = self.server.tables.secrets.items()
            found = (each for each in rows if each[1].key_id == key_id and each[1].expires_at is None)
            return next(((digest, row.hint) for digest, row in found), None)

        return await self.exchange("SELECT records", read)

    async def hint_of(self, digest: bytes) -> str | None:
        """Of that secret."""

        def read() -> str | None:
            row = self.server.tables.secrets.get(digest)
            return None if row is None else row.hint

        return await self.exchange("SELECT records", read)

    async def terms_are_current(self) -> bool:
        """Here they always are."""
        return True

    async def change(self, actor: Actor | None, make: Callable[[Change], Awaitable[T]]) -> tuple[Change, T]:
        """As `gatepost.database.database.Database.change`."""
        return await self._changes.ask(actor, make)

    async def _make(self, group: Group[Change]) -> None:
        """One transaction; as `gatepost.database.database.Database._attempt` and `gatepost.database.commit`."""
        transaction = Transaction(self)
        self._transactions.add(transaction)
        try:
            await transaction.begin()
            await group.make(partial(Change, transaction))
            if transaction.events:
                await transaction.add()
                group.is_committed = None
                await self._commit(transaction)
                group.is_committed = True
        finally:
            self._transactions.discard(transaction)
            self._drop(transaction)

    async def _commit(self, transaction: Transaction) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self.exchange("COMMIT", lambda: self.server.commit(transaction))
        except UnavailableError as failure:
            lost = failure
        else:
            return
        self._drop(transaction)
        self.server.world.counts["commits without an answer"] += 1
        deadline = loop.time() + self._timeout
        while loop.time() < deadline:
            asking = Transaction(self)
            try:
                made = await self.locked(asking, "SELECT own event", lambda: self._holds(transaction))
            except UnavailableError:
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            else:
                if made:
                    return
                raise UnavailableError("The database went away in the commit (nothing was changed)") from lost
            finally:
                self._drop(asking)
        raise NobodyKnowsError from lost

    def _holds(self, transaction: Transaction) -> bool:
        made = (transaction.seq, transaction.nonce)
        return any((event.seq, event.nonce) == made for event in self.server.tables.events)

    def _drop(self, transaction: Transaction) -> None:
        """The connection is closed or given back; the server notices a little later."""
        self.server.world.outside.after(self.server.world.rng.uniform(0, 0.01), self.server.end, transaction)

    def _break(self) -> None:
        for transaction in sorted(self._transactions, key=lambda each: each.nonce):
            self.server.world.outside.after(self.server.world.rng.uniform(0, 2), self.server.end, transaction)


class Chain:
    """Everything is sealed: no part of the promise."""

    async def sealed_to(self) -> int:
        """The last change that is sealed."""
        return 1 << 63


class Workers:
    """The table of workers, as `gatepost.database.workers.Workers`: every method is one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _rows(self) -> dict[str, WorkerRow]:
        return self._database.server.tables.workers

    async def join(self, worker: Worker, max_staleness: float, seen_at: datetime) -> None:
        """Add a row."""

        def insert() -> None:
            self._rows[worker.id] = WorkerRow(worker, NEVER_ACKED, max_staleness, seen_at, _beat())

        await self._database.exchange("INSERT workers", insert)

    async def renew(self, worker_id: str, seq: int, nonce: int, seen_at: datetime) -> bool:
        """Draw a new beat and say what has been applied, where the row and the very event are there."""

        def update() -> bool:
            row = self._rows.get(worker_id)
            first = next((event for event in self._database.server.tables.events if event.seq == seq), None)
            if row is None or first is None or first.nonce != nonce:
                return False
            self._rows[worker_id] = WorkerRow(row.worker, seq, row.max_staleness, seen_at, _beat())
            return True

        return await self._database.exchange("UPDATE workers", update)

    async def leave(self, worker_id: str) -> None:
        """Remove a row."""
        await self._database.exchange("DELETE workers", lambda: self._rows.pop(worker_id, None))

    async def remove(self, row: WorkerRow) -> None:
        """Remove a row whose beat is still the one seen."""

        def delete() -> None:
            held = self._rows.get(row.worker.id)
            if held is not None and held.beat == row.beat:
                del self._rows[row.worker.id]

        await self._database.exchange("DELETE workers", delete)

    async def read_all(self) -> Sequence[WorkerRow]:
        """Every row."""
        return await self._database.exchange(
            "SELECT workers", lambda: [self._rows[each] for each in sorted(self._rows)]
        )

    async def read_acked(self) -> Mapping[str, int]:
        """What each worker has applied, by id."""
        return await self._database.exchange(
            "SELECT workers", lambda: {worker_id: row.acked_seq for worker_id, row in self._rows.items()}
        )

    async def count(self) -> int:
        """How many rows there are."""
        return await self._database.exchange("SELECT workers", lambda: len(self._rows))

    async def read_after(self, worker_id: str, most: int) -> Sequence[WorkerRow]:
        """The next rows in the ring."""

        def read() -> Sequence[WorkerRow]:
            ring = _ring(tuple(self._rows))
            after, before = bisect_right(ring, worker_id), bisect_left(ring, worker_id)
            return [self._rows[each] for each in [*ring[after : after + most], *ring[: min(before, most)]][:most]]

        return await self._database.exchange("SELECT workers", read)


@lru_cache(maxsize=1)
def _ring(ids: tuple[str, ...]) -> Sequence[str]:
    return sorted(ids)


def _beat() -> int:
    return secrets.randbits(BEAT_BITS)


def _old_secret(row: KeyRow, all_secrets: Mapping[bytes, SecretRow], now: datetime) -> OldSecret | None:
    for each in all_secrets.values():
        if each.key_id == row.id and each.expires_at is not None and each.expires_at > now:
            return OldSecret(each.hint, each.expires_at)
    return None


def _as_key(row: KeyRow, all_secrets: Mapping[bytes, SecretRow], now: datetime) -> APIKey:
    hint = next((each.hint for each in all_secrets.values() if each.key_id == row.id and each.expires_at is None), None)
    return APIKey(
        id=row.id,
        project=row.project,
        description=row.description,
        permissions=frozenset(row.permissions.split()),
        active=row.active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        allow=allow_of(row.allow),
        limits=limits_of(row.limits),
        roles=tuple((row.roles or "").split()),
        own_permissions=None if row.own_permissions is None else frozenset(row.own_permissions.split()),
        resources=resources_of(row.resources),
        role_resources=by_roles_of(row.role_resources, row.permissions.split()),
        template=row.template,
        hint=hint,
        old_secret=_old_secret(row, all_secrets, now),
    )


def _as_row(key: KeyRow, secret: SecretRow) -> Row:
    return (
        key.id,
        key.project,
        key.description,
        key.permissions.strip(),
        key.active,
        key.created_at.timestamp(),
        key.updated_at.timestamp(),
        None if key.expires_at is None else key.expires_at.timestamp(),
        None if secret.expires_at is None else secret.expires_at.timestamp(),
        key.allow,
        key.limits,
        *[None] * 3,  # owner, environment, metadata
        key.template,
        key.resources,
        key.role_resources,
    )
