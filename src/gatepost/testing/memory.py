"""`Memory`: an SQLite database in memory, for any thread, and as new again in a fraction of a millisecond.

    migrations ──once a process──> template ──copied, once for each database──> Memory <──> connections, kept over tests
                                                                   reset: rows, not tables ┘

SQLite's VFS `memdb` has databases with a name, which all connections of a process share, and with locks as for files: a
connection in another thread waits for its turn (a shared cache would raise at once). Tables stay, and so do connections
with all that they have prepared: a new one would read the schema first, which takes longer than a test's statements.
The time that statements ask for is the test's: `julianday` and `strftime` are replaced.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from itertools import count
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from gatepost.base import ConfigurationError
from gatepost.database import Database
from gatepost.database.connecting import mapped_errors
from gatepost.database.usage import UsageBatch, UsageTables
from gatepost.testing.inline import InlineConnection, InlineEngine, do_nothing

SQLITE_MIN = (3, 36)
"""The first with named databases in memory (2021)."""

TIMEOUT_SECONDS = 5.0
"""How long a connection waits for another's transaction, which takes milliseconds."""

JULIAN_EPOCH = 2440587.5
DAY_SECONDS = 86400.0

Time = Callable[[], float]
Rows = Mapping[str, Sequence[tuple[Any, ...]]]

_numbers = count()


class LateUsage(UsageTables):
    """What a worker has counted is written when it closes; here not until somebody may look: that takes a third of a
    test's time, and the next begins without it. `late`: those batches; `is_closing`: keep them."""

    late: list[UsageBatch]
    is_closing = False

    async def write(self, batch: UsageBatch) -> bool:
        """As `UsageTables.write`, or later."""
        if self.is_closing:
            self.late.append(batch)
            return True
        await self.write_late()
        return await super().write(batch)

    async def write_late(self) -> None:
        """Write what is late."""
        while self.late:
            await super().write(self.late.pop(0))


