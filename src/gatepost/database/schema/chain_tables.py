"""The tables of the chain over the audit log. Triggers and change log watch neither: a seal is no change."""

from sqlalchemy import BigInteger, Column, Integer, SmallInteger, String, Table

from gatepost.database.schema.tables import _digest, _in_mysql, metadata

KEY_NAME_MAX = 8
"""Characters of the name of a key that seals."""

_sealed_by = String(KEY_NAME_MAX)

chain = Table(
    "gatepost_chain",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="the change"),
    Column("lines", Integer, nullable=False, comment="how many events it has"),
    Column("hash", _digest, nullable=False, comment="of its events and of the hash of the change before"),
    Column("sealed_by", _sealed_by, nullable=False, comment="tells the key that the hash was made with"),
    **_in_mysql,
)
"""A hash for each change that is sealed. Those up to the anchor are of changes whose events pruning has kept, and make
a chain of their own."""

chain_anchor = Table(
    "gatepost_chain_anchor",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, comment="always 1"),
    Column("seq", BigInteger, nullable=False, comment="the log is pruned up to here; -1 = it is not"),
    Column("hash", _digest, nullable=False, comment="of that change: the chain begins with it"),
    Column("kept", _digest, nullable=False, comment="the last hash of the chain of what was kept"),
    Column("sealed_by", _sealed_by, nullable=False, comment="tells the key of the seal; empty = not pruned yet"),
    Column("seal", _digest, nullable=False, comment="over the three"),
    **_in_mysql,
)
"""One row: where the chain begins. Whoever seals or prunes holds its lock."""
