"""`APIKeys`: puts the parts together, and holds the verbs."""

import asyncio
import hmac
import math
import os
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, Unpack

import orjson

from gatepost.base import (
    ACTOR_ID_MAX,
    DIGEST_BYTES,
    EVENT_KINDS,
    PROJECT_MAX,
    Absent,
    AccessDeniedError,
    Actor,
    ActorKind,
    Answer,
    APIKey,
    BadInputError,
    ChangeEvent,
    Clock,
    ConfigurationError,
    EditedKey,
    ForceNeededError,
    IdempotencyError,
    ImportedKey,
    Issued,
    KeyNotFoundError,
    Outcome,
    Page,
    Presented,
    Propagation,
    Receipt,
    Record,
    SecretFormat,
    SecretNotStoredError,
    StaleKeyError,
    Status,
    StillSpreadingError,
    Total,
    UnavailableError,
    Untold,
    Verdict,
    Worker,
    WorkerAnswers,
    boot_clock,
    check_prefix,
    decide,
    derived_seed,
    is_id,
    new_id,
    of_another_project,
)
from gatepost.base import secret as secret_text
from gatepost.keys import environment
from gatepost.keys.authority import Authority, Subject
from gatepost.keys.catalogue import DAM, Catalogue
from gatepost.keys.inputs import (
    UNNAMED,
    check_id,
    check_in_future,
    checked_actor,
    checked_bound,
    checked_choice,
    checked_description,
    checked_idempotency_key,
    checked_ids,
    checked_moment,
    checked_project,
    checked_text,
)
from gatepost.keys.vault import Vault

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatepost.connections import Guard
    from gatepost.database import Change, Creation, Database, Filter, Standing
    from gatepost.database.schema import SchemaStatus
    from gatepost.freshness import Freshness, Propagations
    from gatepost.keys.which import Which
    from gatepost.lookup import Lookup
    from gatepost.redis import RedisTier

T = TypeVar("T")

Wait = Literal["everywhere", "commit"]
"""What a verb that takes something away waits for: that every worker acts on it, or only that it is committed."""

DEFAULT_DATABASE = "sqlite:///gatepost.db"
PAGE_MAX = 500
"""Most keys on one page."""

GRACE_MAX = 10 * 365 * 86400.0
"""Longest grace that `max_grace` can allow, in seconds: ten years."""

MAX_GRACE = 30 * 86400.0
"""Longest grace of a rotation, in seconds, unless `max_grace` says otherwise: 30 days."""

OWN_GRACE_MIN = 1.0
"""Seconds of grace below which rotating the key in use needs `force`: too short to take up the new secret."""

IDEMPOTENCY_SECONDS = 86400.0
"""For how long a request with an idempotency key may be repeated."""

