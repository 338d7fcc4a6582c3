"""What bounds a key: where it may be used from, how much of it may be used, and who answers for it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add columns, and an index for the keys of an owner. Keys from before are bound by nothing, and nobody's."""
    in_mysql = mysql.VARCHAR(100, charset="utf8mb4", collation="utf8mb4_bin")
    owner = sa.String(100).with_variant(in_mysql, "mysql", "mariadb")
    for column in (
        sa.Column("allow", sa.Text, comment="JSON array of networks that the key may be used from; null = anywhere"),
        sa.Column("limits", sa.Text, comment="JSON array of bounds on how much it may be used; null = none"),
        sa.Column("owner", owner, comment="who answers for it; null = nobody is named"),
    ):
        op.add_column("gatepost_keys", column)
    op.create_index(
        "ix_gatepost_keys_owner_active_created_seq_id", "gatepost_keys", ["owner", "active", "created_seq", "id"]
    )