class InMemory(Database):
    """The tables of a `Memory`: they fit, it is no replica, and there is no file to watch, so nobody asks. `late`:
    usage that is still to be written there."""

    def __init__(self, database: AsyncEngine, *, timeout: float, late: list[UsageBatch]) -> None:
        super().__init__(database, timeout=timeout)
        self.usage: LateUsage = LateUsage(self._reading, self._writing, timeout=timeout)
        self.usage.late = late

    async def open(self) -> None:
        """Connect, at the first statement. Raises nothing."""
        self.connect()

    @asynccontextmanager
    async def _reading(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """As `Database._reading`, without its timer: nothing waits here."""
        with mapped_errors(doing):
            async with self.engine.connect() as connection:
                yield connection


class Memory:
    """A database that is there until `close`. `template`: what it is a copy of; `None` = it is empty."""

    def __init__(self, template: "Memory | None" = None) -> None:
        if sqlite3.sqlite_version_info < SQLITE_MIN:
            raise ConfigurationError(
                f"gatepost.testing needs SQLite 3.36 or later, and this Python has {sqlite3.sqlite_version}: take a "
                "newer Python, or one that was built with a newer SQLite"
            )
        self.late_usage: list[UsageBatch] = []
        self._uri = f"file:/gatepost-test-{next(_numbers)}?vfs=memdb"
        self._connections: list[sqlite3.Connection] = []
        self._engines: list[InlineEngine] = []
        self._plain = sqlite3.connect(":memory:", check_same_thread=False)
        self._own = self.connect(None)
        self._rows: Rows = {}
        self._named: Sequence[Sequence[str]] = ()
        if template is not None:
            template._own.backup(self._own)  # noqa: SLF001 - of the same class
            self._rows = self.read()
        self.statements = 0
        """How many were run by engines."""
        self.resets = 0
        """How often it was made as new."""

    def engine(self, time: Time | None, check: Callable[[], None]) -> InlineEngine:
        """An engine that may be used in one event loop after the other, for it never waits for a connection. `time`:
        what its statements take for now, seconds since the epoch; `None` = the system's. `check`: raises where the
        database is to be taken for broken."""

        def counted() -> None:
            self.statements += 1
            check()

        connections: list[sqlite3.Connection] = []

        def connect() -> InlineConnection:
            connection = self.connect(time)
            connection.check = counted
            connections.append(connection)
            return connection

        engine = create_engine(
            "sqlite+pysqlite://", creator=connect, poolclass=QueuePool, max_overflow=-1, hide_parameters=True
        )
        self._engines.append(InlineEngine(engine, connections, self.late_usage))
        return self._engines[-1]

    def connect(self, time: Time | None) -> InlineConnection:
        """A new connection, for any thread. `time`: as for `engine`; `None` = the system's."""
        connection = sqlite3.connect(
            self._uri,
            uri=True,
            check_same_thread=False,
            timeout=TIMEOUT_SECONDS,
            cached_statements=512,
            factory=InlineConnection,
        )
        self._connections.append(connection)
        connection.execute("PRAGMA synchronous = OFF")
        if time is not None:
            connection.execute("PRAGMA foreign_keys = ON")
            _replace_time(connection, time, self._plain)
        return connection

    def read(self) -> Rows:
        """All rows of all tables, by the tables' names: those that triggers watch first."""
        return {name: self._read(name) for names in self._tables() for name in names}

    def reset(self) -> None:
        """Have the rows that it began with, and no others. Nothing may be using it."""
        self.late_usage.clear()
        if self.statements:
            for names in self._tables():  # by what is deleted triggers write into the second ones
                for name in self._touched(names):
                    self._own.execute(f'DELETE FROM "{name}"')  # noqa: S608 - names of our tables
                    rows = self._rows.get(name)
                    if rows:
                        marks = ", ".join("?" * len(rows[0]))
                        self._own.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608
            self._own.commit()
            self.statements = 0
            self.resets += 1

    def _tables(self) -> Sequence[Sequence[str]]:
        """Those that triggers watch, and all others."""
        if not self._named:
            listed = self._own.execute(
                "SELECT name IN (SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'), name FROM sqlite_master"
                " WHERE type = 'table' ORDER BY name"
            ).fetchall()
            self._named = [[name for is_watched, name in listed if is_watched == wanted] for wanted in (1, 0)]
        return self._named

    def _touched(self, names: Sequence[str]) -> Iterator[str]:
        """Tables whose rows are others than at the beginning: one statement for all that were empty then."""
        empty = [name for name in names if not self._rows.get(name)]
        asked = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in empty]  # noqa: S608
        yield from [name for (name,) in self._own.execute(" UNION ALL ".join(asked)).fetchall()] if asked else ()
        yield from [name for name in names if name not in empty and self._read(name) != self._rows[name]]

    def _read(self, name: str) -> Sequence[tuple[Any, ...]]:
        return self._own.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608

    def close(self) -> None:
        """Forget it."""
        for engine in self._engines:
            engine.end()
        for connection in self._connections:
            connection.close()
        self._plain.close()


class Template:
    """The database that all are copies of, made when it is first asked for."""

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._lock = threading.Lock()

    def copy(self) -> Memory:
        """A new database. The first time half a second: all migrations are run."""
        with self._lock:
            if self._memory is None:
                self._memory = _with_tables()
            return Memory(self._memory)

    def close(self) -> None:
        """Forget it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _with_tables() -> Memory:
    """A database with gatepost's tables, and the keys of an installation. Made in a thread, for there may be an event
    loop in this one."""
    memory = Memory()

    async def make() -> None:
        engine = memory.engine(None, do_nothing)
        database = Database(engine, timeout=TIMEOUT_SECONDS)
        database.connect()
        await database.upgrade()
        await database.close()

    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(make())
        except BaseException as failure:  # noqa: BLE001 - raised where it was asked for
            failures.append(failure)

    thread = threading.Thread(target=run, name="gatepost.testing: tables")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return memory


def _replace_time(connection: sqlite3.Connection, time: Time, plain: sqlite3.Connection) -> None:
    """Have `'now'` mean the test's time in the two functions by which gatepost's statements and triggers ask for it.
    `plain`: a connection where they are SQLite's own."""

    def told(name: str, arguments: tuple[Any, ...]) -> Any:
        now = time() / DAY_SECONDS + JULIAN_EPOCH
        given = [now if argument == "now" else argument for argument in arguments]
        with closing(plain.execute(f"SELECT {name}({', '.join('?' * len(given))})", given)) as cursor:
            return cursor.fetchone()[0]

    def julianday(*arguments: Any) -> Any:
        return time() / DAY_SECONDS + JULIAN_EPOCH if arguments == ("now",) else told("julianday", arguments)

    connection.create_function("julianday", -1, julianday)
    connection.create_function("strftime", -1, lambda *arguments: told("strftime", arguments))
