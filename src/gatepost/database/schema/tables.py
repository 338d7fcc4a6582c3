"""The tables (docs/decisions/0003). The migrations make them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from gatepost.base import (
    ACTOR_ID_MAX,
    ACTOR_MAX,
    ADDRESS_MAX,
    DESCRIPTION_MAX,
    ENVIRONMENT_MAX,
    OWNER_MAX,
    PROJECT_MAX,
    ROUTE_MAX,
    SECRET_ID_BYTES,
)
from gatepost.rules import ROLE_NAME_MAX

HINT_MAX = 60
"""Characters: a prefix of 32, the id's first four, dots, the last four, and some room for imported ones."""


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, to the microsecond. Stored without a zone where the database has no type with one."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """MariaDB and MySQL keep whole seconds unless told otherwise."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Only aware moments go in."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Only aware moments come out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _exact(length: int) -> String:
    """Text that is compared byte by byte: MariaDB's and MySQL's default collations hold 'aB' and 'Ab' for equal."""
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(in_mysql, "mysql", "mariadb")


def _ordered(length: int) -> String:
    """Exact text whose order is that of its code points on every database, so that a range is all with a beginning."""
    return _exact(length).with_variant(String(length, collation="C"), "postgresql")


BUCKET_MAX = 180
"""Longest name of what a limit is counted in, in characters: an owner's, or a project's, with the limit's."""

KIND_MAX = 10

TERM_MAX = 65
"""Longest term, in characters: the longest permission, with its mark."""

_digest = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
_key_id = _exact(12)
_CHANGED_NONCE = "nonce of the library's change that wrote the row last; -1 - nonce = it is about to delete it"
"""What the triggers tell changes by hand from: those leave the column as it was."""

_in_mysql: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}

