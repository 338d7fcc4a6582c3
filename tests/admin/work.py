"""What a database does for a page: by its own count, so that how busy the machine is makes no difference."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

TICK = 100
"""Of SQLite's instructions: asked about each one, it would take minutes."""

_READ = {
    "postgresql": (
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid))"
        " FROM pg_class WHERE relname LIKE '%gatepost%'"
    ),
    "mysql": (
        "SELECT sum(variable_value) FROM information_schema.session_status WHERE variable_name LIKE 'Handler_read%'"
    ),
}
"""Rows of tables and entries of indexes that were read, in this transaction or this session."""


@asynccontextmanager
async def counted(connection: AsyncConnection) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """The counter of what a connection, which has done nothing yet, is asked for from now on: rows and entries of
    indexes that are read, of SQLite hundreds of instructions of its virtual machine, some ten of them a row."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        driver: Any = (await connection.get_raw_connection()).driver_connection
        ticks: list[None] = []
        await driver.set_progress_handler(lambda: ticks.append(None), TICK)

        async def instructions() -> int:
            await driver.set_progress_handler(None, 0)
            return len(ticks)

        yield instructions
        return
    if dialect == "postgresql":
        await connection.execution_options(isolation_level="REPEATABLE READ")  # it counts by transaction
    statement = text(_READ["mysql" if dialect == "mariadb" else dialect])
    before = int(await connection.scalar(statement) or 0)

    async def read() -> int:
        return int(await connection.scalar(statement) or 0) - before

    yield read
