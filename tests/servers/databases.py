"""Empty databases on a running PostgreSQL or MariaDB, one for each test."""

import asyncio
from secrets import token_hex
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

DROP_SECONDS = 10


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

    def create(self) -> str:
        """Make an empty database; its URL."""
        name = f"gatepost_{token_hex(6)}"
        self._runner.run(self._execute(f"CREATE DATABASE {name}"))
        return self._url.set(database=name).render_as_string(hide_password=False)

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
            self._runner.run(self._engine.dispose())
        finally:
            self._runner.close()

    async def _execute(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))

    async def _drop(self, name: str) -> None:
        async with self._engine.connect() as connection:
            if self._url.get_backend_name() == "postgresql":
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
