"""`APIKeys`: puts the parts together, and holds the verbs."""

import asyncio
import math
import os
import re
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from gatepost import secret as secret_text
from gatepost.catalogue import DAM, Catalogue
from gatepost.clock import Clock, boot_clock
from gatepost.decision import decide, of_another_project
from gatepost.errors import (
    BadInputError,
    ConfigurationError,
    KeyNotFoundError,
    StillSpreadingError,
    UnavailableError,
)
from gatepost.models import (
    ACTOR_MAX,
    DESCRIPTION_MAX,
    PROJECT_MAX,
    APIKey,
    EditedKey,
    ImportedKey,
    Issued,
    Outcome,
    Page,
    Propagation,
    Receipt,
    Verdict,
    Worker,
)
from gatepost.record import Absent, Record
from gatepost.secret import DIGEST_BYTES, ID_CHARS, SecretFormat, check_prefix, new_id
from gatepost.status import Answer, Status, WorkerAnswers

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatepost.database.changes import Change
    from gatepost.database.schema import SchemaStatus
    from gatepost.database.source import Database
    from gatepost.freshness import Freshness
    from gatepost.guard import Guard
    from gatepost.lookup import Lookup
    from gatepost.propagation import Propagations
    from gatepost.tiers.redis import RedisTier

T = TypeVar("T")

Wait = Literal["everywhere", "commit"]
"""What a verb that takes something away waits for: that every worker acts on it, or only that it is committed."""

DEFAULT_DATABASE = "sqlite:///gatepost.db"
PAGE_MAX = 500
"""Most keys on one page."""

SECRET_MAX = 512
"""Longest secret that is looked up, in bytes: gatepost's own have under 100; foreign ones get room."""

GRACE_MAX = 10 * 365 * 86400.0
"""Longest grace of a rotation, in seconds: ten years."""

YEAR_MIN, YEAR_MAX = 1, 9999
"""Moments near the ends of the calendar overflow in other time zones."""

_ID = re.compile(rf"[0-9A-Za-z]{{{ID_CHARS}}}\Z")
_HINT_MAX = 40


class _Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = _Unset()
"""Default of arguments for which `None` has a meaning of its own: leave as it is."""


