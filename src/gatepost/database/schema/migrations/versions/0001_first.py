"""Keys, secrets, events, the counter, workers, settings."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

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


def moment() -> sa.DateTime:
    """A moment to the microsecond."""
    return sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def digest() -> sa.LargeBinary:
    """32 bytes."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables, the counter at 0, and the event of seq 0 that the counter's nonce is checked against."""
    op.create_table(
        "gatepost_keys",
        sa.Column("id", exact(12), nullable=False),
        sa.Column("project", exact(100)),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("permissions", sa.Text, nullable=False, comment="names between spaces, with a space at each end"),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
        sa.Column("expires_at", moment(), comment="null = never"),
        sa.Column(
            "created_seq", sa.BigInteger, nullable=False, comment="the seq that made the key: lists are ordered by it"
        ),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
    op.create_index("ix_gatepost_keys_created_seq_id", "gatepost_keys", ["created_seq", "id"])
    op.create_index("ix_gatepost_keys_project_created_seq_id", "gatepost_keys", ["project", "created_seq", "id"])
    op.create_table(
        "gatepost_secrets",
        sa.Column("digest", digest(), nullable=False),
        sa.Column("key_id", exact(12), nullable=False),
        sa.Column("hint", sa.String(60), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column(
            "expires_at", moment(), comment="null = the current secret; else it was rotated out and lives until then"
        ),
        sa.PrimaryKeyConstraint("digest"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["gatepost_keys.id"], name="fk_gatepost_secrets_key_id", ondelete="CASCADE"
        ),
        **ENGINE,
    )
    op.create_index("ix_gatepost_secrets_key_id", "gatepost_secrets", ["key_id"])
    events = op.create_table(
        "gatepost_events",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False, comment="number inside one change, from 0"),
        sa.Column("nonce", sa.BigInteger, nullable=False, comment="the counter's nonce at this seq"),
        sa.Column("digest", digest(), comment="the secret that the change is about; null = none"),
        sa.Column("key_id", exact(12)),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(200)),
        sa.Column("at", moment(), nullable=False),
        sa.Column("detail", sa.Text, comment="JSON"),
        sa.PrimaryKeyConstraint("seq", "n"),
        **ENGINE,
    )
    op.create_index("ix_gatepost_events_key_id_seq", "gatepost_events", ["key_id", "seq"])
    counter = op.create_table(
        "gatepost_counter",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False, comment="always 1"),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="number of the last committed change"),
        sa.Column("nonce", sa.BigInteger, nullable=False, comment="random, new with each seq"),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
    op.create_table(
        "gatepost_workers",
        sa.Column("id", sa.String(32), nullable=False, comment="random, per process"),
        sa.Column("seen_at", moment(), nullable=False),
        sa.Column(
            "acked_seq", sa.BigInteger, nullable=False, comment="this worker has applied every change up to here"
        ),
        sa.Column("max_staleness", sa.Float, nullable=False, comment="seconds: its lease lasts no longer"),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
    settings = op.create_table(
        "gatepost_settings",
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **ENGINE,
    )
    nonce = secrets.randbits(63)
    now = datetime.fromtimestamp(time.time(), UTC)
    if op.get_context().dialect.name != "postgresql":
        now = now.replace(tzinfo=None)
    op.bulk_insert(counter, [{"id": 1, "seq": 0, "nonce": nonce}])
    op.bulk_insert(events, [{"seq": 0, "n": 0, "nonce": nonce, "kind": "installed", "at": now}])
    op.bulk_insert(
        settings,
        [
            {"name": "server_key", "value": secrets.token_hex(32)},
            {"name": "seal_key", "value": secrets.token_hex(32)},
        ],
    )
