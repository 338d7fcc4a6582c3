"""`APIKeys`: the face of the keys. It opens and closes the parts, and says where each verb is done with them, and told
of in full."""

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, overload

from gatepost.base import (
    BLANKS,
    DEFAULT_PREFIX,
    Actor,
    APIKey,
    ChangeEvent,
    EditedKey,
    Environment,
    ImportedKey,
    Issued,
    Outcome,
    Page,
    Presented,
    Propagation,
    Receipt,
    Record,
    Total,
    Verdict,
)
from gatepost.keys import (
    changing,
    deleting,
    editing,
    importing,
    judging,
    leaking,
    limiting,
    listing,
    log,
    making,
    retention,
    revealing,
    rotating,
    switching,
)
from gatepost.keys import usage as using
from gatepost.keys.given import Selection
from gatepost.keys.issuing import Issuing
from gatepost.keys.parts import (
    DEFAULT_DATABASE,
    MAX_GRACE,
    Settings,
    do_nothing,
    variables,
)
from gatepost.rules import DAM, UNNAMED, UNSET, Catalogue, Unset

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatepost.base import Leak, Usage
    from gatepost.base.trail import Pruned
    from gatepost.database.schema import SchemaStatus
    from gatepost.health import Status, WorkerAnswers
    from gatepost.keys.given import (
        Edit,
        EventFilters,
        Filters,
        LeakOptions,
        ListFilters,
        Making,
        Options,
        UsageDays,
        UsageFilters,
    )
    from gatepost.keys.retention import Kept
    from gatepost.limits import LimitState


