"""A table for what of quotas is spent."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"

_IN_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    """Make it. No trigger watches it: a use is no change of a key."""
    in_mysql = mysql.VARCHAR(180, charset="utf8mb4", collation="utf8mb4_bin")
    op.create_table(
        "gatepost_quotas",
        sa.Column(
            "bucket",
            sa.String(180).with_variant(in_mysql, "mysql", "mariadb"),
            primary_key=True,
            comment="who is limited, by which limit, since which reset",
        ),
        sa.Column(
            "period",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
            comment="its begin: seconds since the epoch",
        ),
        sa.Column("ends", sa.BigInteger, nullable=False, comment="seconds since the epoch"),
        sa.Column("used", sa.BigInteger, nullable=False, comment="units spent, or leased to workers"),
        **_IN_MYSQL,
    )
    op.create_index("ix_gatepost_quotas_ends", "gatepost_quotas", ["ends"])
