"""The tables of what is told to the outside. Triggers and change log watch none of them: telling is no change."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, SmallInteger, String, Table, Text

from gatepost.base import PROJECT_MAX, TARGET_MAX
from gatepost.database.schema.tables import UTCDateTime, _exact, _in_mysql, _key_id, metadata

MESSAGE_ID_MAX = 100
TYPE_MAX = 40
ERROR_MAX = 200
"""Longest texts, in characters."""

_seconds: Double[float] = Double()
"""Seconds since the epoch by the database's clock."""

deliverer = Table(
    "gatepost_deliverer",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, comment="always 1"),
    Column("holder", String(32), nullable=False, comment="random, per process; empty = nobody"),
    Column("until", _seconds, nullable=False, comment="the holder delivers until then, and nobody else"),
    Column("queued", BigInteger, nullable=False, comment="place of the last delivery that was queued"),
    Column("swept_at", _seconds, comment="expiries up to then are told; null = none yet"),
    **_in_mysql,
)
"""The lease: one process among all delivers."""

targets = Table(
    "gatepost_targets",
    metadata,
    Column("name", _exact(TARGET_MAX), primary_key=True),
    Column("seq", BigInteger, nullable=False, comment="the log is queued up to here"),
    Column("n", Integer, nullable=False, comment="and up to this event of that seq"),
    Column("stopped", String(ERROR_MAX), comment="why nothing is sent there any more; null = it is"),
    **_in_mysql,
)

deliveries = Table(
    "gatepost_deliveries",
    metadata,
    Column("target", _exact(TARGET_MAX), primary_key=True),
    Column("id", _exact(MESSAGE_ID_MAX), primary_key=True, comment="the message's, the same at each attempt"),
    Column("place", BigInteger, nullable=False, comment="their order, of one key"),
    Column("key_id", _key_id, nullable=False, comment="empty = about no key"),
    Column("type", _exact(TYPE_MAX), nullable=False),
    Column("body", Text, nullable=False, comment="JSON"),
    Column("queued_at", _seconds, nullable=False),
    Column("dead", Boolean, nullable=False, comment="given up"),
    Column("attempts", Integer, nullable=False),
    Column("due_at", _seconds, nullable=False, comment="not to be sent before"),
    Column("error", String(ERROR_MAX), comment="of the last attempt"),
    Index(None, "target", "dead", "place"),
    Index(None, "target", "key_id", "place"),
    **_in_mysql,
)
"""What is still to be delivered, or was given up. What has arrived has no row."""

outbox = Table(
    "gatepost_outbox",
    metadata,
    Column("id", _exact(MESSAGE_ID_MAX), primary_key=True, comment="tells the same happening again"),
    Column("type", _exact(TYPE_MAX), nullable=False),
    Column("key_id", _key_id, nullable=False),
    Column("project", _exact(PROJECT_MAX)),
    Column("at", UTCDateTime, nullable=False),
    Column("data", Text, nullable=False, comment="JSON"),
    Column("moved", Boolean, nullable=False, comment="queued for every target; kept to know it again"),
    Index(None, "moved", "at"),
    **_in_mysql,
)
"""What happened that is no change of a key: expiries, limits, sign-ins."""
