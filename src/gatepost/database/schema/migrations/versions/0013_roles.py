"""Named sets of permissions, and which of them keys hold."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"

_TEXT = "names of the roles that it holds, as permissions are written; null = none"
_OWN = "what it has without its roles, likewise; null = all of its permissions"


def _exact(length: int) -> sa.String:
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[Any]:
    return sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Make the table, and two columns of keys. Keys from before hold no role."""
    op.add_column("gatepost_keys", sa.Column("roles", sa.Text, comment=_TEXT))
    op.add_column("gatepost_keys", sa.Column("own_permissions", sa.Text, comment=_OWN))
    op.create_table(
        "gatepost_roles",
        sa.Column("project", _exact(100), primary_key=True, comment="empty = for keys of every project"),
        sa.Column("name", _exact(64), primary_key=True),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("permissions", sa.Text, nullable=False, comment="names between spaces, with a space at each end"),
        sa.Column("patterns", sa.Text, comment="JSON array of what was written as a shorthand; null = nothing"),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("updated_at", _moment(), nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    op.create_index("ix_gatepost_roles_name", "gatepost_roles", ["name"])
