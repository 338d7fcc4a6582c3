"""Templates of temporary secrets: keys of a kind of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"


def _exact(length: int) -> sa.String:
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def upgrade() -> None:
    """Add columns and an index. Keys from before are plain keys."""
    op.add_column("gatepost_keys", sa.Column("kind", _exact(10), comment="template; null = a plain key"))
    op.add_column(
        "gatepost_keys", sa.Column("template", sa.Text, comment="JSON of what a template says; null = a plain key")
    )
    op.create_index(
        "ix_gatepost_keys_kind_active_created_seq_id", "gatepost_keys", ["kind", "active", "created_seq", "id"]
    )
