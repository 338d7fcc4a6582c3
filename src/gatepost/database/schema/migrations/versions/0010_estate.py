"""What keys are for, and what the app notes of them; and whose they were, in the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"


def _exact(length: int) -> sa.String:
    in_mysql = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def upgrade() -> None:
    """Add columns and indexes. Keys from before are for either environment, and nothing is noted of them."""
    op.add_column("gatepost_keys", sa.Column("environment", _exact(10), comment="live or test; null = either"))
    op.add_column("gatepost_keys", sa.Column("metadata", sa.Text, comment="JSON object of the app's; null = empty"))
    op.add_column("gatepost_events", sa.Column("owner", _exact(100), comment="the key's"))
    op.add_column("gatepost_events", sa.Column("environment", _exact(10), comment="the key's"))
    op.create_index(
        "ix_gatepost_keys_environment_active_created_seq_id",
        "gatepost_keys",
        ["environment", "active", "created_seq", "id"],
    )
    for column in ("owner", "environment"):
        op.create_index(f"ix_gatepost_events_{column}_seq", "gatepost_events", [column, "seq"])
