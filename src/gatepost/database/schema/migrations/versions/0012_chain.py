"""A chain of hashes over the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"

ENGINE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}

NOTHING = bytes(32)


def hash_type() -> sa.types.TypeEngine[Any]:
    """32 bytes."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    """Add the chain, empty still, and its anchor before the first change."""
    op.create_table(
        "gatepost_chain",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False, comment="the change"),
        sa.Column("lines", sa.Integer, nullable=False, comment="how many events it has"),
        sa.Column("hash", hash_type(), nullable=False, comment="of its events and of the hash of the change before"),
        sa.Column("sealed_by", sa.String(8), nullable=False, comment="tells the key that the hash was made with"),
        sa.PrimaryKeyConstraint("seq"),
        **ENGINE,
    )
    anchor = op.create_table(
        "gatepost_chain_anchor",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False, comment="always 1"),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="the log is pruned up to here; -1 = it is not"),
        sa.Column("hash", hash_type(), nullable=False, comment="of that change: the chain begins with it"),
        sa.Column("kept", hash_type(), nullable=False, comment="the last hash of the chain of what was kept"),
        sa.Column(
            "sealed_by", sa.String(8), nullable=False, comment="tells the key of the seal; empty = not pruned yet"
        ),
        sa.Column("seal", hash_type(), nullable=False, comment="over the three"),
        sa.PrimaryKeyConstraint("id"),
        **ENGINE,
    )
    nothing = {"hash": NOTHING, "kept": NOTHING, "sealed_by": "", "seal": NOTHING}
    op.bulk_insert(anchor, [{"id": 1, "seq": -1, **nothing}])