class APIKeys:
    """The keys behind one database, seen from one process. Opens nothing until `async with keys:` or `open`.

    `database`: a URL (SQLite, PostgreSQL, MariaDB, MySQL), or an `AsyncEngine` that you close. `redis`: a URL, or a
    `redis.asyncio` client that you close; `None` = no Redis tier. `catalogue`: which permissions exist.

    `max_staleness`: seconds that anything remembered may be believed without hearing from the database.
    `poll_interval`: seconds between two looks at the change counter. `memory_entries`: most keys remembered in this
    process, about 0.5 kB each; 0 = none. `memory_ttl`, `redis_ttl`, `absent_ttl`: seconds that a key is remembered in
    memory, in Redis, and that an unknown secret is. `read_timeout`: seconds that one read of the database may take, or
    the wait for a connection (with an engine of yours on asyncpg two more, in which SQLAlchemy ends the connection).
    `redis_timeout`: seconds that one exchange with Redis may take.

    `prefix`: how secrets begin. `server_keys`: the keys of the secrets' HMAC, 32 bytes or more each; the first makes,
    all check; `None` = the one that the installation generated and keeps in its database. `foreign_secrets`: also look
    up texts that are not of gatepost's format; needed for keys imported by digest.

    Raises `BadInputError` for values that cannot be used.
    """

    def __init__(
        self,
        database: "str | AsyncEngine" = DEFAULT_DATABASE,
        redis: "str | Redis | RedisCluster | None" = None,
        *,
        catalogue: type[Catalogue] = DAM,
        max_staleness: float = 10.0,
        poll_interval: float = 1.0,
        memory_entries: int = 100_000,
        memory_ttl: float = 60.0,
        redis_ttl: float = 600.0,
        absent_ttl: float = 5.0,
        read_timeout: float = 5.0,
        redis_timeout: float = 0.1,
        prefix: str = secret_text.DEFAULT_PREFIX,
        server_keys: Sequence[bytes] | None = None,
        foreign_secrets: bool = False,
    ) -> None:
        seconds = {
            "max_staleness": max_staleness,
            "poll_interval": poll_interval,
            "memory_ttl": memory_ttl,
            "redis_ttl": redis_ttl,
            "absent_ttl": absent_ttl,
            "read_timeout": read_timeout,
            "redis_timeout": redis_timeout,
        }
        for name, value in seconds.items():
            if not 0 < value < math.inf:
                raise BadInputError(f"{name} must be a number of seconds above 0, not {value}")
        if poll_interval > max_staleness / 2:
            raise BadInputError(
                f"poll_interval ({poll_interval} s) must be at most half of max_staleness ({max_staleness} s), "
                "or what is remembered would stop to count between two polls"
            )
        if not isinstance(memory_entries, int) or memory_entries < 0:
            raise BadInputError(f"memory_entries must be a whole number, 0 or more, not {memory_entries!r}")
        if server_keys is not None:
            SecretFormat(server_keys, prefix)
        self.catalogue = catalogue
        self.foreign_secrets = foreign_secrets
        self._database_given = database
        self._redis_given = redis
        self._seconds = seconds
        self._memory_entries = memory_entries
        self._prefix = check_prefix(prefix)
        self._server_keys = None if server_keys is None else tuple(server_keys)
        self._clock: Clock = boot_clock
        self._opening = asyncio.Lock()
        self._open: _Open | None = None
        self._failure: tuple[float, str] | None = None
        self.recall: Callable[[bytes], Record | None] = _recall_nothing
        """The key of a secret that this process remembers and that may be used now; `None` = ask `judge`. No I/O. An
        attribute, so that a memory hit is one call: `Lookup.recall` while the keys are open."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the keys were opened in; `None` while they are closed."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether the keys can be used now: opened, in an event loop that is still there."""
        return self._open is not None and not self._open.loop.is_closed()

    async def open(self) -> bool:
        """Connect to the database; answers whether this call did it (`False`: they were open already).

        Raises `SchemaError` where the tables are missing or do not fit (an SQLite file gets them by itself),
        `MissingExtraError`, `UnavailableError`. A Redis that does not answer is no error.
        """
        asked = time.monotonic()
        async with self._opening:
            if self.is_open:
                return False
            if self._failure is not None and self._failure[0] > asked:  # failed while this call waited: no use to queue
                raise UnavailableError(self._failure[1])
            try:
                self._open = await self._connect()
            except UnavailableError as failure:
                self._failure = (time.monotonic(), str(failure))
                raise
            self.recall = self._open.lookup.recall
            self.loop = self._open.loop
            _FORGOTTEN_IN_CHILDREN.add(self)
            return True

    async def close(self) -> None:
        """Close what `open` opened. Engines and clients that were handed in stay open."""
        async with self._opening:
            opened, self._open = self._open, None
            self.recall = _recall_nothing
            self.loop = None
            if opened is not None and not opened.loop.is_closed():
                await opened.close()

    async def serve(self) -> None:
        """Begin to follow the change log, so that lookups may be remembered. The middleware and `verify` do it
        themselves. One to four round trips; nothing where it runs already. Raises `UnavailableError`."""
        opened = self._opened()
        if not opened.freshness.started:
            await opened.freshness.start()

    async def create_schema(self) -> None:
        """Make or migrate the tables; safe to call at every start and from several processes at once."""
        await self._with_database(_upgrade)

    async def schema_status(self) -> "SchemaStatus":
        """Which revision the database is at, and which one this code needs."""
        return await self._with_database(_read_status)

    async def status(self) -> Status:
        """What this process believes, and how all that it needs does: for people, programs and `gatepost doctor`.

        Works whether the keys are open or not; a system that is down is reported, not raised. Up to five round trips
        to the database, each at most `read_timeout`, and one to Redis meanwhile. Raises `BadInputError`,
        `MissingExtraError` for a URL that cannot be used.
        """
        from gatepost.checkup import look  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if self._open is not None and self.is_open:
            opened = self._open
            return await look(opened.database, opened.redis, opened.freshness, opened.lookup)
        redis = self._new_redis()
        try:
            return await self._with_database(lambda database: look(database, redis, None, None))
        finally:
            if redis is not None:
                await redis.close()

    @property
    def lease_seconds(self) -> float:
        """For how long what is remembered here may be believed without a word from the database; 0 = not at all."""
        return 0.0 if self._open is None else self._open.freshness.lease_seconds()

    @property
    def worker(self) -> Worker | None:
        """This process's place among the workers; `None` while it has none."""
        return None if self._open is None else self._open.freshness.worker

    async def ping(self) -> None:
        """Return when the database has answered. One round trip. Raises `UnavailableError`, and `ConfigurationError`
        where the keys are closed."""
        await self._database.read_position()

    async def testify(self, digests: Sequence[bytes]) -> WorkerAnswers:
        """How requests with the secrets of these digests (32 bytes each) would be answered, had they begun now: by the
        same memory, Redis and database, in the same order and under the same lease. For the auditor, which has no
        secrets. At most the I/O of a request each. Raises `UnavailableError` where this worker cannot begin to serve.
        """
        await self.serve()
        opened = self._opened()
        freshness, lookup = opened.freshness, opened.lookup
        worker, applied, lease = freshness.worker, freshness.applied, freshness.lease_seconds()
        results = await asyncio.gather(*map(lookup.find, digests), return_exceptions=True)
        answers = {}
        for digest, found in zip(digests, results, strict=True):
            if isinstance(found, UnavailableError):
                answers[digest] = Answer(Outcome.UNAVAILABLE, None)
            elif isinstance(found, BaseException):
                raise found
            else:
                answers[digest] = Answer(decide(found, freshness.database_now()), found.as_of)
        return WorkerAnswers(worker, freshness.max_staleness, applied, lease, answers)

    async def create(
        self,
        description: str,
        permissions: Iterable[str] = (),
        *,
        project: str | None = None,
        expires_at: datetime | None = None,
        actor: str | None = None,
    ) -> Issued:
        """Make a key; its secret is told in the answer and never again.

        `description`: 1 to 200 characters. `permissions`: names of the catalogue. `project`: 1 to 100 characters;
        `None` = every project. `expires_at`: aware; `None` = never. `actor`: who does it, for the change log.
        Raises `BadInputError`, `UnknownPermissionError`, `UnavailableError`. One transaction, five round trips.
        """
        key_id = new_id()
        row = self._row(key_id, description, permissions, project, expires_at, active=True)
        secret = self._opened().format.make(key_id)
        row |= {"digest": secret_text.digest(secret.encode()), "hint": secret_text.hint(secret)}
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            _check_in_future(expires_at, change.now)
            await change.insert_keys([row], "created")
        await self._announce(change.digests)
        return Issued(_key_of(row, change.now), secret)

    async def import_digests(self, keys: Iterable[ImportedKey], *, actor: str | None = None) -> Sequence[APIKey]:
        """Make keys for secrets that exist already, from their digests; all in one transaction, or none.

        Needs `foreign_secrets=True`. Raises `BadInputError`, which names the entry by its number from 0, for a digest
        that is not 32 bytes, stands twice, or has a key already. Answers the keys in the order given.
        """
        if not self.foreign_secrets:
            raise BadInputError("imported keys would never be looked up: make APIKeys(..., foreign_secrets=True) first")
        rows: list[dict[str, Any]] = []
        numbers: dict[bytes, int] = {}
        for number, key in enumerate(keys):
            try:
                rows.append(self._imported_row(key))
            except BadInputError as wrong:
                raise BadInputError(f"keys[{number}]: {wrong}") from None
            if key.digest in numbers:
                raise BadInputError(f"keys[{number}]: digest stands at keys[{numbers[key.digest]}] already")
            numbers[key.digest] = number
        if not rows:
            return []
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            for number, row in enumerate(rows):
                if row["expires_at"] is not None and row["expires_at"] <= change.now:
                    raise BadInputError(f"keys[{number}]: expires_at has passed already")
            known = await change.known_digests(list(numbers))
            if known:
                first = min(numbers[digest] for digest in known)
                raise BadInputError(f"keys[{first}]: a key has this digest already ({len(known)} such entries in all)")
            await change.insert_keys(rows, "imported")
        await self._announce(change.digests)
        return [_key_of(row, change.now) for row in rows]

    async def get(self, key_id: str) -> APIKey:
        """The key with this id. Raises `KeyNotFoundError`, `UnavailableError`. One round trip."""
        _check_id(key_id)
        key = await self._database.get_key(key_id)
        if key is None:
            raise KeyNotFoundError([key_id])
        return key

    async def list(
        self,
        *,
        project: str | None = None,
        active: bool | None = None,
        permission: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """One page of keys, newest first. Filters of `None` do not filter.

        `permission`: keys that have it. `search`: a part of the description, any case (of ASCII
        letters), or a whole id. `after`: the
        `next` of the page before. `limit`: 1 to 500. Raises `BadInputError`, `UnknownPermissionError`,
        `UnavailableError`. One round trip, whatever the page.
        """
        if not isinstance(limit, int) or not 1 <= limit <= PAGE_MAX:
            raise BadInputError(f"limit must be a whole number, 1 to {PAGE_MAX}, not {limit!r}")
        if project is not None:
            project = _checked_text("project", project, PROJECT_MAX)
        if search is not None:
            search = _checked_text("search", search, DESCRIPTION_MAX)
        if permission is not None:
            self.catalogue.check([permission])
        items, place = await self._database.list_keys(
            project=project, active=active, permission=permission, search=search, after=after, limit=limit
        )
        return Page(items, place)

    async def update(
        self,
        key_id: str,
        *,
        description: str | None = None,
        permissions: Iterable[str] | None = None,
        expires_at: datetime | _Unset | None = UNSET,
        actor: str | None = None,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> EditedKey:
        """Edit a key; what is not named stays as it is. `expires_at=None`: never.

        An edit that takes a permission away or lets the key expire earlier waits as `deactivate` does; `wait` and
        `timeout` are as there. Raises `KeyNotFoundError`, `BadInputError`, `UnknownPermissionError`,
        `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        patience = self._patience(wait, timeout)
        _check_id(key_id)
        values: dict[str, Any] = {}
        detail: dict[str, Any] = {}
        if description is not None:
            values["description"] = detail["description"] = _checked_text("description", description, DESCRIPTION_MAX)
        if permissions is not None:
            names = sorted(self.catalogue.check(permissions))
            values["permissions"], detail["permissions"] = _joined(names), names
        if not isinstance(expires_at, _Unset):
            values["expires_at"] = detail["expires_at"] = _checked_moment(expires_at)
        if not values:
            raise BadInputError("nothing to update: name description, permissions or expires_at")
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            _check_in_future(values.get("expires_at"), change.now)
            if not await change.states([key_id]):
                raise KeyNotFoundError([key_id])
            before = await change.read_key(key_id)
            await change.update_key(key_id, values, detail)
            key = await change.read_key(key_id)
        if not _takes_away(before, key):
            patience = replace(patience, everywhere=False)
        return await self._settled(change, patience, lambda spread: _edited(key, spread))

    async def activate(
        self,
        ids: str | Iterable[str],
        *,
        actor: str | None = None,
        wait: Wait = "commit",
        timeout: float | None = None,
    ) -> Receipt:
        """Switch one key or many on. As `deactivate`, but it does not wait for other workers unless told to: until they
        know of it, they refuse the key."""
        return await self._switch(ids, active=True, actor=actor, patience=self._patience(wait, timeout))

    async def deactivate(
        self,
        ids: str | Iterable[str],
        *,
        actor: str | None = None,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Receipt:
        """Switch one key or many off, in one transaction. When the call returns, no worker anywhere lets a request in
        with them that begins later. Within milliseconds where a Redis passes the word on, else within `poll_interval`;
        where a worker is dead or cut off, after its `max_staleness`: by then it believes nothing from before.

        `wait="commit"`: do not wait; the receipt tells by when it will be true. `timeout`: seconds from the call after
        which to stop waiting, with `StillSpreadingError`: the change is committed then, and its message tells by when
        it holds; `None` = wait for as long as it takes. Either way this process itself applies the change first: a
        poll, and the one under way if there is one.

        A single unknown id raises `KeyNotFoundError`; of many, the unknown ones are named in the receipt. A key that
        was off already is waited for too. Raises `UnavailableError` where the database failed and nothing was changed,
        `UncertainCommitError` where it went away in the commit. A call that is cancelled while it waits has changed the
        keys: the cancellation carries a note that says so.
        """
        return await self._switch(ids, active=False, actor=actor, patience=self._patience(wait, timeout))

    async def rotate(
        self,
        key_id: str,
        *,
        grace: float,
        actor: str | None = None,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Issued:
        """Give a key a new secret. The one before goes on working for `grace` seconds; 0 kills it at once.

        A key has two secrets at most: one that an earlier rotation left dies now. Waits as `deactivate` does, with
        `wait` and `timeout` as there; the new secret is in the error's `result` then. Raises `KeyNotFoundError`,
        `BadInputError`, `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        patience = self._patience(wait, timeout)
        if not 0 <= grace <= GRACE_MAX:
            raise BadInputError(f"grace must be a number of seconds, 0 to {GRACE_MAX:.0f}, not {grace}")
        _check_id(key_id)
        secret = self._opened().format.make(key_id)
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            if not await change.states([key_id]):
                raise KeyNotFoundError([key_id])
            await change.rotate_secret(
                key_id,
                secret_text.digest(secret.encode()),
                secret_text.hint(secret),
                timedelta(seconds=grace),
            )
            key = await change.read_key(key_id)
        return await self._settled(change, patience, lambda spread: Issued(key, secret, spread))

    async def delete(
        self,
        ids: str | Iterable[str],
        *,
        actor: str | None = None,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Receipt:
        """Remove one key or many for good, in one transaction; their secrets are unknown from then on. As `deactivate`
        otherwise."""
        patience = self._patience(wait, timeout)
        wanted = _checked_ids(ids)
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            states = await change.states([key_id for key_id in wanted if _ID.match(key_id)])
            changed = [key_id for key_id in wanted if key_id in states]
            if changed:
                await change.delete_keys(changed)
        seq = change.seq if changed else None
        unknown = [key_id for key_id in wanted if key_id not in states]
        receipt = await self._settled(
            change,
            patience,
            lambda spread: Receipt(seq, changed, (), unknown, spread),
            changed=bool(changed),
            known=bool(states),
        )
        return _checked_receipt(ids, receipt)

    async def invalidate(
        self, *, actor: str | None = None, wait: Wait = "everywhere", timeout: float | None = None
    ) -> Propagation:
        """Have every worker forget all that it remembers, and distrust all that Redis holds: to be called once the
        database was put back to an older state (a backup, a failover that lost commits), since what was read from the
        lost one must not be believed. Workers that start later heed it too. Changes no key, and costs nothing but speed
        for a moment.

        Waits as `deactivate` does, with `wait` and `timeout` as there. The counter goes on at the microseconds since
        the epoch by the database's clock, above all that was lost. Raises `UnavailableError`, `StillSpreadingError`.
        One transaction.
        """
        patience = self._patience(wait, timeout)
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            await change.invalidate()
        return await self._settled(change, patience, lambda spread: spread)

    async def verify(self, secret: str, *, project: str | None = None, fresh: bool = False) -> Verdict:
        """What `secret` opens, as the middleware would judge it. `project`: the one that the request belongs to;
        `None` = not asked. `fresh`: on the database's word of now, whatever is remembered; one round trip. Raises
        `UnavailableError` where the truth could not be read. No I/O where memory knows it.
        """
        if not isinstance(secret, str):
            raise BadInputError(f"secret must be a str, not {type(secret).__name__}")
        outcome, key = await self.judge(secret.encode("utf-8", "surrogatepass"), fresh=fresh)
        if outcome is Outcome.VALID and key is not None and project is not None:
            outcome = Outcome.PROJECT_DENIED if of_another_project(key.project, project) else outcome
        return Verdict(outcome, key)

    async def judge(self, secret: bytes, *, fresh: bool = False) -> tuple[Outcome, Record | None]:
        """What `secret` opens, with whatever I/O it takes: none for a text that was never made here. `fresh`: read from
        the database after this call, whatever is remembered.

        Raises `UnavailableError`.
        """
        opened = self._opened()
        secret = secret.strip(b" ")  # RFC 6750 allows more than one space before it
        if not 0 < len(secret) <= SECRET_MAX or not (self.foreign_secrets or opened.format.is_genuine(secret)):
            return Outcome.INVALID, None
        await self.serve()
        digest = secret_text.digest(secret)
        found = await (opened.lookup.find_fresh(digest) if fresh else opened.lookup.find(digest))
        return decide(found, opened.freshness.database_now()), None if isinstance(found, Absent) else found

    def attend(self, secret: bytes, key: Record, end: Callable[[Outcome], None]) -> Callable[[], None]:
        """Have `end` called, once, when a connection that `secret` opened as `key` must not go on: because of a change,
        an expiry, or because nobody can vouch for the key any more (`Outcome.UNAVAILABLE`). It must return at once.

        What is returned is to be called when the connection is over. Keys that are closed, or were opened in another
        event loop, end nothing. No I/O.
        """
        if self._open is None or self.loop is not asyncio.get_running_loop():
            return _do_nothing
        return self._open.guard.attend(secret_text.digest(secret.strip(b" ")), key, end)

    async def _connect(self) -> "_Open":
        from gatepost.connections import Connections  # noqa: PLC0415
        from gatepost.freshness import Freshness  # noqa: PLC0415 - SQLAlchemy, only where keys are opened
        from gatepost.guard import Guard  # noqa: PLC0415
        from gatepost.lookup import Lookup  # noqa: PLC0415
        from gatepost.propagation import Propagations  # noqa: PLC0415
        from gatepost.tiers.memory import MemoryTier  # noqa: PLC0415

        seconds = self._seconds
        redis = self._new_redis()
        database = self._new_database()
        await database.open()
        try:
            settings = await database.read_settings()
            if redis is not None:
                await redis.open(settings["seal_key"])
        except BaseException:
            await database.close()
            raise
        memory = MemoryTier(self._memory_entries)
        connections = Connections()
        freshness = Freshness(
            database,
            memory,
            redis,
            max_staleness=seconds["max_staleness"],
            poll_interval=seconds["poll_interval"],
            connections=connections,
            clock=self._clock,
        )
        lookup = Lookup(
            database,
            memory,
            redis,
            freshness,
            memory_ttl=seconds["memory_ttl"],
            absent_ttl=seconds["absent_ttl"],
            clock=self._clock,
        )
        guard = Guard(connections, lookup, freshness, clock=self._clock)
        propagations = Propagations(database, clock=self._clock)
        server_keys = self._server_keys or (settings["server_key"],)
        secret_format = SecretFormat(server_keys, self._prefix)
        loop = asyncio.get_running_loop()
        return _Open(loop, database, secret_format, redis, freshness, lookup, guard, propagations)

    def _new_database(self) -> "Database":
        from gatepost.database.source import Database  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        return Database(self._database_given, timeout=self._seconds["read_timeout"])

    def _new_redis(self) -> "RedisTier | None":
        if self._redis_given is None:
            return None
        from gatepost.tiers.redis import RedisTier  # noqa: PLC0415 - redis-py, only where there is a Redis

        return RedisTier(self._redis_given, ttl=self._seconds["redis_ttl"], timeout=self._seconds["redis_timeout"])

    def _forget_in_child(self) -> None:
        """In a process that was forked: its parent's connections and place among the workers are not its own. It has to
        open the keys for itself, and nothing that was remembered counts until it has."""
        self._open = None
        self.recall = _recall_nothing
        self.loop = None
        self._opening = asyncio.Lock()

    def _opened(self) -> "_Open":
        if self._open is None or not self.is_open:
            raise ConfigurationError("The keys are not open: write 'async with keys:', or let the app's lifespan do it")
        return self._open

    @property
    def _database(self) -> "Database":
        return self._opened().database

    async def _with_database(self, use: Callable[["Database"], Awaitable[T]]) -> T:
        """Run `use` on the database, connected for the time where the keys are not open."""
        if self._open is not None:
            return await use(self._open.database)
        database = self._new_database()
        database.connect()
        try:
            return await use(database)
        finally:
            await database.close()

    def _row(
        self,
        key_id: str,
        description: str,
        permissions: Iterable[str],
        project: str | None,
        expires_at: datetime | None,
        *,
        active: bool,
    ) -> dict[str, Any]:
        """The columns of a new key, checked."""
        return {
            "id": key_id,
            "project": None if project is None else _checked_text("project", project, PROJECT_MAX),
            "description": _checked_text("description", description, DESCRIPTION_MAX),
            "permissions": _joined(sorted(self.catalogue.check(permissions))),
            "active": active,
            "expires_at": _checked_moment(expires_at),
        }

    def _imported_row(self, key: ImportedKey) -> dict[str, Any]:
        if not isinstance(key.digest, bytes) or len(key.digest) != DIGEST_BYTES:
            raise BadInputError(f"digest must be {DIGEST_BYTES} bytes: SHA-256 of the secret")
        if len(key.hint) > _HINT_MAX or not key.hint.isprintable():
            raise BadInputError(f"hint must be at most {_HINT_MAX} printable characters")
        row = self._row(new_id(), key.description, key.permissions, key.project, key.expires_at, active=key.active)
        return row | {"digest": key.digest, "hint": key.hint}

    async def _switch(
        self, ids: str | Iterable[str], *, active: bool, actor: str | None, patience: "_Patience"
    ) -> Receipt:
        wanted = _checked_ids(ids)
        async with self._database.change(_checked_actor(actor)) as change:
            await change.begin()
            states = await change.states([key_id for key_id in wanted if _ID.match(key_id)])
            changed = [key_id for key_id in wanted if states.get(key_id) is (not active)]
            if changed:
                await change.set_active(changed, active)
        seq = change.seq if changed else None
        unchanged = [key_id for key_id in wanted if states.get(key_id) is active]
        unknown = [key_id for key_id in wanted if key_id not in states]
        receipt = await self._settled(
            change,
            patience,
            lambda spread: Receipt(seq, changed, unchanged, unknown, spread),
            changed=bool(changed),
            known=bool(states),
        )
        return _checked_receipt(ids, receipt)

    def _patience(self, wait: str, timeout: float | None) -> "_Patience":
        if wait not in ("everywhere", "commit"):
            raise BadInputError(f'wait must be "everywhere" or "commit", not {wait!r}')
        if timeout is not None and not 0 <= timeout < math.inf:
            raise BadInputError(f"timeout must be a number of seconds, 0 or more, or None, not {timeout!r}")
        begun = self._clock()
        return _Patience(wait == "everywhere", begun, None if timeout is None else begun + timeout)

    async def _settled(
        self,
        change: "Change",
        patience: "_Patience",
        result: Callable[[Propagation], T],
        *,
        changed: bool = True,
        known: bool = True,
    ) -> T:
        """What a verb answers once its change is committed, and every worker acts on it if that is wanted. A key found
        as it was wanted may have been changed by another a moment ago, so what came before is waited for all the same,
        unless no key was `known`."""
        from gatepost.propagation import Spread  # noqa: PLC0415

        now = self._clock()
        seq = change.seq if changed else change.seq - 1
        spread = Spread(seq, now, change.now + timedelta(seconds=now - patience.begun))
        opened = self._opened()
        waits = patience.everywhere and known
        until = patience.until if waits else now
        try:
            await self._announce(change.digests)
            own = opened.freshness.worker
            propagation = await opened.propagations.follow(spread, own, until=until)
        except (asyncio.CancelledError, ConfigurationError) as ended:  # the latter: the keys were closed meanwhile
            ended.add_note(f"gatepost: change {seq} is committed; nobody has seen whether every worker acts on it")
            raise
        answer = result(propagation)
        if waits and not propagation.complete:
            raise StillSpreadingError(_still_spreading(seq, propagation), answer)
        return answer

    async def _announce(self, digests: set[bytes]) -> None:
        """Let every worker know of a committed change. This one has applied it when the call returns, and also what
        others had changed before: a key found deactivated already is refused here from now on too."""
        opened = self._opened()
        if opened.redis is not None:
            opened.redis.drop(digests)
            await opened.redis.nudge()
        await opened.freshness.catch_up()


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a verb waits. `everywhere`: for every worker. `begun`: own clock at the call. `until`: own clock after
    which not to wait any longer, `None` = no limit."""

    everywhere: bool
    begun: float
    until: float | None


@dataclass(frozen=True, slots=True)
class _Open:
    """What is there while the keys are open. `loop`: the event loop that its connections and tasks belong to."""

    loop: asyncio.AbstractEventLoop
    database: "Database"
    format: SecretFormat
    redis: "RedisTier | None"
    freshness: "Freshness"
    lookup: "Lookup"
    guard: "Guard"
    propagations: "Propagations"

    async def close(self) -> None:
        async with AsyncExitStack() as stack:  # each is closed whatever happens to those before it
            stack.push_async_callback(self.database.close)
            if self.redis is not None:
                stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.propagations.close)
            stack.push_async_callback(self.lookup.close)
            stack.push_async_callback(self.guard.stop)
            stack.push_async_callback(self.freshness.stop)


_FORGOTTEN_IN_CHILDREN: "weakref.WeakSet[APIKeys]" = weakref.WeakSet()
"""Keys that have been opened in this process."""


def _after_fork_in_child() -> None:
    for keys in _FORGOTTEN_IN_CHILDREN:
        keys._forget_in_child()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # not on Windows, where there is no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


async def _upgrade(database: "Database") -> None:
    await database.upgrade()


async def _read_status(database: "Database") -> "SchemaStatus":
    return await database.schema_status()


def _recall_nothing(_secret: bytes) -> None:
    """What is remembered while the keys are closed."""


def _do_nothing() -> None:
    """What ends the watch over a connection that nobody watches."""


def _key_of(row: Mapping[str, Any], now: datetime) -> APIKey:
    """The key that has just been made of a row."""
    return APIKey(
        id=row["id"],
        project=row["project"],
        description=row["description"],
        permissions=frozenset(row["permissions"].split()),
        active=row["active"],
        created_at=now,
        updated_at=now,
        expires_at=row["expires_at"],
        hint=row["hint"],
    )


def _joined(names: Sequence[str]) -> str:
    """The text of the permissions column: a space at each end, so that SQL can search for a whole name."""
    return f" {' '.join(names)} "


def _checked_text(name: str, text: str, most: int) -> str:
    if not isinstance(text, str):
        raise BadInputError(f"{name} must be a str, not {type(text).__name__}")
    text = text.strip()
    if not 0 < len(text) <= most or not text.isprintable():
        raise BadInputError(f"{name} must be 1 to {most} printable characters, not {len(text)}: {text[:50]!r}")
    return text


def _checked_actor(actor: str | None) -> str | None:
    return None if actor is None else _checked_text("actor", actor, ACTOR_MAX)


def _checked_moment(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadInputError(
            "expires_at must be a datetime with a time zone, such as datetime.now(UTC) + timedelta(days=90)"
        )
    if not YEAR_MIN < moment.year < YEAR_MAX:
        raise BadInputError(f"expires_at must be in a year before {YEAR_MAX}; None = never")
    return moment.astimezone(UTC)


def _check_in_future(moment: datetime | None, now: datetime) -> None:
    if moment is not None and moment <= now:
        raise BadInputError(
            f"expires_at {moment.isoformat()} has passed already (the database's clock: {now.isoformat()})"
        )


def _checked_ids(ids: str | Iterable[str]) -> Sequence[str]:
    """The ids in the order given, without repeats."""
    if not isinstance(ids, Iterable):
        raise BadInputError(f"ids must be an id or a list of them, not {type(ids).__name__}")
    wanted = [ids] if isinstance(ids, str) else list(ids)
    for key_id in wanted:
        if not isinstance(key_id, str):
            raise BadInputError(f"an id must be a str, not {type(key_id).__name__}")
    return list(dict.fromkeys(wanted))


def _check_id(key_id: str) -> None:
    """Raise `KeyNotFoundError` for what cannot be the id of a key: databases differ in what they make of odd text."""
    if not isinstance(key_id, str):
        raise BadInputError(f"an id must be a str, not {type(key_id).__name__}")
    if not _ID.match(key_id):
        raise KeyNotFoundError([key_id])


def _takes_away(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do less, or for a shorter time."""
    if not before.permissions <= after.permissions:
        return True
    return after.expires_at is not None and (before.expires_at is None or after.expires_at < before.expires_at)


def _edited(key: APIKey, propagation: Propagation) -> EditedKey:
    return EditedKey(**{each.name: getattr(key, each.name) for each in fields(key)}, propagation=propagation)


def _checked_receipt(ids: str | Iterable[str], receipt: Receipt) -> Receipt:
    """The receipt. Raises `KeyNotFoundError` where only one was asked for, as a plain text, and is unknown."""
    if receipt.unknown and isinstance(ids, str):
        raise KeyNotFoundError(receipt.unknown)
    return receipt


def _still_spreading(seq: int, propagation: Propagation) -> str:
    waiting = ", ".join(worker.name for worker in propagation.waiting) or "they could not be read"
    by = "" if propagation.holds_from is None else f"; it holds everywhere from {propagation.holds_from.isoformat()} on"
    return (
        f"Change {seq} is committed, but after {propagation.seconds:.1f} s not every worker has confirmed it "
        f"({waiting}){by}"
    )
