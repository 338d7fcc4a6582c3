"""What managing keys needs: an index for each order of a list, terms to filter by, where actors are, sealed secrets."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

ENGINE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
ORDERS = ("created_seq", "updated_at", "description")


def exact(length: int) -> sa.String:
    """Text compared byte by byte."""
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def upgrade() -> None:
    """Add columns, indexes and the table of terms, which is filled after the migrations."""
    op.add_column("gatepost_events", sa.Column("project", exact(100), comment="the key's"))
    op.add_column("gatepost_events", sa.Column("address", sa.String(100), comment="where the actor was"))
    op.execute(
        "UPDATE gatepost_events SET project ="
        " (SELECT project FROM gatepost_keys WHERE gatepost_keys.id = gatepost_events.key_id)"
    )
    op.create_index("ix_gatepost_events_project_seq", "gatepost_events", ["project", "seq"])
    by_hand = sa.text("kind = 'sql'")
    op.create_index(
        "ix_gatepost_events_kind_seq",
        "gatepost_events",
        ["kind", "seq"],
        sqlite_where=by_hand,
        postgresql_where=by_hand,
    )
    op.add_column(
        "gatepost_secrets",
        sa.Column("sealed", sa.Text, comment="the secret, encrypted under a vault key; null = not kept"),
    )
    op.drop_index("ix_gatepost_keys_created_seq_id", "gatepost_keys")
    op.drop_index("ix_gatepost_keys_project_created_seq_id", "gatepost_keys")
    in_sqlite = op.get_context().dialect.name == "sqlite"
    for order in ORDERS:
        column = sa.text("description COLLATE NOCASE") if in_sqlite and order == "description" else order
        op.create_index(f"ix_gatepost_keys_active_{order}_id", "gatepost_keys", ["active", column, "id"])
        op.create_index(
            f"ix_gatepost_keys_project_active_{order}_id", "gatepost_keys", ["project", "active", column, "id"]
        )
    op.create_table(
        "gatepost_terms",
        sa.Column(
            "term",
            exact(65).with_variant(sa.String(65, collation="C"), "postgresql"),
            nullable=False,
            comment="a word of the description, or = and a permission",
        ),
        sa.Column("project", exact(100), nullable=False, comment="the key's; empty = every project"),
        sa.Column("key_id", exact(12), nullable=False),
        sa.PrimaryKeyConstraint("term", "project", "key_id"),
        sqlite_with_rowid=False,
        **ENGINE,
    )
    op.create_index("ix_gatepost_terms_key_id_term", "gatepost_terms", ["key_id", "term"])