class APIKeys(Issuing):
    """The keys behind one database, seen from one process. Opens nothing until `async with keys:` or `open`.

    `database`: a URL, or an `AsyncEngine` that you close. `redis`: a URL, or a `redis.asyncio` client that you close;
    `None` = no Redis tier. `Settings` has the meaning and the unit of each argument, and what is raised.

    Verbs take an `actor`: a name for the audit log, or an `Actor` that may be limited (`gatepost.rules.authority`). A
    name, or none, is an operator, whom nothing limits: for what the app does by itself; `None` is an error. They raise
    `AccessDeniedError` or `ForceNeededError` where it may not do what is asked, and know only keys that it reaches.
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
        prefix: str = DEFAULT_PREFIX,
        server_keys: Sequence[bytes] | None = None,
        foreign_secrets: bool = False,
        vault_keys: Sequence[str | bytes] | None = None,
        max_grace: float = MAX_GRACE,
        usage: bool = True,
        environment: Environment | None = None,
    ) -> None:
        settings = Settings(
            database=database,
            redis=redis,
            catalogue=catalogue,
            max_staleness=max_staleness,
            poll_interval=poll_interval,
            memory_entries=memory_entries,
            memory_ttl=memory_ttl,
            redis_ttl=redis_ttl,
            absent_ttl=absent_ttl,
            read_timeout=read_timeout,
            redis_timeout=redis_timeout,
            prefix=prefix,
            server_keys=server_keys,
            foreign_secrets=foreign_secrets,
            vault_keys=vault_keys,
            max_grace=max_grace,
            usage=usage,
            environment=environment,
        )
        super().__init__(settings)

    if not TYPE_CHECKING:  # a checker says that there is no such name

        @property  # not __getattr__, with which reading any attribute takes longer, `hit` too
        def admin(self) -> NoReturn:
            """Raises `AttributeError`, which says what to write."""
            raise AttributeError("APIKeys has no attribute 'admin': write Admin(keys), and from gatepost import Admin")

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """The keys that the environment tells of: each argument of `APIKeys` has a variable, `GATEPOST_DATABASE`,
        `GATEPOST_REDIS`, … (docs/settings.md). `arguments` count more. Raises `BadInputError`. More: `variables`."""
        return cls(**variables.read_beside(arguments, os.environ) | arguments)

    def alike(self, **changes: Any) -> "APIKeys":
        """Others of the same settings, closed still, but for `changes`, which are arguments of `APIKeys`. What was
        handed in, an engine or a client, is shared. For the command, which reads them off an app."""
        others = APIKeys(**self._parts.settings.alike(changes))
        others._parts.app_has_limits = self._parts.app_has_limits
        return others

    @property
    def database_url(self) -> str:
        """The URL of the database as it was given, with its password; that of the engine which was handed in."""
        return self._parts.settings.database_url

    @property
    def catalogue(self) -> type[Catalogue]:
        """Which permissions exist."""
        return self._parts.settings.catalogue

    @property
    def foreign_secrets(self) -> bool:
        """Whether texts that are not of gatepost's format are looked up too."""
        return self._parts.settings.foreign_secrets

    @property
    def environment(self) -> str | None:
        """Which environment this process is of; `None` = none, so keys for either are taken."""
        return self._parts.settings.environment

    @property
    def max_grace(self) -> float:
        """Longest grace of a rotation, in seconds."""
        return self._parts.settings.max_grace

    @property
    def prefix(self) -> str:
        """How secrets begin."""
        return self._parts.settings.prefix

    @property
    def has_vault(self) -> bool:
        """Whether secrets are stored so that `reveal` can give them back."""
        return self._parts.settings.vault is not None

    async def create_schema(self, *, terms_anew: bool = False) -> None:
        """Make or migrate the tables; safe to call at every start and from several processes at once. `terms_anew`:
        also write anew what lists are searched by, which an older version of gatepost does not keep up to date."""
        await self._parts.with_database(lambda database: database.upgrade(terms_anew=terms_anew))

    async def schema_status(self) -> "SchemaStatus":
        """Which revision the database is at, and which one this code needs."""
        return await self._parts.with_database(lambda database: database.schema_status())

    async def status(self) -> "Status":
        """What this process believes, and how all that it needs does; open or not, and whatever is down. Raises
        `BadInputError`, `MissingExtraError` for a URL that cannot be used. More: `checkup.status`."""
        from gatepost.keys.parts import checkup  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        return await checkup.status(self._parts)

    async def create(self, description: str, permissions: Iterable[str] = (), **making_of: Unpack["Making"]) -> Issued:
        """Make a key; its secret is told in the answer and never again. More: `making.create`."""
        return await making.create(self._parts, description, permissions, **making_of)

    async def import_digests(self, keys: Iterable[ImportedKey], *, actor: str | Actor = UNNAMED) -> Sequence[APIKey]:
        """Make keys for secrets that there are, from their digests; all, or none. More: `importing.import_digests`."""
        return await importing.import_digests(self._parts, keys, actor=actor)

    async def get(self, key_id: str, *, actor: str | Actor = UNNAMED) -> APIKey:
        """The key with this id. Raises `KeyNotFoundError`, `UnavailableError`. One round trip."""
        return await listing.get_key(self._parts, key_id, actor=actor)

    async def list(self, **which: Unpack["ListFilters"]) -> Page[APIKey]:
        """One page of keys: those that fit all filters (`Filters`), newest first unless `sort` says otherwise. `after`,
        `before`: the `next` of the page before, the `previous` of the page behind. Raises `BadInputError`,
        `UnknownPermissionError`, `UnavailableError`. More: `listing.list_keys`."""
        return await listing.list_keys(self._parts, **which)

    async def count(self, *, actor: str | Actor = UNNAMED, **which: Unpack["Filters"]) -> Total:
        """How many keys `list` has with these filters; of very many, at least how many. More: `listing.count_keys`."""
        return await listing.count_keys(self._parts, actor=actor, **which)

    async def projects(self, *, after: str | None = None, limit: int = 100, actor: str | Actor = UNNAMED) -> Page[str]:
        """The names of the projects that have keys, of those that the actor reaches. More: `listing.list_projects`."""
        return await listing.list_projects(self._parts, after=after, limit=limit, actor=actor)

    async def events(self, key_id: str | None = None, **which: Unpack["EventFilters"]) -> Page[ChangeEvent]:
        """One page of the audit log, newest first: of one key, also a deleted one, or all. More: `log.list_events`."""
        return await log.list_events(self._parts, key_id, **which)

    async def made_by(
        self, key_id: str, *, after: str | None = None, limit: int = 50, actor: str | Actor = UNNAMED
    ) -> Page[APIKey]:
        """One page of the keys that a key made, those that these made, and so on. More: `log.list_made`."""
        return await log.list_made(self._parts, key_id, after=after, limit=limit, actor=actor)

    async def usage(self, key_id: str | None, **which: Unpack["UsageFilters"]) -> "Sequence[Usage]":
        """How often a key was used, refusals included, and when last. More: `usage.read_usage`."""
        return await using.read_usage(self._parts, key_id, **which)

    async def usage_by_day(self, ids: Iterable[str], **days: Unpack["UsageDays"]) -> Mapping[str, Sequence[int]]:
        """How often keys were used on each of the last days. More: `usage.read_days`."""
        return await using.read_days(self._parts, ids, **days)

    async def flush_usage(self) -> None:
        """Write now what this process has counted, which else it does within a minute. Raises `UnavailableError`."""
        if (flushing := self._opened().flushing) is not None:
            await flushing.flush()

    async def prune(self, **kept: Unpack["Kept"]) -> "Pruned":
        """Take away old usage, and if wanted old lines of the audit log and dead workers. More: `retention.prune`."""
        return await retention.prune(self._parts, **kept)

    @property
    def audit_log(self) -> retention.AuditLog:
        """The audit log as a whole: exported, and verified by its chain of hashes."""
        return retention.AuditLog(self._parts)

    @overload
    async def update(self, which: str, **edit: Unpack["Edit"]) -> EditedKey: ...
    @overload
    async def update(
        self, which: str | Iterable[str] | Selection, *, preview: bool = False, **edit: Unpack["Edit"]
    ) -> EditedKey | Receipt: ...
    async def update(
        self, which: str | Iterable[str] | Selection, *, preview: bool = False, **edit: Unpack["Edit"]
    ) -> EditedKey | Receipt:
        """Edit a key: `description`, `permissions`, `expires_at` (`None` = never), `allow`, `limits`, `owner`,
        `metadata`; what is not named stays as it is. Waits as `deactivate` does where it takes something away. Of many
        keys, or for a `preview`, the answer is a `Receipt`. More: `editing.update`."""
        return await editing.update(self._parts, which, preview=preview, **edit)

    async def limits(self, key_id: str, *, actor: str | Actor = UNNAMED) -> "Sequence[LimitState]":
        """What is left of each limit of a key: of quotas what no worker has leased. Raises `KeyNotFoundError`,
        `UnavailableError`. More: `limiting.limits`."""
        return await limiting.limits(self._parts, key_id, actor=actor)

    async def reset_limits(self, key_id: str, *, if_version: str | None = None, **how: Unpack["Options"]) -> EditedKey:
        """Count anew for all limits of a key, everywhere when the call returns. More: `limiting.reset_limits`."""
        return await limiting.reset_limits(self._parts, key_id, if_version=if_version, **how)

    async def activate(
        self, ids: str | Iterable[str] | Selection, *, preview: bool = False, **how: Unpack["Options"]
    ) -> Receipt:
        """Switch one key or many on, in one transaction. More: `switching.activate`."""
        return await switching.activate(self._parts, ids, preview=preview, **how)

    async def deactivate(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """Switch one key or many off, in one transaction; or a `Selection`, which `preview` shows first. When the call
        returns, no worker anywhere lets a request in with them that begins later. Raises `KeyNotFoundError` for a
        single id, `UnavailableError`, `UncertainCommitError`, and `StillSpreadingError` after a `timeout`. More:
        `switching.deactivate`."""
        return await switching.deactivate(self._parts, ids, force=force, preview=preview, **how)

    async def rotate(
        self, key_id: str, *, grace: float, if_version: str | None = None, force: bool = False, **how: Unpack["Options"]
    ) -> Issued:
        """Give a key a new secret. The one before goes on working for `grace` seconds, `max_grace` at most; 0 kills it
        at once. A `StillSpreadingError` has the new secret in its `result`. More: `rotating.rotate`."""
        return await rotating.rotate(self._parts, key_id, grace=grace, if_version=if_version, force=force, **how)

    async def end_grace(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        if_version: str | None = None,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """End now the older secret that a rotation of one key or many left working. More: `rotating.end_grace`."""
        return await rotating.end_grace(self._parts, ids, if_version=if_version, force=force, preview=preview, **how)

    async def delete(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        if_version: str | None = None,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """Remove one key or many for good. Waits and raises as `deactivate` does. More: `deleting.delete`."""
        return await deleting.delete(self._parts, ids, if_version=if_version, force=force, preview=preview, **how)

    async def reveal(self, key_id: str, *, actor: str | Actor = UNNAMED) -> str:
        """The current secret of a key again, where a vault keeps it. More: `revealing.reveal`."""
        return await revealing.reveal(self._parts, key_id, actor=actor)

    async def report_leak(self, secret: str | bytes, **how: Unpack["LeakOptions"]) -> "Leak | None":
        """Tell that a secret was found in the open, and end it. More: `leaking.report_leak`."""
        found = leaking.digest_of(secret)
        del secret
        return await leaking.report_leak(self._parts, found, **how)

    async def invalidate(self, **how: Unpack["Options"]) -> Propagation:
        """Have every worker forget all it remembers: once the database was put back. More: `changing.invalidate`."""
        return await changing.invalidate(self._parts, **how)

    async def verify(
        self,
        secret: str,
        *,
        project: str | Unset | None = UNSET,
        address: str | None = None,
        fresh: bool = False,
        count: bool = True,
        origin: str | None = None,
        subject: str | None = None,
    ) -> Verdict:
        """What `secret` opens, as the middleware would judge it. `address`: the IP address that it was shown from;
        without it a key that has an `allow` is refused. `fresh`: on the database's word. `count`: it is a use of
        the key. `origin`, `subject`: what a temporary secret may be bound to. More: `judging.verify`."""
        presented = judging.presented_text(secret, fresh=fresh, address=address)
        del secret  # whoever reports an error of the database's sees this frame too
        return await judging.verify(self._parts, presented, project, count=count, origin=origin, subject=subject)

    def is_genuine(self, secret: bytes) -> bool:
        """Whether `secret` was made by this installation, for whatever key: its form, checksum and HMAC are right.
        Whether it opens anything is not asked. A secret that was imported never is. No I/O, about 5 µs."""
        return self._opened().format.is_genuine(secret.strip(BLANKS))

    async def judge(self, secret: bytes, *, fresh: bool = False) -> tuple[Outcome, Record | None]:
        """What `secret` opens, with whatever I/O it takes. Raises `UnavailableError`. More: `judging.judge`."""
        presented = Presented(secret, fresh=fresh)
        del secret
        return await self.judge_presented(presented)

    def judge_presented(self, presented: Presented) -> Coroutine[Any, Any, tuple[Outcome, Record | None]]:
        """As `judge`, for a secret whose text is to be seen no more. Raises `UnavailableError`."""
        return judging.judge(self._parts, presented)

    def stands(self, digest: bytes, key: Record) -> bool:
        """Whether a request that was let in as `key` may still be, after it has waited: as `Lookup.stands`. No I/O."""
        return self._opened().lookup.stands(digest, key)

    async def testify(self, digests: Sequence[bytes]) -> "WorkerAnswers":
        """How requests with the secrets of these digests would be answered now. More: `judging.testify`."""
        return await judging.testify(self._parts, digests)

    def attend(
        self, digest: bytes, key: Record, end: Callable[[Outcome], None], address: str | None = None
    ) -> Callable[[], None]:
        """Have `end` called, once, when a connection that the secret of `digest` (32 bytes) opened as `key`, from that
        address, must not go on. Call what is returned when it is over. More: `Guard.attend`."""
        parts = self._parts
        return parts.opened().guard.attend(digest, key, end, address) if parts.is_open else do_nothing
