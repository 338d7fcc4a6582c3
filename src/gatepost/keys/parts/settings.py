"""`Settings`: the arguments of `APIKeys`, checked. Opens nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from gatepost.base import BadInputError, SecretFormat, check_prefix
from gatepost.keys.parts.vault import Vault
from gatepost.rules import Catalogue, checked_environment

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from sqlalchemy.ext.asyncio import AsyncEngine

DEFAULT_DATABASE = "sqlite:///gatepost.db"

GRACE_MAX = 10 * 365 * 86400.0
"""Longest grace that `max_grace` can allow, in seconds: ten years."""

MAX_GRACE = 30 * 86400.0
"""Longest grace of a rotation, in seconds, unless `max_grace` says otherwise: 30 days."""

_SECONDS = (
    "max_staleness",
    "poll_interval",
    "memory_ttl",
    "redis_ttl",
    "absent_ttl",
    "read_timeout",
    "redis_timeout",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """What `APIKeys` was told. Shows nothing of itself, since some of it is secret.

    `database`: a URL (SQLite, PostgreSQL, MariaDB, MySQL), or an `AsyncEngine` that the caller closes. `redis`: a URL,
    or a `redis.asyncio` client that the caller closes; `None` = no Redis tier. `catalogue`: which permissions exist.

    `max_staleness`: seconds that anything remembered may be believed without hearing from the database.
    `poll_interval`: seconds between two looks at the change counter. `memory_entries`: most keys remembered in this
    process, about 0.5 kB each; 0 = none. `memory_ttl`, `redis_ttl`, `absent_ttl`: seconds that a key is remembered in
    memory, in Redis, and that an unknown secret is. `read_timeout`: seconds that one read of the database may take, or
    the wait for a connection (with the caller's engine on asyncpg two more, in which SQLAlchemy ends the connection).
    `redis_timeout`: seconds that one exchange with Redis may take. Both count only while this process's event loop runs
    (docs/decisions/0014); timeouts of the caller's client or engine do not, and should be longer.

    `prefix`: how secrets begin. `server_keys`: the keys of the secrets' HMAC, 32 bytes or more each; the first makes,
    all check; `None` = the one that the installation generated and keeps in its database. `foreign_secrets`: also look
    up texts that are not of gatepost's format; needed for keys imported by digest. `vault_keys`: Fernet keys (32 bytes
    in url-safe base64; the first seals, all open) with which secrets are stored encrypted too, so that `reveal` gives
    them back; `None` = nothing recoverable is stored. `max_grace`: seconds that a rotation may let the secret before go
    on working, at most ten years. `usage`: count requests by key, and write the counts into the database.
    `environment`: `live` or `test`: what new keys are for unless told otherwise, and keys for the other one are
    refused; `None` = new keys are for either, and all are taken.

    Raises `BadInputError` for values that cannot be used, and `MissingExtraError` for a vault without `cryptography`.
    """

    database: "str | AsyncEngine"
    redis: "str | Redis | RedisCluster | None"
    catalogue: type[Catalogue]
    max_staleness: float
    poll_interval: float
    memory_entries: int
    memory_ttl: float
    redis_ttl: float
    absent_ttl: float
    read_timeout: float
    redis_timeout: float
    prefix: str
    server_keys: Sequence[bytes] | None
    foreign_secrets: bool
    vault_keys: Sequence[str | bytes] | None
    max_grace: float
    usage: bool
    environment: str | None
    vault: Vault | None = field(init=False, compare=False)
    """What seals secrets, made of `vault_keys`; `None` = nothing does."""

    def __post_init__(self) -> None:
        for name in _SECONDS:
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise BadInputError(f"{name} must be a number of seconds above 0, not {value}", name)
        if self.poll_interval > self.max_staleness / 2:
            raise BadInputError(
                f"poll_interval ({self.poll_interval} s) must be at most half of max_staleness ({self.max_staleness} "
                "s), or what is remembered would stop to count between two polls"
            )
        if not isinstance(self.memory_entries, int) or self.memory_entries < 0:
            raise BadInputError(
                f"memory_entries must be a whole number, 0 or more, not {self.memory_entries!r}", "memory_entries"
            )
        if not isinstance(self.max_grace, int | float) or not 0 <= self.max_grace <= GRACE_MAX:
            raise BadInputError(
                f"max_grace must be a number of seconds, 0 to {GRACE_MAX:.0f}, not {self.max_grace!r}", "max_grace"
            )
        if not isinstance(self.usage, bool):
            raise BadInputError(f"usage must be True or False, not {self.usage!r:.50}", "usage")
        if self.server_keys is not None:
            SecretFormat(self.server_keys, self.prefix)
        check_prefix(self.prefix)
        checked_environment(self.environment)
        settled = {
            "max_grace": float(self.max_grace),
            "server_keys": None if self.server_keys is None else tuple(self.server_keys),
            "vault": None if self.vault_keys is None else Vault(self.vault_keys),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def alike(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of others of the same settings, but for `changes`. What was handed in, an engine or a client,
        is shared."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init} | {**changes}

    @property
    def database_url(self) -> str:
        """The URL of the database as it was given, with its password; that of the engine which was handed in."""
        given = self.database
        return given if isinstance(given, str) else given.url.render_as_string(hide_password=False)
