"""What is asked of keys, and who switches off those that nobody uses."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"

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
    """Add the tables, the row of the lease, which nobody has, and to the counter how many policies there are: none."""
    op.create_table(
        "gatepost_policies",
        sa.Column("project", exact(100), nullable=False, comment="whose keys; empty = all keys"),
        sa.Column("terms", sa.Text, nullable=False, comment="JSON object"),
        sa.Column("idle_from", moment(), comment="idle keys are switched off from then on; null = never"),
        sa.Column("updated_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
        **ENGINE,
    )
    op.create_table(
        "gatepost_leases",
        sa.Column("name", sa.String(20), nullable=False, comment="what one process does for all"),
        sa.Column("holder", sa.String(32), nullable=False, comment="random, per process; empty = nobody"),
        sa.Column("until", sa.Double, nullable=False, comment="seconds since the epoch: nobody else does it before"),
        sa.PrimaryKeyConstraint("name"),
        **ENGINE,
    )
    op.execute("INSERT INTO gatepost_leases (name, holder, until) VALUES ('idle_keys', '', 0)")
    op.add_column(
        "gatepost_counter",
        sa.Column(
            "policies",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="how many there are: 0 = none to be read",
        ),
    )
