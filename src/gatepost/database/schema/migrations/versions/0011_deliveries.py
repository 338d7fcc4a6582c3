"""What is told to the outside: who delivers, where to, what is on its way."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"

ENGINE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def exact(length: int) -> sa.types.TypeEngine[Any]:
    """Text compared byte by byte."""
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def moment() -> sa.types.TypeEngine[Any]:
    """A moment to the microsecond."""
    return sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add the tables, and the row of the lease, which nobody has."""
    op.create_table(
        "gatepost_deliverer",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False, comment="always 1"),
        sa.Column("holder", sa.String(32), nullable=False, comment="random, per process; empty = nobody"),
        sa.Column("until", sa.Double, nullable=False, comment="the holder delivers until then, and nobody else"),
        sa.Column("queued", sa.BigInteger, nullable=False, comment="place of the last delivery that was queued"),
        sa.Column("swept_at", sa.Double, comment="expiries up to then are told; null = none yet"),
        **ENGINE,
    )
    op.execute("INSERT INTO gatepost_deliverer (id, holder, until, queued) VALUES (1, '', 0, 0)")
    op.create_table(
        "gatepost_targets",
        sa.Column("name", exact(50), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="the log is queued up to here"),
        sa.Column("n", sa.Integer, nullable=False, comment="and up to this event of that seq"),
        sa.Column("stopped", sa.String(200), comment="why nothing is sent there any more; null = it is"),
        sa.PrimaryKeyConstraint("name"),
        **ENGINE,
    )
    op.create_table(
        "gatepost_deliveries",
        sa.Column("target", exact(50), nullable=False),
        sa.Column("id", exact(100), nullable=False, comment="the message's, the same at each attempt"),
        sa.Column("place", sa.BigInteger, nullable=False, comment="their order, of one key"),
        sa.Column("key_id", exact(12), nullable=False, comment="empty = about no key"),
        sa.Column("type", exact(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False, comment="JSON"),
        sa.Column("queued_at", sa.Double, nullable=False),
        sa.Column("dead", sa.Boolean, nullable=False, comment="given up"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False, comment="not to be sent before"),
        sa.Column("error", sa.String(200), comment="of the last attempt"),
        sa.PrimaryKeyConstraint("target", "id"),
        **ENGINE,
    )
    op.create_index("ix_gatepost_deliveries_target_dead_place", "gatepost_deliveries", ["target", "dead", "place"])
    op.create_index("ix_gatepost_deliveries_target_key_id_place", "gatepost_deliveries", ["target", "key_id", "place"])
    op.create_table(
        "gatepost_outbox",
        sa.Column("id", exact(100), nullable=False, comment="tells the same happening again"),
        sa.Column("type", exact(40), nullable=False),
        sa.Column("key_id", exact(12), nullable=False),
        sa.Column("project", exact(100)),
        sa.Column("at", moment(), nullable=False),
        sa.Column("data", sa.Text, nullable=False, comment="JSON"),
        sa.Column("moved", sa.Boolean, nullable=False, comment="queued for every target; kept to know it again"),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
    op.create_index("ix_gatepost_outbox_moved_at", "gatepost_outbox", ["moved", "at"])