metadata = MetaData(
    naming_convention={
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _of_those_with(column: str, *others: str) -> Index:
    """An index that holds in PostgreSQL only the rows that have the column: a change of a key writes no entry for what
    the key has not (docs/decisions/0070)."""
    return Index(None, column, *others, postgresql_where=text(f"{column} IS NOT NULL"))


keys = Table(
    "gatepost_keys",
    metadata,
    Column("id", _key_id, primary_key=True),
    Column("project", _exact(PROJECT_MAX)),
    Column("description", String(DESCRIPTION_MAX), nullable=False),
    Column("permissions", Text, nullable=False, comment="names between spaces, with a space at each end"),
    Column("active", Boolean, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, comment="null = never"),
    Column("created_seq", BigInteger, nullable=False, comment="the seq that made the key: lists are ordered by it"),
    Column("changed_nonce", BigInteger, nullable=False, server_default="0", comment=_CHANGED_NONCE),
    Column("allow", Text, comment="JSON array of networks that the key may be used from; null = anywhere"),
    Column("limits", Text, comment="JSON array of bounds on how much it may be used; null = none"),
    Column("owner", _exact(OWNER_MAX), comment="who answers for it; null = nobody is named"),
    Column("environment", _exact(ENVIRONMENT_MAX), comment="live or test; null = either"),
    Column("metadata", Text, comment="JSON object of the app's; null = empty"),
    Column("roles", Text, comment="names of the roles that it holds, as permissions are written; null = none"),
    Column("own_permissions", Text, comment="what it has without its roles, likewise; null = all of its permissions"),
    Column("kind", _exact(KIND_MAX), comment="template; null = a plain key"),
    Column("template", Text, comment="JSON of what a template says; null = a plain key"),
    Column("resources", Text, comment="JSON array of those that its permissions hold on; null = every one"),
    Column("role_resources", Text, comment="JSON object: those of what it has by limited roles alone; null = empty"),
    Index(None, "active", "created_seq", "id"),
    Index(None, "active", "updated_at", "id"),
    Index(None, "active", "description", "id"),
    Index(None, "active", "expires_at", "id"),
    Index(None, "project", "active", "created_seq", "id"),  # of all rows: it finds those of no project too
    _of_those_with("project", "active", "updated_at", "id"),
    _of_those_with("project", "active", "description", "id"),
    _of_those_with("project", "active", "expires_at", "id"),
    _of_those_with("owner", "active", "created_seq", "id"),
    _of_those_with("environment", "active", "created_seq", "id"),
    _of_those_with("kind", "active", "created_seq", "id"),
    **_in_mysql,
)

roles = Table(
    "gatepost_roles",
    metadata,
    Column("project", _exact(PROJECT_MAX), primary_key=True, comment="empty = for keys of every project"),
    Column("name", _exact(ROLE_NAME_MAX), primary_key=True),
    Column("description", String(DESCRIPTION_MAX), nullable=False),
    Column("permissions", Text, nullable=False, comment="names between spaces, with a space at each end"),
    Column("patterns", Text, comment="JSON array of what was written as a shorthand; null = nothing"),
    Column("resources", Text, comment="JSON array of those that its permissions hold on; null = every one"),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Index(None, "name"),
    **_in_mysql,
)
"""Named sets of permissions. What a key has by its roles stands in its own row: lookups never read this."""

secrets = Table(
    "gatepost_secrets",
    metadata,
    Column("digest", _digest, primary_key=True),
    Column("key_id", _key_id, ForeignKey(keys.c.id, ondelete="CASCADE"), nullable=False),
    Column("hint", String(HINT_MAX), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column(
        "expires_at", UTCDateTime, comment="null = the current secret; else it was rotated out and lives until then"
    ),
    Column("changed_nonce", BigInteger, nullable=False, server_default="0", comment=_CHANGED_NONCE),
    Column("sealed", Text, comment="the secret, encrypted under a vault key; null = not kept"),
    Index(None, "key_id"),
    **_in_mysql,
)

BY_HAND = "kind = 'sql'"
"""What is true of the events that triggers wrote."""

events = Table(
    "gatepost_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False, comment="number inside one change, from 0"),
    Column("nonce", BigInteger, nullable=False, comment="the counter's nonce at this seq"),
    Column("digest", _digest, comment="the secret that the change is about; null = none"),
    Column("key_id", _key_id),
    Column("kind", String(20), nullable=False),
    Column("actor", String(ACTOR_MAX)),
    Column("at", UTCDateTime, nullable=False),
    Column("detail", Text, comment="JSON"),
    Column("project", _exact(PROJECT_MAX), comment="the key's"),
    Column("address", String(ADDRESS_MAX), comment="where the actor was"),
    Column("actor_kind", String(20), comment="a value of ActorKind; null = not known, so the name proves nothing"),
    Column("actor_id", _exact(ACTOR_ID_MAX), comment="tells the actor from all others of its kind"),
    Column("owner", _exact(OWNER_MAX), comment="the key's"),
    Column("environment", _exact(ENVIRONMENT_MAX), comment="the key's"),
    Index(None, "key_id", "seq"),
    Index(None, "project", "seq"),
    Index(None, "owner", "seq"),
    Index(None, "environment", "seq"),
    Index(None, "kind", "seq"),
    Index(None, "actor_kind", "seq"),
    Index(None, "actor_id", "seq"),
    Index(None, "at", "seq"),
    **_in_mysql,
)

terms = Table(
    "gatepost_terms",
    metadata,
    Column("term", _ordered(TERM_MAX), primary_key=True, comment="a word of the description, or = and a permission"),
    Column("project", _exact(PROJECT_MAX), primary_key=True, comment="the key's; empty = every project"),
    Column("key_id", _key_id, primary_key=True),
    Index(None, "key_id", "term"),
    sqlite_with_rowid=False,
    **_in_mysql,
)
"""What lists are filtered by, found fast however rare it is. Derived from the keys; never read by lookups."""

counter = Table(
    "gatepost_counter",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, comment="always 1"),
    Column("seq", BigInteger, nullable=False, comment="number of the last committed change"),
    Column("nonce", BigInteger, nullable=False, comment="random, new with each seq"),
    Column("policies", Integer, nullable=False, server_default="0", comment="how many there are: 0 = none to be read"),
    **_in_mysql,
)

workers = Table(
    "gatepost_workers",
    metadata,
    Column("id", String(32), primary_key=True, comment="random, per process"),
    Column("seen_at", UTCDateTime, nullable=False),
    Column("acked_seq", BigInteger, nullable=False, comment="this worker has applied every change up to here"),
    Column("max_staleness", Float, nullable=False, comment="seconds: its lease lasts no longer"),
    Column("beat", BigInteger, nullable=False, server_default="0", comment="random, new with each renewal"),
    Column("name", String(200), nullable=False, server_default="", comment="host and process, for people"),
    **_in_mysql,
)

settings = Table(
    "gatepost_settings",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("value", Text, nullable=False),
    **_in_mysql,
)

quotas = Table(
    "gatepost_quotas",
    metadata,
    Column("bucket", _exact(BUCKET_MAX), primary_key=True, comment="who is limited, by which limit, since which reset"),
    Column("period", BigInteger, primary_key=True, autoincrement=False, comment="its begin: seconds since the epoch"),
    Column("ends", BigInteger, nullable=False, comment="seconds since the epoch"),
    Column("used", BigInteger, nullable=False, comment="units spent, or leased to workers"),
    Index(None, "ends"),
    **_in_mysql,
)
"""What of quotas is spent. Triggers and change log do not watch it: a use is no change of a key."""

usage = Table(
    "gatepost_usage",
    metadata,
    Column("key_id", _key_id, primary_key=True, comment="empty = no key is known by what was sent"),
    Column("day", Date, primary_key=True, comment="UTC; of a month, its first"),
    Column("by_month", Boolean, primary_key=True, comment="rolled up: the uses of a whole month"),
    Column("secret", _exact(2 * SECRET_ID_BYTES), primary_key=True, comment="short identity; empty = not known"),
    Column("route", _exact(ROUTE_MAX), primary_key=True, comment="template; empty = not known"),
    Column("outcome", _exact(30), primary_key=True),
    Column("uses", BigInteger, nullable=False),
    Column("last_at", UTCDateTime, nullable=False),
    Column("last_address", String(ADDRESS_MAX)),
    Index(None, "by_month", "day"),
    **_in_mysql,
)
"""How often keys were used. Of no interest to lookups, triggers or the change log: a use is no change."""

last_used = Table(
    "gatepost_last_used",
    metadata,
    Column("key_id", _key_id, primary_key=True),
    Column("last_at", UTCDateTime, nullable=False, comment="1970-01-01 = never"),
    Index(None, "last_at", "key_id"),
    **_in_mysql,
)
"""A row for each key, whether it was used or not, so that lists by last use walk one index. No foreign key: what a
worker writes of a key must not fail, or wait, because somebody deletes it."""

usage_batches = Table(
    "gatepost_usage_batches",
    metadata,
    Column("id", String(32), primary_key=True, comment="random; the last that a worker has written"),
    Column("at", UTCDateTime, nullable=False),
    **_in_mysql,
)
"""Which batches are in the counts already: one that is sent again adds nothing."""
