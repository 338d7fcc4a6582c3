"""Usage: how often keys were used, when last, and which batches of counts are written."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

ENGINE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def exact(length: int) -> sa.String:
    """Text compared byte by byte."""
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def moment() -> sa.types.TypeEngine[Any]:
    """A moment to the microsecond."""
    return sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add the tables, with a row for each key, none of which is known to have been used."""
    op.create_table(
        "gatepost_usage",
        sa.Column("key_id", exact(12), nullable=False, comment="empty = no key is known by what was sent"),
        sa.Column("day", sa.Date, nullable=False, comment="UTC; of a month, its first"),
        sa.Column("by_month", sa.Boolean, nullable=False, comment="rolled up: the uses of a whole month"),
        sa.Column("secret", exact(12), nullable=False, comment="short identity; empty = not known"),
        sa.Column("route", exact(200), nullable=False, comment="template; empty = not known"),
        sa.Column("outcome", exact(30), nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("last_at", moment(), nullable=False),
        sa.Column("last_address", sa.String(100)),
        sa.PrimaryKeyConstraint("key_id", "day", "by_month", "secret", "route", "outcome"),
        **ENGINE,
    )
    op.create_index("ix_gatepost_usage_by_month_day", "gatepost_usage", ["by_month", "day"])
    op.create_table(
        "gatepost_last_used",
        sa.Column("key_id", exact(12), nullable=False),
        sa.Column("last_at", moment(), nullable=False, comment="1970-01-01 = never"),
        sa.PrimaryKeyConstraint("key_id"),
        **ENGINE,
    )
    never = {
        "postgresql": "TIMESTAMP WITH TIME ZONE '1970-01-01 00:00:00+00'",
        "sqlite": "'1970-01-01 00:00:00.000000'",
    }.get(op.get_context().dialect.name, "'1970-01-01 00:00:00'")
    op.execute(f"INSERT INTO gatepost_last_used (key_id, last_at) SELECT id, {never} FROM gatepost_keys")  # noqa: S608
    op.create_index("ix_gatepost_last_used_last_at_key_id", "gatepost_last_used", ["last_at", "key_id"])
    op.create_table(
        "gatepost_usage_batches",
        sa.Column("id", sa.String(32), nullable=False, comment="random; the last that a worker has written"),
        sa.Column("at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
