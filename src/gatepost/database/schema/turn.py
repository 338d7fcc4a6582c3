"""One process at a time makes or migrates the tables: whoever comes second waits, and finds that it is done.

PostgreSQL and SQLite tie the lock to the transaction, MariaDB and MySQL to the connection. That holds on one server: on
Galera it would let each node migrate at once, so there the turn is a row too, which the cluster gives to one of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import SchemaError
from gatepost.database.connecting import is_cluster_node

WAIT_SECONDS = 60
"""How long to wait for another process."""

_NUMBER = 0x67617465706F7374  # "gatepost" in ASCII, as a 64-bit number
_NAME = "gatepost_schema"

_LOOK_SECONDS = 0.2

_TABLE = "gatepost_migrating"
_SERVER = "CONCAT(@@wsrep_node_name, ' ', @@hostname, ':', @@port, ' ', @@datadir)"
_COLUMNS = "id INTEGER PRIMARY KEY, server VARCHAR(500), since DATETIME"
_MAKE = f"CREATE TABLE IF NOT EXISTS {_TABLE} ({_COLUMNS}) ENGINE=InnoDB"
_TAKE = text(f"INSERT INTO {_TABLE} VALUES (1, {_SERVER}, UTC_TIMESTAMP())")  # noqa: S608 - constants
_HELD = text(f"SELECT server, since, server = {_SERVER} AS is_here FROM {_TABLE}")  # noqa: S608 - constants
_GIVE = text(f"DELETE FROM {_TABLE}")  # noqa: S608 - a constant


@asynccontextmanager
async def turn(connection: AsyncConnection) -> AsyncIterator[None]:
    """The turn to migrate, until the block has ended: its transaction too, but on MariaDB and MySQL. Raises
    `SchemaError` where another keeps it for longer than `WAIT_SECONDS`."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
    elif connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_NUMBER})"))
        yield
    else:
        if await connection.scalar(text(f"SELECT GET_LOCK('{_NAME}', {WAIT_SECONDS})")) != 1:
            raise SchemaError(f"Another process has been migrating this database for {WAIT_SECONDS} s. Try again later")
        try:
            async with _turn_of_node(connection):
                yield
        finally:  # not tied to the transaction, so only after its end
            await connection.execute(text(f"SELECT RELEASE_LOCK('{_NAME}')"))


@asynccontextmanager
async def _turn_of_node(connection: AsyncConnection) -> AsyncIterator[None]:
    """The turn among the nodes of a cluster; on a single server there is nothing to do."""
    if not await is_cluster_node(connection):
        yield
        return
    await connection.execute(text(_MAKE))
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not await _take(connection):
        if time.monotonic() > give_up_at:
            held = (await connection.execute(_HELD)).one_or_none()
            if held is not None:
                raise SchemaError(_still_held(held))
        await asyncio.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        await connection.rollback()  # what has not been committed failed
        await connection.execute(_GIVE)
        await connection.commit()


async def _take(connection: AsyncConnection) -> bool:
    """Whether the row is ours now. One that a process of this node left behind is: it had the lock that we have."""
    try:
        held = (await connection.execute(_HELD)).one_or_none()
        if held is None:
            await connection.execute(_TAKE)
        await connection.commit()
    except DBAPIError:  # another node was faster, or is in the middle of it
        await connection.rollback()
        return False
    return held is None or bool(held.is_here)


def _still_held(held: Row[tuple[str, object, bool]]) -> str:
    return (
        f"Another node of the cluster ({held.server}) has been migrating this database since {held.since} UTC. Try "
        f"again later; if that process is gone, empty the table {_TABLE}"
    )
