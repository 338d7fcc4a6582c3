"""From a URL to an engine, and from a driver's errors to ours: the edge to SQLAlchemy."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidRequestError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from gatepost.base import BadInputError, MissingExtraError, UnavailableError, line_of
from gatepost.database.connecting.file import make_private
from gatepost.database.connecting.pooler import FittingConnections, pooler_text
from gatepost.database.connecting.url import ALTERNATIVES, DRIVERS, parse_url, to_driver

SQLITE_BUSY_MS = 5000
"""How long a writer waits for another's transaction before it gives up: ours take a few milliseconds."""

WAL_RETRY_SECONDS = 0.01
"""Pause between two tries to switch a new file to write-ahead logging: others do it in a few milliseconds."""

RECYCLE_SECONDS = 1800
"""Connections older than this are replaced: below the idle limits of servers and firewalls in between."""

OUTSIDE_CLUSTER = 1047
"""Galera's number for a node that has lost the others: it must not answer, since they may go on without it."""

POOL_FACTOR = 10
"""How often `timeout` the pool waits by itself. Its clock goes on while the event loop is blocked, so it is only the
last resort; the one that counts is around each statement."""


def make_engine(database: str, timeout: float) -> AsyncEngine:
    """An engine that gatepost owns. `timeout`: seconds that one read may take, the wait for a connection included.

    Raises `MissingExtraError` where the driver is not installed, `BadInputError` for a URL that cannot be used.
    """
    url, arguments = to_driver(parse_url(database))
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_timeout": POOL_FACTOR * timeout,
        "connect_args": arguments,
    }
    if url.get_backend_name() != "sqlite":  # reads are the rule: a change asks for its transaction
        options |= {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_recycle": RECYCLE_SECONDS}
    elif url.database in {None, "", ":memory:"}:  # lives in one connection: who wants it waits for it
        options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    try:
        engine = create_async_engine(url, **options)
    except NoSuchModuleError:
        raise BadInputError(f"database driver {url.drivername!r} is not known to SQLAlchemy") from None
    except ArgumentError as wrong:
        raise BadInputError(f"database: {wrong}") from None
    except InvalidRequestError:
        raise BadInputError(f"database driver {url.drivername!r} is not async: leave it out of the URL") from None
    except ModuleNotFoundError as missing:
        driver, extra = DRIVERS[url.drivername.partition("+")[0]]
        if url.drivername in ALTERNATIVES:
            raise MissingExtraError(f"The database driver {missing.name}", ALTERNATIVES[url.drivername]) from None
        if url.drivername.partition("+")[2] != driver.partition("+")[2]:
            raise BadInputError(
                f"database driver {missing.name} is not installed; without one named it is {driver}"
            ) from None
        raise MissingExtraError(f"The database driver {missing.name}", extra) from None
    _listen(engine, url.drivername)
    return engine


def _listen(engine: AsyncEngine, driver: str) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "do_connect", make_private)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    if driver == "postgresql+asyncpg":
        event.listen(engine.sync_engine, "do_connect", _end_in_background)
        event.listen(engine.sync_engine, "do_connect", FittingConnections())
    elif driver not in {ours for ours, _ in DRIVERS.values()} | ALTERNATIVES.keys():
        event.listen(engine.sync_engine, "do_connect", _name_options)


def _name_options(dialect: Any, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
    """Of drivers that are not ours the options are not known here: they say `TypeError` where one cannot be used."""
    try:
        return dialect.connect(*arguments, **options)
    except TypeError:
        raise BadInputError(
            f"database: the driver {dialect.driver} cannot use the options of the URL as they stand there: leave "
            "them out, or hand in an AsyncEngine made with connect_args="
        ) from None


def _end_in_background(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
    """SQLAlchemy closes a connection whose statement was given up with a grace of two seconds, and waits for that: far
    beyond the timeout that the statement had. The grace is kept, so that the server hears of it, but not the wait."""
    from asyncpg import Connection  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

    class Impatient(Connection):  # type: ignore[misc]
        async def close(self, *, timeout: float | None = None) -> None:
            if timeout is None:
                await super().close()
            else:
                self._ending = asyncio.create_task(self._end(timeout))

        async def _end(self, timeout: float) -> None:
            with suppress(Exception):  # it was to be dropped in any case
                await super().close(timeout=timeout)

    options.setdefault("connection_class", Impatient)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # a deactivation that was answered must outlive a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


@asynccontextmanager
async def reading(engine: AsyncEngine, *, is_ours: bool) -> AsyncIterator[AsyncConnection]:
    """A connection for single statements, each a transaction of its own. Our engines are so from the start, and
    Python's SQLite driver begins no transaction for a `SELECT`; one of the user's is told at each checkout, on the
    connection as in `changing`."""
    async with engine.connect() as connection:
        if not is_ours:
            await _isolate(connection, "AUTOCOMMIT")
        yield connection


@asynccontextmanager
async def changing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for a transaction that changes something; rolled back at the end unless it was committed.

    The isolation is set on the connection: where an engine's option sets it and the database refuses, SQLAlchemy 2.1
    leaves the connection checked out.
    """
    async with engine.connect() as connection:
        await _isolate(connection, "READ COMMITTED")
        yield connection


async def _isolate(connection: AsyncConnection, level: Literal["AUTOCOMMIT", "READ COMMITTED"]) -> None:
    """Set the isolation, which is a statement on MariaDB and MySQL. SQLAlchemy does not take its failure for a lost
    connection, and would hand the dead one out again to whoever comes next."""
    if connection.dialect.name == "sqlite":
        return
    try:
        await connection.execution_options(isolation_level=level)
    except BaseException:
        await connection.invalidate()
        raise


def _switch_to_wal(cursor: Any) -> None:
    """Write-ahead logging is a property of the file. SQLite does not wait for its lock when it switches a new one, so
    processes that start together have to try again."""
    deadline = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except Exception as failure:
            if "locked" not in str(failure) or time.monotonic() > deadline:
                raise
            await_only(asyncio.sleep(WAL_RETRY_SECONDS))
        else:
            return


@contextmanager
def mapped_errors(doing: str) -> Iterator[None]:
    """Turn a driver's or pool's failure into `UnavailableError`. `doing`: what failed, for people.

    Also what looks like a fault of ours, such as a table that is gone: a request must not get a wrong answer from it.
    Messages never hold statement parameters.
    """
    begun = time.monotonic()
    try:
        yield
    except IntegrityError:
        raise
    except Exception as failure:
        if not isinstance(failure, SQLAlchemyError | OSError | TimeoutError) and not _is_of_driver(failure):
            raise
        cause = getattr(failure, "orig", None) or failure
        if isinstance(cause, TimeoutError) and not str(cause):
            waited = f"{time.monotonic() - begun:.1f} s"
            raise UnavailableError(f"{doing}: the database did not answer within {waited}") from failure
        if getattr(cause, "args", ())[:1] == (OUTSIDE_CLUSTER,):
            raise UnavailableError(f"{doing}: the database's node is cut off from its cluster") from failure
        what = pooler_text(cause) or f"the database failed ({line_of(cause)})"
        raise UnavailableError(f"{doing}: {what}") from failure


def _is_of_driver(failure: Exception) -> bool:
    """Whether a driver's error came through as it is, as it does where SQLAlchemy sets a connection's isolation. All of
    them descend from a class of the name `Error` (PEP 249)."""
    return any(kind.__name__ == "Error" for kind in type(failure).__mro__)
