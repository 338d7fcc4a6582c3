"""Databases for single tests, on a running PostgreSQL or MariaDB, or in SQLite's files: empty, or with the tables.

Those with tables are copies of one that was migrated, which takes much less time than to migrate each.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from secrets import randbits, token_hex
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from gatepost import APIKeys

DROP_SECONDS = 10

TABLES_WITH_ROWS = (
    "gatepost_chain_anchor",
    "gatepost_counter",
    "gatepost_deliverer",
    "gatepost_events",
    "gatepost_leases",
    "gatepost_settings",
    "gatepost_version",
)
"""Of a database in which there is no key yet."""


class Databases:
    """Makes and drops databases over one connection, kept open between tests, on an event loop of its own.

    `server_url` is SQLAlchemy's, of a user who may create databases. Its methods are for synchronous code: fixtures.
    """

    def __init__(self, server_url: str) -> None:
        self._url = make_url(server_url)
        self._engine = create_async_engine(
            self._url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0, pool_pre_ping=True
        )
        # A given factory keeps the runner from replacing the thread's current event loop.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._migrated: str | None = None
        self._making: Sequence[str] = ()

    def create(self) -> str:
        """Make an empty database; its URL."""
        name = _new_name()
        self._runner.run(self._execute(f"CREATE DATABASE {name}"))
        return self._url_of(name)

    def create_ready(self) -> str:
        """Make a database as `gatepost db upgrade` leaves it, with server key, seal and nonce of its own; its URL."""
        return self._runner.run(self._create_ready())

    def drop(self, url: str) -> None:
        """Drop a database that `create` made, also while connections to it are open: those are closed first."""
        name = make_url(url).database
        if name is None or not name.startswith("gatepost_"):
            raise ValueError("url: not a database that create() made")
        self._runner.run(self._drop(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._migrated is not None:
                self._runner.run(self._drop(self._migrated))  # the server may be somebody's own
            self._runner.run(self._engine.dispose())
        finally:
            self._runner.close()

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    async def _create_ready(self) -> str:
        if self._migrated is None:
            migrated = _new_name()
            await self._execute(f"CREATE DATABASE {migrated}")
            await APIKeys(self._url_of(migrated)).create_schema()
            self._making = () if self._is_postgres else await self._read_making(migrated)
            self._migrated = migrated
        name = _new_name()
        if self._is_postgres:
            await self._execute(f"CREATE DATABASE {name} TEMPLATE {self._migrated}")
            engine = create_async_engine(self._url_of(name), poolclass=NullPool)
            async with engine.begin() as connection:
                for statement in _own_secrets():
                    await connection.exec_driver_sql(statement)
        else:
            copied = (f"INSERT INTO {table} SELECT * FROM {self._migrated}.{table}" for table in TABLES_WITH_ROWS)
            async with self._engine.connect() as connection:
                for statement in (f"CREATE DATABASE {name}", f"USE {name}", *self._making, *copied, *_own_secrets()):
                    await connection.exec_driver_sql(statement)
                await connection.exec_driver_sql("USE information_schema")  # a drop ends who uses what it drops
        return self._url_of(name)

    @property
    def _is_postgres(self) -> bool:
        return self._url.get_backend_name() == "postgresql"

    async def _read_making(self, name: str) -> Sequence[str]:
        """What MariaDB says would make the tables and triggers of that database again."""
        engine = create_async_engine(self._url_of(name), poolclass=NullPool)
        statements = []
        async with engine.connect() as connection:
            for kind, column in (("TABLE", 1), ("TRIGGER", 2)):
                for found in (await connection.exec_driver_sql(f"SHOW {kind}S")).all():
                    row = (await connection.exec_driver_sql(f"SHOW CREATE {kind} {found[0]}")).one()
                    statements.append(row[column].replace("%", "%%"))
        return statements

    async def _execute(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))

    async def _drop(self, name: str) -> None:
        async with self._engine.connect() as connection:
            if self._is_postgres:
                await connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            else:
                await _kill_connections(connection, name)
                await connection.execute(text(f"SET SESSION lock_wait_timeout = {DROP_SECONDS}"))
                await connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))


async def _kill_connections(connection: AsyncConnection, name: str) -> None:
    """MariaDB's DROP DATABASE waits for every transaction that has read a table of it."""
    query = text("SELECT id FROM information_schema.processlist WHERE db = :name").bindparams(bindparam("name", name))
    for thread in await connection.scalars(query):
        try:
            await connection.execute(text(f"KILL {int(thread)}"))
        except DBAPIError as error:
            if "Unknown thread id" not in str(error):  # it ended by itself
                raise


def create_database(server_url: str) -> str:
    """Make an empty database that stays until the server ends; its URL. Within an event loop: in a thread."""
    with Databases(server_url) as databases:
        return databases.create()


async def execute(url: str, statement: str) -> object:
    """Run one statement on a connection of its own; its first value."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        result = await connection.execute(text(statement))
        found = result.scalar() if result.returns_rows else None
    await engine.dispose()
    return found


class ReadyFile:
    """An SQLite file that was migrated, to be copied. `folder`: where it is put."""

    def __init__(self, folder: Path) -> None:
        self._migrated = folder / "migrated.db"
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(APIKeys(f"sqlite:///{self._migrated}").create_schema())

    def copy_to(self, path: Path) -> None:
        """Make a file there, with server key, seal and nonce of its own."""
        shutil.copy(self._migrated, path)
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in _own_secrets():
                connection.execute(statement)


def _new_name() -> str:
    return f"gatepost_{token_hex(6)}"


def _own_secrets() -> Sequence[str]:
    """Statements after which a copy has in common with others what two migrated databases have."""
    nonce = randbits(63)
    return (
        *(
            f"UPDATE gatepost_settings SET value = '{token_hex(32)}' WHERE name = '{n}'"
            for n in ("server_key", "seal_key")
        ),
        *(f"UPDATE {table} SET nonce = {nonce}" for table in ("gatepost_counter", "gatepost_events")),
    )