_HINT_MAX = 40
_NOT_IMPORTED = (
    "each key to import must be an ImportedKey, such as "
    "ImportedKey(digest=hashlib.sha256(secret).digest(), description='CI', permissions=[...]), not"
)
_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})\Z")
"""Seq and number, within what the columns hold."""


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
    `redis_timeout`: seconds that one exchange with Redis may take. Both count only while this process's event loop runs
    (docs/decisions/0014); timeouts of a client or engine of yours do not, and should be longer.

    `prefix`: how secrets begin. `server_keys`: the keys of the secrets' HMAC, 32 bytes or more each; the first makes,
    all check; `None` = the one that the installation generated and keeps in its database. `foreign_secrets`: also look
    up texts that are not of gatepost's format; needed for keys imported by digest. `vault_keys`: Fernet keys (32 bytes
    in url-safe base64; the first seals, all open) with which secrets are stored encrypted too, so that `reveal` gives
    them back; `None` = nothing recoverable is stored. `max_grace`: seconds that a rotation may let the secret before
    go on working, at most ten years.

    Verbs take an `actor`: a name for the audit log, or an `Actor` that may be limited (`gatepost.authority`). A name,
    or none, is an operator, whom nothing limits: for what the app does by itself; `None` is an error. They
    raise `AccessDeniedError` or `ForceNeededError` where it may not do what is asked, and know only keys that it
    reaches.

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
        vault_keys: Sequence[str | bytes] | None = None,
        max_grace: float = MAX_GRACE,
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
        if not isinstance(max_grace, int | float) or not 0 <= max_grace <= GRACE_MAX:
            raise BadInputError(f"max_grace must be a number of seconds, 0 to {GRACE_MAX:.0f}, not {max_grace!r}")
        if server_keys is not None:
            SecretFormat(server_keys, prefix)
        self.catalogue = catalogue
        self.foreign_secrets = foreign_secrets
        self.max_grace = float(max_grace)
        """Longest grace of a rotation, in seconds."""
        self._database_given = database
        self._redis_given = redis
        self._seconds = seconds
        self._memory_entries = memory_entries
        self._prefix = check_prefix(prefix)
        self._server_keys = None if server_keys is None else tuple(server_keys)
        self._vault = None if vault_keys is None else Vault(vault_keys)
        self._clock: Clock = boot_clock
        self._opening = asyncio.Lock()
        self._opening_in: asyncio.AbstractEventLoop | None = None
        self._open: _Open | None = None
        self._failure: tuple[float, str] | None = None
        self.hit: Callable[[bytes], Record | None] = _know_nothing
        """The key of the secret with this digest (32 bytes), if this process remembers it and it may be used now;
        `None` = ask `judge`. No I/O. An attribute, so that a memory hit is one call: `Lookup.hit` while the keys are
        open."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the keys were opened in; `None` while they are closed."""

    if not TYPE_CHECKING:  # a checker finds wrong names by itself, unless it sees this

        def __getattr__(self, name: str) -> NoReturn:
            """Raises `AttributeError`, which for what has moved says what to write."""
            instead = ": write Admin(keys), and from gatepost import Admin" if name == "admin" else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{instead}")

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """The keys that the environment tells of: each argument of `APIKeys` has a variable, `GATEPOST_DATABASE`,
        `GATEPOST_REDIS`, `GATEPOST_MAX_STALENESS`, … (docs/settings.md), the same that the command reads. `arguments`
        count more. Raises `BadInputError`, also for a `GATEPOST_` variable that means nothing, with the nearest name.
        """
        return cls(**environment.read({n: v for n, v in os.environ.items() if n not in _named(arguments)}) | arguments)

    def alike(self, **changes: Any) -> "APIKeys":
        """Others of the same settings, closed still, but for `changes`, which are arguments of `APIKeys`. What was
        handed in, an engine or a client, is shared. For the command, which reads them off an app."""
        arguments = {
            "database": self._database_given,
            "redis": self._redis_given,
            "catalogue": self.catalogue,
            **self._seconds,
            "memory_entries": self._memory_entries,
            "prefix": self._prefix,
            "server_keys": self._server_keys,
            "foreign_secrets": self.foreign_secrets,
            "max_grace": self.max_grace,
        }
        others = APIKeys(**arguments | changes)
        others._vault = others._vault or self._vault
        return others

    @property
    def database_url(self) -> str:
        """The URL of the database as it was given, with its password; that of the engine which was handed in."""
        given = self._database_given
        return given if isinstance(given, str) else given.url.render_as_string(hide_password=False)

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
        `MissingExtraError`, `UnavailableError`, `ConfigurationError` where they are open in another event loop. A Redis
        that does not answer is no error.
        """
        asked = time.monotonic()
        async with self._opening_here():
            if self.is_open:
                return False
            if self._failure is not None and self._failure[0] > asked:  # failed while this call waited: no use to queue
                raise UnavailableError(self._failure[1])
            try:
                self._open = await self._connect()
            except UnavailableError as failure:
                self._failure = (time.monotonic(), str(failure))
                raise
            self.hit = self._open.lookup.hit
            self.loop = self._open.loop
            _FORGOTTEN_IN_CHILDREN.add(self)
            return True

    async def close(self) -> None:
        """Close what `open` opened. Engines and clients that were handed in stay open. Raises `ConfigurationError` in
        another event loop than that they were opened in, unless that is closed."""
        async with self._opening_here():
            opened, self._open = self._open, None
            self.hit = _know_nothing
            self.loop = None
            if opened is not None and not opened.loop.is_closed():
                await opened.close()

    async def serve(self) -> None:
        """Begin to follow the change log, so that lookups may be remembered. The middleware and `verify` do it
        themselves. One to four round trips; nothing where it runs already. Raises `UnavailableError`."""
        opened = self._opened()
        if not opened.freshness.started:
            await opened.freshness.start()

    async def create_schema(self, *, terms_anew: bool = False) -> None:
        """Make or migrate the tables; safe to call at every start and from several processes at once. `terms_anew`:
        also write anew what lists are searched by, which an older version of gatepost does not keep up to date."""
        await self._with_database(lambda database: database.upgrade(terms_anew=terms_anew))

    async def schema_status(self) -> "SchemaStatus":
        """Which revision the database is at, and which one this code needs."""
        return await self._with_database(_read_status)

    async def status(self) -> Status:
        """What this process believes, and how all that it needs does: for people, programs and `gatepost doctor`.

        Works whether the keys are open or not; a system that is down is reported, not raised. Up to five round trips
        to the database, each at most `read_timeout`, and one to Redis meanwhile. Raises `BadInputError`,
        `MissingExtraError` for a URL that cannot be used.
        """
        from gatepost.keys.checkup import look  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if self.is_open:
            opened = self._opened()
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
        results = await asyncio.gather(*map(lookup.witness, digests), return_exceptions=True)
        answers = {}
        for digest, found in zip(digests, results, strict=True):
            if isinstance(found, UnavailableError):
                answers[digest] = Answer(Outcome.UNAVAILABLE, None)
            elif isinstance(found, BaseException):
                raise found
            else:
                answers[digest] = Answer(decide(found, freshness.database_now()), found.as_of)
        return WorkerAnswers(worker, freshness.max_staleness, applied, lease, answers)

    @property
    def has_vault(self) -> bool:
        """Whether secrets are stored so that `reveal` can give them back."""
        return self._vault is not None

    def derived_keys(self, purpose: str) -> Sequence[bytes]:
        """Keys of 32 bytes for a purpose of its own, one for each server key in their order: what signs cookies, so
        that every worker believes them. Raises `ConfigurationError` while the keys are closed."""
        label = b"gatepost key\0" + purpose.encode()
        return [hmac.digest(key, label, "sha256") for key in self._opened().format.server_keys]

    async def create(
        self,
        description: str,
        permissions: Iterable[str] = (),
        *,
        project: str | _Unset | None = UNSET,
        expires_at: datetime | None = None,
        active: bool = True,
        idempotency_key: str | None = None,
        actor: str | Actor = UNNAMED,
    ) -> Issued:
        """Make a key; its secret is told in the answer and never again.

        `description`: 1 to 200 characters. `permissions`: names of the catalogue. `project`: 1 to 100 characters;
        `None` = every project; left out = the actor's. `expires_at`: aware; `None` = never. `active`: whether it may be
        used from the start. `idempotency_key`: 16 to 200 random characters; the same call with it within 24 hours makes
        no second key, but answers as the first did. Raises `BadInputError`, `UnknownPermissionError`,
        `AccessDeniedError`, `IdempotencyError` where the idempotency key was used for something else,
        `UnavailableError`. One transaction.
        """
        actor = checked_actor(actor)
        authority = Authority(actor)
        authority.check_manage()
        if isinstance(project, _Unset):
            project = actor.project
        row = self._row(description, permissions, project, expires_at, active=active)
        seeds: Sequence[_Seed] = [(new_id(), None, self._opened().format)]
        if idempotency_key is not None:
            seeds = self._seeds(_seed_label(actor, checked_idempotency_key(idempotency_key)))
        key_id, random, secret_format = seeds[0]
        secret = Untold(secret_format.make(key_id, random))
        row |= {"id": key_id, **self._secret_columns(secret)}
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            authority.check_project(row["project"])
            authority.check_grant(frozenset(row["permissions"].split()))
            made = None if idempotency_key is None else await change.creation_of([seed[0] for seed in seeds])
            if idempotency_key is not None and made is None:
                await self._check_not_made_earlier(change, actor, idempotency_key)
            if made is not None:
                secrets = {seed[0]: Untold(seed[2].make(*seed[:2])) for seed in seeds}
                return await self._made_before(change, made, row, secrets[made.key_id], authority)
            check_in_future(expires_at, change.now)
            await change.insert_keys([row], "created")
        await self._announce(change.digests)
        return Issued(_key_of(row, change.now), secret.text)

    async def import_digests(self, keys: Iterable[ImportedKey], *, actor: str | Actor = UNNAMED) -> Sequence[APIKey]:
        """Make keys for secrets that exist already, from their digests; all in one transaction, or none.

            await keys.import_digests([ImportedKey(digest=hashlib.sha256(secret).digest(), description="CI")])

        Needs `foreign_secrets=True`. Raises `BadInputError`, which names the entry by its number from 0, for what is no
        `ImportedKey`, and for a digest that is not 32 bytes, stands twice, or has a key already. Answers the keys in
        the order given.
        """
        if not self.foreign_secrets:
            raise BadInputError("imported keys would never be looked up: make APIKeys(..., foreign_secrets=True) first")
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        if not isinstance(keys, Iterable):
            raise BadInputError(f"keys must be a list: {_NOT_IMPORTED} {type(keys).__name__}", "keys")
        rows: list[dict[str, Any]] = []
        numbers: dict[bytes, int] = {}
        for number, key in enumerate(keys):
            try:
                rows.append(self._imported_row(key))
            except BadInputError as wrong:
                raise BadInputError(f"keys[{number}]: {wrong}", f"keys[{number}]") from None
            if key.digest in numbers:
                first = numbers[key.digest]
                raise BadInputError(f"keys[{number}]: digest stands at keys[{first}] already", f"keys[{number}]")
            numbers[key.digest] = number
        if not rows:
            return []
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            for number, row in enumerate(rows):
                authority.check_project(row["project"])
                authority.check_grant(frozenset(row["permissions"].split()))
                if row["expires_at"] is not None and row["expires_at"] <= change.now:
                    raise BadInputError(f"keys[{number}]: expires_at has passed already", f"keys[{number}]")
            known = await change.known_digests(list(numbers))
            if known:
                first = min(numbers[digest] for digest in known)
                raise BadInputError(
                    f"keys[{first}]: a key has this digest already ({len(known)} such entries in all)", f"keys[{first}]"
                )
            await change.insert_keys(rows, "imported")
        await self._announce(change.digests)
        return [_key_of(row, change.now) for row in rows]

    async def get(self, key_id: str, *, actor: str | Actor = UNNAMED) -> APIKey:
        """The key with this id. Raises `KeyNotFoundError`, `UnavailableError`. One round trip."""
        authority = Authority(checked_actor(actor))
        authority.check_look(key_id)
        check_id(key_id)
        key = await self._database.get_key(key_id)
        if key is None or not authority.reaches(key):
            raise KeyNotFoundError([key_id])
        return key

    async def list(
        self,
        *,
        sort: str = "-created",
        after: str | None = None,
        before: str | None = None,
        limit: int = 50,
        actor: str | Actor = UNNAMED,
        **which: Unpack["Which"],
    ) -> Page[APIKey]:
        """One page of keys: those that fit all filters. `None` and `False` do not filter.

        `project`: keys of this one. `company_wide`: keys of no project. `state`: by the database's clock: `active` =
        keys that work now, those that are `expiring` within `expires_within` seconds (30 days) among them; `expired`;
        `deactivated`. `active`: `True` = in the state `active`, `False` = `deactivated`. `permission`: keys that have
        it. `no_permissions`: keys that have none. `expires_before`: aware; keys that expire earlier, or did.
        `never_expires`: keys without an expiry. `search`: words in any case, each of which begins a word of the
        description or is the beginning of the id; or a secret as `hint` tells it, its start, or its last four
        characters, in their own case, of a key's secret now or of the one before.

        `sort`: `created`, `updated`, `description` or `expires` (never comes after every moment), with `-` in front for
        descending. `after`: the `next` of the page before; `before`: the `previous` of the page behind. `limit`: 1 to
        500. Raises `BadInputError`, `UnknownPermissionError`, `UnavailableError`. One round trip, two with a state or
        an expiry, three or four with a permission or `search`; milliseconds, whatever the page and however many keys
        there are (docs/decisions/0007).
        """
        from gatepost.database import Listing, Place, Sort  # noqa: PLC0415 - SQLAlchemy, only where needed

        order = Sort.parse(sort)
        if after is not None and before is not None:
            raise BadInputError("after and before exclude each other", "before")
        wanted = self._wanted(which, actor)
        place = None
        if after is not None or before is not None:
            place = Place.parse(after or before or "", order, "before" if after is None else "after")
        limit = _checked_limit(limit)
        if wanted is None:
            return Page((), None)
        listing = Listing(filter=wanted, sort=order, place=place, limit=limit, backwards=before is not None)
        return Page(*await self._database.list_keys(listing))

    async def count(self, *, actor: str | Actor = UNNAMED, **which: Unpack["Which"]) -> Total:
        """How many keys `list` has with these filters, all pages together. At most 10,000 keys are looked at: where
        there may be more, the answer says so, and tells how many there are at least.

        Raises as `list` does. One round trip, two or three with filters, which take as long as it takes to look at so
        many rows: some 10 ms for 10,000.
        """
        wanted = self._wanted(which, actor)
        return Total(0, exact=True) if wanted is None else await self._database.count_keys(wanted)

    async def projects(self, *, after: str | None = None, limit: int = 100, actor: str | Actor = UNNAMED) -> Page[str]:
        """The names of the projects that have keys, of those that the actor reaches, in the database's order of texts.
        `after`: a name; those that come after it. `limit`: 1 to 500. Raises `BadInputError`, `AccessDeniedError`,
        `UnavailableError`. One round trip, however many keys there are."""
        authority = Authority(checked_actor(actor))
        authority.check_look()
        found = await self._database.list_projects(
            after=None if after is None else checked_text("after", after, PROJECT_MAX),
            project=authority.actor.project,
            limit=_checked_limit(limit) + 1,
        )
        return Page(found[:limit], found[limit - 1] if len(found) > limit else None)

    def _wanted(self, which: "Which", actor: str | Actor) -> "Filter | None":
        """The keys that are asked for and that the actor reaches; `None` = there can be none."""
        from gatepost.keys.selection import Selection  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        authority = Authority(checked_actor(actor))
        authority.check_look()
        wanted = Selection(**which).checked(self.catalogue)
        own = authority.actor.project
        if own is None:
            return wanted
        return replace(wanted, project=own) if wanted.project in (None, own) else None

    async def events(
        self,
        key_id: str | None = None,
        *,
        kind: str | None = None,
        project: str | None = None,
        by_kind: str | None = None,
        by_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 50,
        actor: str | Actor = UNNAMED,
    ) -> Page[ChangeEvent]:
        """One page of the audit log, newest first: of one key, also a deleted one, or of all that the actor reaches.
        Filters of `None` do not filter.

        `kind`: what was done (`EVENT_KINDS`). `project`: to keys of this project. `by_kind`: by whom, a value of
        `ActorKind`; `by_id`: by whoever has this `actor_id`: a key's id, a person's (with `by_kind="key"` also what is
        from before kinds were kept and has that key's name). `since`, `until`: aware; from the one on, before the
        other, by the database's clock. `after`, `limit` as for `list`. Raises `KeyNotFoundError` for a key that there
        has never been, `BadInputError`, `UnavailableError`. One round trip, two by time; milliseconds with one filter;
        with more, what fits the narrowest is looked at until the page is full.
        """
        from gatepost.database import LogPage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        authority = Authority(checked_actor(actor))
        authority.check_look(key_id)
        if key_id is not None:
            check_id(key_id)
        project = checked_project(project)
        own = authority.actor.project
        log = LogPage(
            key_id=key_id,
            project=project if own is None else own,
            kind=checked_choice("kind", kind, EVENT_KINDS),
            by_kind=checked_choice("by_kind", by_kind, tuple(ActorKind)),
            by_id=None if by_id is None else checked_text("by_id", by_id, ACTOR_ID_MAX),
            since=checked_bound("since", since),
            until=checked_bound("until", until),
            place=None if after is None else _parse_place(after),
            limit=_checked_limit(limit) + 1,
        )
        if own is not None and project not in (None, own):
            return Page((), None)
        found = await self._database.list_events(log)
        if key_id is not None and not found:
            await self._check_known(key_id, authority)
        last = found[limit - 1] if len(found) > limit else None
        return Page(found[:limit], None if last is None else f"{last.seq}.{last.n}")

    async def made_by(
        self, key_id: str, *, after: str | None = None, limit: int = 50, actor: str | Actor = UNNAMED
    ) -> Page[APIKey]:
        """One page of the keys that a key made (created or imported), those that these made, and so on, as far as there
        still are any; newest first. The key itself may be deleted. What an intruder with it has left, to be switched
        off: `await keys.deactivate([key.id for key in page.items])`. Whose secrets it was told otherwise tells the
        audit log: `events(kind="rotated", by_id=key_id)`, and `"revealed"`.

        Events from before gatepost kept who acted count by their name. `after`, `limit` as for `list`. Raises
        `KeyNotFoundError` for a key that there has never been, `BadInputError`, `UnavailableError`. One round trip, an
        index probe for each key made.
        """
        from gatepost.database import NEWEST, MadePage, Place  # noqa: PLC0415 - SQLAlchemy

        authority = Authority(checked_actor(actor))
        authority.check_look()
        check_id(key_id)
        made = MadePage(
            key_id=key_id,
            project=authority.actor.project,
            place=None if after is None else Place.parse(after, NEWEST),
            limit=_checked_limit(limit),
        )
        found, following = await self._database.list_made(made)
        if not found:
            await self._check_known(key_id, authority)
        return Page(found, following)

    async def update(
        self,
        key_id: str,
        *,
        description: str | None = None,
        permissions: Iterable[str] | None = None,
        expires_at: datetime | _Unset | None = UNSET,
        if_version: str | None = None,
        force: bool = False,
        actor: str | Actor = UNNAMED,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> EditedKey:
        """Edit a key; what is not named stays as it is. `expires_at=None`: never. `if_version`: only while the key's
        `version` is still that one. `force`: also where it weakens the key that the actor uses. That key's own life is
        not made longer by it.

        An edit that takes a permission away or lets the key expire earlier waits as `deactivate` does; `wait` and
        `timeout` are as there. Raises `KeyNotFoundError`, `BadInputError`, `UnknownPermissionError`, `StaleKeyError`,
        `AccessDeniedError`, `ForceNeededError`, `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        patience = self._patience(wait, timeout)
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        check_id(key_id)
        wanted: dict[str, Any] = {}
        if description is not None:
            wanted["description"] = checked_description(description)
        if permissions is not None:
            wanted["permissions"] = self.catalogue.check(permissions)
        if not isinstance(expires_at, _Unset):
            wanted["expires_at"] = checked_moment(expires_at)
        if not wanted:
            raise BadInputError("nothing to update: name description, permissions or expires_at")
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            check_in_future(wanted.get("expires_at"), change.now)
            before = key = await self._found(change, authority, key_id, if_version)
            after = replace(before, **wanted)
            authority.check_grant(_given(before, after))
            if _is_longer(before, after):
                authority.check_longer_life(before)
            if _takes_away(before, after):
                authority.check_own(before, force=force)
            changed = {name: value for name, value in wanted.items() if value != getattr(before, name)}
            if changed:
                detail = {
                    name: {"old": _plain(getattr(before, name)), "new": _plain(changed[name])} for name in changed
                }
                columns = dict(changed)
                if "permissions" in columns:
                    columns["permissions"] = _joined(sorted(columns["permissions"]))
                await change.update_key(after, columns, detail)
                key = await change.read_key(key_id)
        may_have_taken = not changed and ("permissions" in wanted or wanted.get("expires_at") is not None)
        if not (_takes_away(before, key) or may_have_taken):  # it may have been made by a call that nobody waited for
            patience = replace(patience, everywhere=False)
        return await self._settled(change, patience, lambda spread: _edited(key, spread), changed=bool(changed))

    async def activate(
        self,
        ids: str | Iterable[str],
        *,
        actor: str | Actor = UNNAMED,
        wait: Wait = "commit",
        timeout: float | None = None,
    ) -> Receipt:
        """Switch one key or many on. As `deactivate`, but it does not wait for other workers unless told to: until they
        know of it, they refuse the key. An actor needs every permission of the key."""
        patience = self._patience(wait, timeout)
        return await self._switch(
            ids, True, actor, patience, lambda authority, key: authority.check_grant(key.permissions)
        )

    async def deactivate(
        self,
        ids: str | Iterable[str],
        *,
        force: bool = False,
        actor: str | Actor = UNNAMED,
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

        A single unknown id raises `KeyNotFoundError`; of many, the unknown ones are named in the receipt, as are those
        that the actor may not change: its own key, unless `force` is said. A key that was off already is waited for
        too. Raises `UnavailableError` where the database failed and nothing was changed,
        `UncertainCommitError` where it went away in the commit. A call that is cancelled while it waits has changed the
        keys: the cancellation carries a note that says so.
        """
        patience = self._patience(wait, timeout)
        return await self._switch(
            ids, False, actor, patience, lambda authority, key: authority.check_own(key, force=force)
        )

    async def rotate(
        self,
        key_id: str,
        *,
        grace: float,
        if_version: str | None = None,
        force: bool = False,
        actor: str | Actor = UNNAMED,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Issued:
        """Give a key a new secret. The one before goes on working for `grace` seconds, `max_grace` at most; 0 kills it
        at once. Until then it is the key's `old_secret`, and `end_grace` ends it early.

        A key has two secrets at most: one that an earlier rotation left dies now. Waits as `deactivate` does, with
        `wait` and `timeout` as there; the new secret is in the error's `result` then. An actor needs every permission
        of the key, and `force` to end the secret that it uses at once; with an older secret of the key it gets no new
        one. `if_version`: as for `update`. Raises
        `KeyNotFoundError`, `BadInputError`, `StaleKeyError`, `AccessDeniedError`, `ForceNeededError`,
        `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        patience = self._patience(wait, timeout)
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        if not isinstance(grace, int | float) or not 0 <= grace <= self.max_grace:
            raise BadInputError(
                f"grace must be a number of seconds, 0 to {self.max_grace:.0f}, not {grace!r}: the setting max_grace "
                "says how long an older secret may live on",
                "grace",
            )
        check_id(key_id)
        secret = Untold(self._opened().format.make(key_id))
        columns = self._secret_columns(secret)
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            before = await self._found(change, authority, key_id, if_version)
            authority.check_grant(before.permissions)
            authority.check_current_secret(before)
            authority.check_own(before, force=force or grace >= OWN_GRACE_MIN)
            await change.rotate_secret(before, **columns, grace=timedelta(seconds=grace))
            key = await change.read_key(key_id)
        return await self._settled(change, patience, lambda spread: Issued(key, secret.text, spread))

    async def end_grace(
        self,
        ids: str | Iterable[str],
        *,
        if_version: str | None = None,
        force: bool = False,
        actor: str | Actor = UNNAMED,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Receipt:
        """End the older secret that a rotation of one key or many left working for a while, now and in one transaction;
        the current one stays. A key without one, or whose grace has run out, is `unchanged`. `force`: also where it is
        the secret that the actor uses. As `deactivate` otherwise. `if_version`: as for `update`, with a single id."""
        if if_version is not None and not isinstance(ids, str):
            raise BadInputError("if_version goes with a single id", "if_version")
        patience = self._patience(wait, timeout)
        return await self._change_keys(
            ids,
            actor,
            patience,
            lambda authority, key: authority.check_own_secret(key, force=force),
            lambda change, found: change.end_grace(found),
            skip=lambda key: not key.has_old_secret,
            if_version=if_version,
        )

    async def delete(
        self,
        ids: str | Iterable[str],
        *,
        if_version: str | None = None,
        force: bool = False,
        actor: str | Actor = UNNAMED,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Receipt:
        """Remove one key or many for good, in one transaction; their secrets are unknown from then on. As `deactivate`
        otherwise. `if_version`: as for `update`, with a single id."""
        if if_version is not None and not isinstance(ids, str):
            raise BadInputError("if_version goes with a single id", "if_version")
        patience = self._patience(wait, timeout)
        return await self._change_keys(
            ids,
            actor,
            patience,
            lambda authority, key: authority.check_own(key, force=force),
            lambda change, found: change.delete_keys(found),
            if_version=if_version,
        )

    async def reveal(self, key_id: str, *, actor: str | Actor = UNNAMED) -> str:
        """The current secret of a key again, where a vault keeps it. It is in the audit log before it is told. An actor
        needs `ACCESS_MANAGE` and every permission of the key. Raises `SecretNotStoredError`, `KeyNotFoundError`,
        `AccessDeniedError`, `UnavailableError`. One transaction."""
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        check_id(key_id)
        if self._vault is None:
            raise SecretNotStoredError("No vault is configured: only digests of secrets are stored (vault_keys=)")
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            key = await self._found(change, authority, key_id)
            authority.check_grant(key.permissions)
            authority.check_current_secret(key)
            digest, sealed = await change.reveal_secret(key_id)
            if sealed is None:
                raise SecretNotStoredError(
                    "This key's secret was made before the vault was configured: rotate the key to get one that is kept"
                )
            secret = Untold(self._vault.open(sealed, digest))
        await self._announce(change.digests)
        return secret.text

    async def invalidate(
        self, *, actor: str | Actor = UNNAMED, wait: Wait = "everywhere", timeout: float | None = None
    ) -> Propagation:
        """Have every worker forget all that it remembers, and distrust all that Redis holds: to be called once the
        database was put back to an older state (a backup, a failover that lost commits), since what was read from the
        lost one must not be believed. Workers that start later heed it too. Changes no key, and costs nothing but speed
        for a moment.

        Waits as `deactivate` does, with `wait` and `timeout` as there. The counter goes on at the microseconds since
        the epoch by the database's clock, above all that was lost. For operators only. Raises `AccessDeniedError`,
        `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        patience = self._patience(wait, timeout)
        actor = checked_actor(actor)
        if Authority(actor).is_limited:
            raise AccessDeniedError("Only an operator can have all workers forget what they remember")
        async with self._change(actor) as change:
            await change.begin()
            await change.invalidate()
        return await self._settled(change, patience, lambda spread: spread)

    async def verify(self, secret: str, *, project: str | _Unset | None = UNSET, fresh: bool = False) -> Verdict:
        """What `secret` opens, as the middleware would judge it. `project`: the one that the request belongs to;
        `None` = to none, so that only company-wide keys are good; left out = not asked. `fresh`: on the database's word
        of now, whatever is remembered; one round trip. Raises `UnavailableError` where the truth could not be read. No
        I/O where memory knows it.
        """
        if not isinstance(secret, str):
            raise BadInputError(f"secret must be a str, not {type(secret).__name__}")
        presented = Presented(secret.encode("utf-8", "surrogatepass"), fresh=fresh)
        del secret  # whoever reports an error of the database's sees this frame too
        outcome, key = await self.judge_presented(presented)
        if outcome is Outcome.VALID and key is not None and not isinstance(project, _Unset):
            outcome = Outcome.PROJECT_DENIED if of_another_project(key.project, project) else outcome
        return Verdict(outcome, key)

    def is_genuine(self, secret: bytes) -> bool:
        """Whether `secret` was made by this installation, for whatever key: its form, checksum and HMAC are right.
        Whether it opens anything is not asked. A secret that was imported never is. No I/O, about 5 µs."""
        return self._opened().format.is_genuine(secret.strip(secret_text.BLANKS))

    async def judge(self, secret: bytes, *, fresh: bool = False) -> tuple[Outcome, Record | None]:
        """What `secret` opens, with whatever I/O it takes: none for a text that was never made here. `fresh`: read from
        the database after this call, whatever is remembered.

        Raises `UnavailableError`.
        """
        presented = Presented(secret, fresh=fresh)
        del secret
        return await self.judge_presented(presented)

    async def judge_presented(self, presented: Presented) -> tuple[Outcome, Record | None]:
        """As `judge`, for a secret whose text is to be seen no more. Raises `UnavailableError`."""
        opened = self._opened()
        lookup, digest = opened.lookup, presented.digest
        found = None if presented.fresh else lookup.remembered(digest)
        if found is None:
            if not presented.may_exist(opened.format, foreign=self.foreign_secrets):
                return Outcome.INVALID, None
            if not opened.freshness.started:
                await self.serve()
            found = await (lookup.find_fresh(digest) if presented.fresh else lookup.seek(digest))
        return decide(found, opened.freshness.database_now()), None if isinstance(found, Absent) else found

    def attend(self, digest: bytes, key: Record, end: Callable[[Outcome], None]) -> Callable[[], None]:
        """Have `end` called, once, when a connection that the secret of `digest` (32 bytes) opened as `key` must not go
        on: because of a change, an expiry, or because nobody can vouch for the key any more (`Outcome.UNAVAILABLE`). It
        must return at once.

        What is returned is to be called when the connection is over. Keys that are closed end nothing. No I/O. Raises
        `ConfigurationError` in another event loop than that of the keys.
        """
        return self._opened().guard.attend(digest, key, end) if self.is_open else _do_nothing

    async def _connect(self) -> "_Open":
        # SQLAlchemy, only where keys are opened
        from gatepost.connections import Connections, Guard  # noqa: PLC0415
        from gatepost.freshness import Freshness, Propagations  # noqa: PLC0415
        from gatepost.lookup import Lookup, MemoryTier  # noqa: PLC0415

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
            connections,
            redis,
            max_staleness=seconds["max_staleness"],
            poll_interval=seconds["poll_interval"],
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
        thread = threading.current_thread().name
        return _Open(loop, thread, database, secret_format, redis, freshness, lookup, guard, propagations)

    def _new_database(self) -> "Database":
        from gatepost.database import Database  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        return Database(self._database_given, timeout=self._seconds["read_timeout"])

    def _new_redis(self) -> "RedisTier | None":
        if self._redis_given is None:
            return None
        from gatepost.redis import RedisTier  # noqa: PLC0415 - redis-py, only where there is a Redis

        return RedisTier(self._redis_given, ttl=self._seconds["redis_ttl"], timeout=self._seconds["redis_timeout"])

    def _forget_in_child(self) -> None:
        """In a process that was forked: its parent's connections and place among the workers are not its own. It has to
        open the keys for itself, and nothing that was remembered counts until it has."""
        self._open = None
        self.hit = _know_nothing
        self.loop = None
        self._opening_in = None

    def _opened(self) -> "_Open":
        """What is open. Raises `ConfigurationError` where nothing is, or in another event loop: a connection that is
        used in two is spoilt."""
        if self._open is None or not self.is_open:
            raise ConfigurationError("The keys are not open: write 'async with keys:', or let the app's lifespan do it")
        self._open.check_loop()
        return self._open

    def _opening_here(self) -> asyncio.Lock:
        """The lock around opening and closing: a lock belongs to the event loop in which somebody waited for it. Raises
        `ConfigurationError` where the keys are open in another."""
        if self._open is not None and self.is_open:
            self._open.check_loop()
        loop = asyncio.get_running_loop()
        if self._opening_in is not loop:
            self._opening, self._opening_in = asyncio.Lock(), loop
        return self._opening

    @property
    def _database(self) -> "Database":
        return self._opened().database

    async def _with_database(self, use: Callable[["Database"], Awaitable[T]]) -> T:
        """Run `use` on the database, connected for the time where the keys are not open."""
        if self.is_open:
            return await use(self._opened().database)
        database = self._new_database()
        database.connect()
        try:
            return await use(database)
        finally:
            await database.close()

    def _row(
        self,
        description: str,
        permissions: Iterable[str],
        project: str | None,
        expires_at: datetime | None,
        *,
        active: bool,
    ) -> dict[str, Any]:
        """The columns of a new key, checked; all but its id and its secret's."""
        if not isinstance(active, bool):
            raise BadInputError(f"active must be True or False, not {active!r}", "active")
        return {
            "project": checked_project(project),
            "description": checked_description(description),
            "permissions": _joined(sorted(self.catalogue.check(permissions))),
            "active": active,
            "expires_at": checked_moment(expires_at),
        }

    def _secret_columns(self, secret: Untold) -> dict[str, Any]:
        """What is stored of a new secret."""
        return {
            "digest": secret_text.digest(secret.text.encode()),
            "hint": secret_text.hint(secret.text),
            "sealed": None if self._vault is None else self._vault.seal(secret.text),
        }

    def _imported_row(self, key: ImportedKey) -> dict[str, Any]:
        if not isinstance(key, ImportedKey):
            raise BadInputError(f"{_NOT_IMPORTED} {type(key).__name__}")
        if isinstance(key.digest, str):
            raise BadInputError("digest must be bytes, not a text: bytes.fromhex(...) makes them of hexadecimal digits")
        if not isinstance(key.digest, bytes) or len(key.digest) != DIGEST_BYTES:
            raise BadInputError(f"digest must be {DIGEST_BYTES} bytes: hashlib.sha256(secret).digest()")
        if not isinstance(key.hint, str) or len(key.hint) > _HINT_MAX or not key.hint.isprintable():
            raise BadInputError(f"hint must be at most {_HINT_MAX} printable characters")
        row = self._row(key.description, key.permissions, key.project, key.expires_at, active=key.active)
        return row | {"id": new_id(), "digest": key.digest, "hint": key.hint}

    def _seeds(self, label: str) -> Sequence["_Seed"]:
        """What a label makes a key and its secret of, under each server key: id, random bytes, and the format
        (docs/decisions/0009)."""
        opened = self._opened()
        return [
            (*derived_seed(server_key, label), SecretFormat((server_key,), opened.format.prefix))
            for server_key in opened.format.server_keys
        ]

    async def _check_not_made_earlier(self, change: "Change", actor: Actor, idempotency_key: str) -> None:
        """Raise `IdempotencyError` where a key was made with the idempotency key by a gatepost that knew people by
        their names alone: its secret might be somebody else's, and a second key is not wanted."""
        if actor.kind is not ActorKind.KEY:
            earlier = self._seeds(f"name {actor.name}\0{idempotency_key}")
            if await change.creation_of([seed[0] for seed in earlier]) is not None:
                raise IdempotencyError(
                    "The idempotency key was used before gatepost was upgraded, by this name: take a new one"
                )

    async def _check_known(self, key_id: str, authority: Authority) -> None:
        """Raise `KeyNotFoundError` where, as far as the actor can tell, there has never been such a key."""
        from gatepost.database import LogPage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if not await self._database.list_events(LogPage(key_id=key_id, project=authority.actor.project, limit=1)):
            await self.get(key_id, actor=authority.actor)

    async def _made_before(
        self, change: "Change", made: "Creation", row: Mapping[str, Any], secret: Untold, authority: Authority
    ) -> Issued:
        """The answer to a request to create a key that was answered before. Raises `IdempotencyError`."""
        from gatepost.database import creation_detail  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if made.detail != creation_detail(row):
            raise IdempotencyError("The idempotency key was used for another request already: take a new one")
        if change.now - made.at > timedelta(seconds=IDEMPOTENCY_SECONDS):
            raise IdempotencyError("The idempotency key was used more than 24 hours ago: take a new one")
        found = await change.secret_of(secret_text.digest(secret.text.encode()))
        if found != (made.key_id, None):
            raise IdempotencyError(f"Key {made.key_id}, made with the idempotency key, was deleted or rotated since")
        key = await change.read_key(made.key_id)
        authority.check_reach(key)
        authority.check_grant(key.permissions)
        return Issued(key, secret.text)

    def _change(self, actor: Actor) -> "AbstractAsyncContextManager[Change]":
        """A change of the actor's."""
        return self._database.change(None if actor is UNNAMED else actor)

    async def _begin(self, change: "Change", actor: Actor) -> Authority:
        """Begin a change; what its actor may do in it. A key that acts is read anew: what it may do can have changed.
        Raises `AccessDeniedError`."""
        await change.begin()
        if actor.key_id is not None:
            try:
                key = await change.read_key(actor.key_id)
            except KeyNotFoundError:
                raise AccessDeniedError(f"Key {actor.key_id}, which acts, is not there any more") from None
            if not key.active or (key.expires_at is not None and key.expires_at <= change.now):
                raise AccessDeniedError(f"Key {key.id}, which acts, cannot be used any more")
            if actor.project is not None and key.project not in (None, actor.project):
                raise AccessDeniedError(f"Key {key.id}, which acts, is of another project")
            project = key.project if actor.project is None else actor.project
            actor = replace(actor, project=project, permissions=key.permissions & actor.permissions)
        authority = Authority(actor, has_old_secret=await self._has_old_secret(change, actor))
        authority.check_manage()
        return authority

    async def _has_old_secret(self, change: "Change", actor: Actor) -> bool:
        """Whether the actor acts with a secret that was rotated out. Raises `AccessDeniedError` for one that is not
        good any more: it was when the call came, but the call may have taken its time."""
        if actor.digest is None:
            return False
        found = await change.secret_of(actor.digest)
        if found is None or found[0] != actor.key_id or (found[1] is not None and found[1] <= change.now):
            raise AccessDeniedError("The secret that this was asked with is not good any more")
        return found[1] is not None

    async def _found(
        self, change: "Change", authority: Authority, key_id: str, if_version: str | None = None
    ) -> APIKey:
        """The key that is to be changed. Raises `KeyNotFoundError`, `StaleKeyError`."""
        if not await change.states([key_id]):
            raise KeyNotFoundError([key_id])
        key = await change.read_key(key_id)
        authority.check_reach(key)
        if if_version is not None and key.version != if_version:
            raise StaleKeyError(key)
        return key

    async def _switch(
        self,
        ids: str | Iterable[str],
        active: bool,
        actor: str | Actor,
        patience: "_Patience",
        check: Callable[[Authority, Subject], None],
    ) -> Receipt:
        return await self._change_keys(
            ids,
            actor,
            patience,
            check,
            lambda change, found: change.set_active(found, active),
            skip=lambda key: key.active is active,
        )

    async def _change_keys(
        self,
        ids: str | Iterable[str],
        actor: str | Actor,
        patience: "_Patience",
        check: Callable[[Authority, Subject], None],
        apply: "Callable[[Change, Sequence[str]], Awaitable[None]]",
        *,
        skip: "Callable[[Standing], bool]" = lambda _key: False,
        if_version: str | None = None,
    ) -> Receipt:
        """Change one key or many in one transaction. `check`: raises where the actor may not change the key. `skip`:
        whether it is as wanted already."""
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        wanted = checked_ids(ids)
        denied: dict[str, str] = {}
        async with self._change(actor) as change:
            authority = await self._begin(change, actor)
            if if_version is not None:
                check_id(wanted[0])
                await self._found(change, authority, wanted[0], if_version)
            found = await change.states([key_id for key_id in wanted if is_id(key_id)])
            states = {key_id: key for key_id, key in found.items() if authority.reaches(key)}
            unchanged = [key_id for key_id in wanted if key_id in states and skip(states[key_id])]
            changed = []
            for key_id in wanted:
                if key_id in states and not skip(states[key_id]):
                    try:
                        check(authority, states[key_id])
                        changed.append(key_id)
                    except (AccessDeniedError, ForceNeededError) as refusal:
                        if isinstance(ids, str):
                            raise
                        denied[key_id] = str(refusal)
            if changed:
                await apply(change, changed)
        seq = change.seq if changed else None
        unknown = [key_id for key_id in wanted if key_id not in states]
        receipt = await self._settled(
            change,
            patience,
            lambda spread: Receipt(seq, changed, unchanged, unknown, spread, denied),
            changed=bool(changed),
            known=bool(changed or unchanged),
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
        from gatepost.freshness import Spread  # noqa: PLC0415

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


_Seed = tuple[str, bytes | None, SecretFormat]
"""What a key and its secret are made of: id, random bytes (`None` = new ones), and the format."""


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a verb waits. `everywhere`: for every worker. `begun`: own clock at the call. `until`: own clock after
    which not to wait any longer, `None` = no limit."""

    everywhere: bool
    begun: float
    until: float | None


@dataclass(frozen=True, slots=True)
class _Open:
    """What is there while the keys are open. `loop`: the event loop that its connections and tasks belong to. `thread`:
    the name of the thread that it runs in."""

    loop: asyncio.AbstractEventLoop
    thread: str
    database: "Database"
    format: SecretFormat
    redis: "RedisTier | None"
    freshness: "Freshness"
    lookup: "Lookup"
    guard: "Guard"
    propagations: "Propagations"

    def check_loop(self) -> None:
        """Raises `ConfigurationError` in another event loop than its own."""
        here = asyncio.get_running_loop()
        if here is not self.loop:
            raise ConfigurationError(
                f"The keys were opened in the event loop {id(self.loop):#x} (thread {self.thread}) and are used in the "
                f"event loop {id(here):#x} (thread {threading.current_thread().name}): open them in the loop that uses "
                "them. In a test with a sync client, let the app's lifespan do it ('with TestClient(app) as client'), "
                "and call verbs by 'client.portal.call(keys.create, ...)'"
            )

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


async def _read_status(database: "Database") -> "SchemaStatus":
    return await database.schema_status()


def _named(arguments: Mapping[str, Any]) -> set[str]:
    """The variables of arguments that are given, so that what they hold need not be right."""
    return {f"{environment.PREFIX}{name.upper()}" for name in arguments}


def _know_nothing(_digest: bytes) -> None:
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


def _seed_label(actor: Actor, idempotency_key: str) -> str:
    """What tells this call from others: who asks, for which project, and the idempotency key."""
    if actor.kind is ActorKind.KEY:
        return f"key {actor.identity}\0{idempotency_key}"
    return orjson.dumps([actor.kind, actor.identity, actor.project, idempotency_key]).decode()


def _joined(names: Sequence[str]) -> str:
    """The text of the permissions column: a space at each end, so that SQL can search for a whole name."""
    return f" {' '.join(names)} "


def _checked_limit(limit: int) -> int:
    if type(limit) is not int or not 1 <= limit <= PAGE_MAX:
        raise BadInputError(f"limit must be a whole number, 1 to {PAGE_MAX}, not {limit!r}", "limit")
    return limit


def _parse_place(after: str) -> tuple[int, int]:
    """The place in the audit log that `after` tells."""
    found = _PLACE.match(after) if isinstance(after, str) else None
    if found is None:
        raise BadInputError(f"after={after!r:.50} is not the `next` of an earlier page", "after")
    return int(found[1]), int(found[2])


def _plain(value: Any) -> Any:
    """A value of a key as JSON has it."""
    if isinstance(value, frozenset):
        return sorted(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _given(before: APIKey, after: APIKey) -> frozenset[str]:
    """The permissions that an edit hands out: those added, and all where the key is to live longer."""
    return after.permissions if _is_longer(before, after) else after.permissions - before.permissions


def _is_longer(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key live longer."""
    return before.expires_at is not None and (after.expires_at is None or after.expires_at > before.expires_at)


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
