"""`APIKeys`: the face of the keys. Its settings, and what a secret opens; verbs that look are in `Looking`, those that
change something in `Changing`."""

import os
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

from gatepost.base import (
    BLANKS,
    DEFAULT_PREFIX,
    Environment,
    Outcome,
    Presented,
    Record,
    Verdict,
)
from gatepost.keys import (
    judging,
    retention,
)
from gatepost.keys.changes import Changing
from gatepost.keys.parts import DEFAULT_DATABASE, MAX_GRACE, Settings, do_nothing, variables
from gatepost.rules import DAM, UNSET, Catalogue, Unset

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatepost.database.schema import SchemaStatus
    from gatepost.health import Status, WorkerAnswers


class APIKeys(Changing):
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
        `GATEPOST_REDIS`, … (docs/settings.md). `arguments` count more. Raises `BadInputError`, which begins with
        the variable's name where that gave what cannot be used. More: `variables`."""
        given = variables.read_beside(arguments, os.environ)
        with variables.named(given):
            return cls(**given | arguments).said_by_variables(given)

    def alike(self, **changes: Any) -> "APIKeys":
        """Others of the same settings, closed still, but for `changes`, which are arguments of `APIKeys`. What was
        handed in, an engine or a client, is shared. For the command, which reads them off an app. Raises
        `BadInputError` as `APIKeys` does."""
        others = APIKeys(**self._parts.settings.alike(changes))
        others._parts.app_has_limits = self._parts.app_has_limits
        return others.said_by_variables(self._parts.said - changes.keys())

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
        also write anew what lists are searched by, which an older version of gatepost does not keep up to date. Raises
        `SchemaError` where the tables are newer than this code or not gatepost's, `BadInputError`, `MissingExtraError`,
        `UnavailableError`."""
        await self._parts.with_database(lambda database: database.upgrade(terms_anew=terms_anew))

    async def schema_status(self) -> "SchemaStatus":
        """Which revision the database is at, and which one this code needs. Raises `SchemaError`, `BadInputError`,
        `MissingExtraError`, `UnavailableError`."""
        return await self._parts.with_database(lambda database: database.schema_status())

    async def status(self) -> "Status":
        """What this process believes, and how all that it needs does; open or not, and whatever is down. Raises
        `BadInputError`, `MissingExtraError` for a URL that cannot be used. More: `checkup.status`."""
        from gatepost.keys.parts import checkup  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        return await checkup.status(self._parts)

    @property
    def audit_log(self) -> retention.AuditLog:
        """The audit log as a whole: exported, and verified by its chain of hashes."""
        return retention.AuditLog(self._parts)

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
        """What `secret`, a text, opens, as the middleware would judge it. `project`: the one that the request belongs
        to; `None` = to none, so that only company-wide keys are good; left out = not asked. `fresh`: judge it on the
        database's word of now, whatever is remembered; one round trip. `address`: the IP address that it was shown
        from; a key that has an `allow` is refused (`ADDRESS_DENIED`) where that is not on it, and where none was given:
        nobody knows it then. `origin`, `subject`: of what page the request is, and whom the app knows it to be from:
        what a temporary secret may be bound to. Raises `BadInputError` for what is no text or no address,
        `UnavailableError` where the truth could not be read. No I/O where memory knows it. `count`: whether it is a use
        of the key, of no route; `False` where a request is counted already, or nobody uses it."""
        presented = judging.presented_text(secret, fresh=fresh, address=address)
        del secret  # whoever reports an error of the database's sees this frame too
        return await judging.verify(self._parts, presented, project, count=count, origin=origin, subject=subject)

    def is_genuine(self, secret: bytes) -> bool:
        """Whether `secret` was made by this installation, for whatever key: its form, checksum and HMAC are right.
        Whether it opens anything is not asked. A secret that was imported never is. No I/O, about 5 µs. Raises
        `ConfigurationError` while the keys are closed."""
        return self._opened().format.is_genuine(secret.strip(BLANKS))

    async def judge(self, secret: bytes, *, fresh: bool = False) -> tuple[Outcome, Record | None]:
        """What `secret`, ASCII bytes, opens, with whatever I/O it takes: none for a text that was never made here, or
        says that its key is for another environment. `fresh`: read it from the database after this call, whatever is
        remembered.

        Raises `UnavailableError`.
        """
        presented = Presented(secret, fresh=fresh)
        del secret
        return await self.judge_presented(presented)

    def judge_presented(self, presented: Presented) -> Coroutine[Any, Any, tuple[Outcome, Record | None]]:
        """As `judge`, for a secret whose text is to be seen no more: what is left of it is `presented`. Raises
        `UnavailableError`."""
        return judging.judge(self._parts, presented)

    def stands(self, digest: bytes, key: Record) -> bool:
        """Whether a request that was let in as `key` by the secret of `digest` (32 bytes) may still be, after it has
        waited: as `Lookup.stands`. No I/O. Raises `ConfigurationError` while the keys are closed."""
        return self._opened().lookup.stands(digest, key)

    async def testify(self, digests: Sequence[bytes]) -> "WorkerAnswers":
        """How requests with the secrets of these `digests` (32 bytes each) would be answered, had they begun now: by
        the same memory, Redis and database, in the same order and under the same lease. For the auditor, which has no
        secrets. At most the I/O of a request each. Raises `UnavailableError` where this worker cannot begin to serve.
        """
        return await judging.testify(self._parts, digests)

    def attend(
        self, digest: bytes, key: Record, end: Callable[[Outcome], None], address: str | None = None
    ) -> Callable[[], None]:
        """Have `end` called, once, when a connection that the secret of `digest` (32 bytes) opened as `key`, from
        `address` (`None` = nobody knows it), must not go on. Call what is returned when it is over. Raises nothing.
        More: `Guard.attend`."""
        parts = self._parts
        return parts.opened().guard.attend(digest, key, end, address) if parts.is_open else do_nothing
