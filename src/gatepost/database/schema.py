"""Making and migrating the tables, and telling whether they fit this code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatepost.database.engine import changing
from gatepost.errors import SchemaError

VERSION_TABLE = "gatepost_version"
"""Alembic's table for us, apart from the one that the app may have."""

REVISIONS = ("0001", "0002")
"""Every migration in order. The last one is what this code needs; a test compares them with the scripts."""

_LOCK_SECONDS = 60
_LOCK_NUMBER = 0x67617465706F7374  # "gatepost" in ASCII, as a 64-bit number


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """`current`: the revision that the database is at, `None` without our tables; `needed`: what this code needs."""

    current: str | None
    needed: str

    @property
    def fits(self) -> bool:
        """Whether this code can use the database."""
        return self.current == self.needed


async def read_status(engine: AsyncEngine) -> SchemaStatus:
    """Which revision the database is at. Two round trips."""
    async with engine.connect() as connection:
        return await connection.run_sync(_status)


def check(status: SchemaStatus) -> None:
    """Raise `SchemaError`, which names the command, unless the tables fit."""
    if status.fits:
        return
    if status.current is None:
        raise SchemaError("The database has no gatepost tables yet. Run: gatepost db upgrade --database URL")
    if status.current in REVISIONS:
        raise SchemaError(
            f"The database is at revision {status.current}, this gatepost needs {status.needed}. "
            "Run: gatepost db upgrade --database URL"
        )
    raise SchemaError(
        f"The database is at revision {status.current}, which is newer than this gatepost ({status.needed}). "
        "Run: pip install --upgrade gatepost"
    )


async def upgrade(engine: AsyncEngine) -> SchemaStatus:
    """Make or migrate the tables, whoever else tries the same at the same time; answers the status from before.

    One transaction where the database can roll back table changes (PostgreSQL, SQLite).
    """
    async with changing(engine).connect() as connection:
        await _lock(connection)
        try:
            before = await connection.run_sync(_status)
            if before.current is not None and before.current not in REVISIONS:
                check(before)
            if not before.fits:
                await connection.run_sync(_run_migrations)
            await connection.commit()
        finally:
            if connection.dialect.name in {"mysql", "mariadb"}:  # not tied to the transaction, so only after its end
                await connection.execute(text("SELECT RELEASE_LOCK('gatepost_schema')"))
    return before


async def _lock(connection: AsyncConnection) -> None:
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
    else:
        got = await connection.scalar(text(f"SELECT GET_LOCK('gatepost_schema', {_LOCK_SECONDS})"))
        if got != 1:
            raise SchemaError(
                f"Another process has been migrating this database for {_LOCK_SECONDS} s. Try again later"
            )


def _status(connection: Connection) -> SchemaStatus:
    current = None
    if inspect(connection).has_table(VERSION_TABLE):
        current = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return SchemaStatus(current, REVISIONS[-1])


def _run_migrations(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import, and needed only here

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection | None = None) -> Any:
    """Alembic's `Config` for our migrations, to run over `connection`."""
    from alembic.config import Config  # noqa: PLC0415 - slow to import, and needed only here

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
