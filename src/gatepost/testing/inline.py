"""SQLite where it is asked: no thread, as aiosqlite has one for each connection, and no greenlet, by which SQLAlchemy
waits for a driver.

Both take more of a test's time than its statements, and in memory nothing waits. No statement suspends its coroutine,
so a transaction is over before anybody else in its event loop runs: a test may call for another one right there, and
block the loop meanwhile, and nobody holds a lock.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatepost.database.usage import UsageBatch


def do_nothing() -> None:
    """Of a database that is well."""


class InlineConnection(sqlite3.Connection):
    """`check`: called before each statement and each COMMIT, and may raise in its place."""

    check: Callable[[], None] = staticmethod(do_nothing)

    def cursor(self, *_: Any) -> "InlineCursor":  # type: ignore[override]  # nobody asks for another kind
        """For one statement after the other."""
        return super().cursor(InlineCursor)

    def commit(self) -> None:
        """End the transaction, and keep what it did."""
        self.check()
        super().commit()


class InlineCursor(sqlite3.Cursor):
    """Of an `InlineConnection`."""

    connection: InlineConnection

    def execute(self, *statement: Any) -> "InlineCursor":
        """Run one statement. Raises what sqlite3 raises, and what `check` does."""
        self.connection.check()
        super().execute(*statement)
        return self

    def executemany(self, *statement: Any) -> "InlineCursor":
        """Run one statement for each. Raises the same."""
        self.connection.check()
        super().executemany(*statement)
        return self


class InlineAsyncConnection(AsyncConnection):
    """What SQLAlchemy does in a greenlet, and leaves in a task of its own where a block ends, is done right here."""

    engine: "InlineEngine"

    async def start(self, is_ctxmanager: bool = False) -> "InlineAsyncConnection":  # noqa: ARG002 - SQLAlchemy's
        """Take a connection that nobody has, or a new one."""
        free = self.engine.free
        self.sync_connection = free.pop() if free else self.sync_engine.connect()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give it back, with nothing open on it."""
        connection, self.sync_connection = self.sync_connection, None
        if connection is not None:
            if connection.in_transaction():
                connection.rollback()
            self.engine.free.append(connection)

    async def commit(self) -> None:
        """End the transaction, and keep what it did."""
        self._proxied.commit()

    async def rollback(self) -> None:
        """End the transaction, and undo what it did."""
        self._proxied.rollback()

    async def execute(self, *statement: Any, **options: Any) -> CursorResult[Any]:
        """Run one statement. Raises what SQLAlchemy raises."""
        return self._proxied.execute(*statement, **options)

    async def exec_driver_sql(self, *statement: Any, **options: Any) -> CursorResult[Any]:
        """Run a text."""
        return self._proxied.exec_driver_sql(*statement, **options)


class InlineEngine(AsyncEngine):
    """An engine whose statements suspend nobody, on a driver that is not async. `connections`: those that it has made;
    `free`: of SQLAlchemy's around them, those that nobody has: to take and return one by its pool costs as much as a
    statement. `late_usage`: as of `Memory`."""

    _connection_cls = InlineAsyncConnection

    def __init__(self, engine: Engine, connections: Sequence[sqlite3.Connection], late_usage: list[UsageBatch]) -> None:
        engine.dialect.is_async = True  # what `AsyncEngine` asks for; the pool goes by what is true
        super().__init__(engine)
        engine.dialect.is_async = False
        self.connections = connections
        self.free: list[Connection] = []
        self.late_usage = late_usage

    def end(self) -> None:
        """Close what nobody has, before the database goes."""
        while self.free:
            self.free.pop().close()

    def settle(self) -> None:
        """Commit what is open, for who blocks the engine's event loop: nothing awaits in the middle of a transaction,
        but gatepost commits in a task, so for a turn of the loop one may have all its statements and hold the lock."""
        for each in self.connections:
            if each.in_transaction:
                each.commit()
