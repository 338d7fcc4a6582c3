"""Poolers of connections before a PostgreSQL (pgbouncer and its like): noticed, and got on with.

Such a pooler hands out keys for cancelling statements of its own. So the process id that a connection was told when it
began is not that of the server's process that runs its statements; without a pooler they are the same.

In *transaction mode* each transaction may run on another connection to the server, and so does each statement in
autocommit. What a session had is not there then: statements prepared by name, settings, locks, LISTEN. gatepost keeps
none of these (docs/decisions/0038).
"""

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only

from gatepost.base import Timeout

NAME_CLASHES = {"42P05", "26000"}
"""SQLSTATEs of a prepared statement that is there already, and of one that is not: another session's connection."""

LOOKS = 20
"""How often two connections are compared before they are taken for sessions of their own."""

_PROCESS = "SELECT pg_catalog.pg_backend_pid()"


class Pooling(StrEnum):
    """What stands between this process and a PostgreSQL."""

    NONE = "none"
    """No pooler, as far as cancel keys tell; or another database."""

    SESSION = "session"
    """A pooler that was not seen to change the connection to the server: in session mode, unless it is very busy."""

    TRANSACTION = "transaction"
    """A pooler that gives each transaction, or each statement, whatever connection is free: certain where it is said.
    LISTEN, and all else that a session keeps, is lost there."""


class FittingConnections:
    """Makes asyncpg's connections: with prepared statements where they lead to the server, without names from the first
    on that leads to a pooler. A listener to SQLAlchemy's `do_connect`; one for each engine.

    Without a pooler one small round trip for each new connection, to see where it leads.
    """

    def __init__(self) -> None:
        self._pooled = False

    def __call__(self, dialect: Any, _record: object, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """The new connection.

        Without a cache of its own asyncpg sends each statement together with what is to be done with it, and no name:
        in one message, so that both reach the same connection to the server, in autocommit too.
        """
        if not self._pooled:
            connection = dialect.connect(*arguments, **options)
            if not self._leads_to_pooler(dialect, connection):
                return connection
            self._pooled = True
            dialect.do_close(connection)
        return dialect.connect(*arguments, **options | {"statement_cache_size": 0})

    def _leads_to_pooler(self, dialect: Any, connection: Any) -> bool:
        try:
            return await_only(_is_told_another(connection.driver_connection))
        except BaseException as failure:
            dialect.do_terminate(connection)
            if isinstance(failure, OSError) or not isinstance(failure, Exception):
                raise
            raise dialect.loaded_dbapi.Error(str(failure), failure) from failure


async def _is_told_another(connection: Any) -> bool:
    """Whether another process runs an asyncpg connection's statements than it was told. The simple protocol prepares
    nothing, but answers no rows to asyncpg: how many there were tells."""
    told = connection.get_server_pid()
    return bool(await connection.execute(f"SELECT 1 WHERE pg_catalog.pg_backend_pid() = {int(told)}") != "SELECT 1")


async def pooling_of(engine: AsyncEngine, timeout: float) -> Pooling:
    """What stands before the database of an engine, ours or the user's. One round trip without a pooler; with one up to
    forty on two connections. `timeout`: seconds to wait for the second of them, which a pooler may not have."""
    if engine.dialect.name != "postgresql":
        return Pooling.NONE
    engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as first:
            told, process = await _told(first), await _process(first)
            if told == process:
                return Pooling.NONE
            if await _process(first) != process or await _is_shared(engine, first, process, timeout):
                return Pooling.TRANSACTION
    except DBAPIError as failure:
        if getattr(failure.orig, "sqlstate", None) in NAME_CLASHES:
            return Pooling.TRANSACTION
        raise
    return Pooling.NONE if told is None else Pooling.SESSION


async def _is_shared(engine: AsyncEngine, first: AsyncConnection, process: int, timeout: float) -> bool:
    """Whether the statements of a second connection ever run where those of the first do, or those of one of them in
    different places. A pooler gives out the connection that came back last, or each in turn, unless others have it."""
    with suppress(TimeoutError, PoolTimeoutError):
        async with Timeout(timeout), engine.connect() as second:
            of_first, of_second = {process}, set()
            for _ in range(LOOKS):
                of_second.add(await _process(second))
                of_first.add(await _process(first))
                if len(of_first | of_second) != 2 or len(of_first) != 1:  # noqa: PLR2004 - one for each
                    return True
    return False


async def _told(connection: AsyncConnection) -> int | None:
    """The process id that the server, or who stands before it, told when the connection began, as an unsigned number of
    32 bits; `None` where the driver does not say."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if hasattr(driver, "get_server_pid"):  # asyncpg
        told = driver.get_server_pid()
    else:
        told = getattr(getattr(driver, "info", None), "backend_pid", None)  # psycopg
    return told if isinstance(told, int) else None


async def _process(connection: AsyncConnection) -> int:
    process: int = (await connection.exec_driver_sql(_PROCESS)).scalar_one()
    return process


def pooler_text(cause: BaseException) -> str | None:
    """What is the matter, and what to do, where a driver's failure is that of a pooler in between."""
    if getattr(cause, "sqlstate", None) in NAME_CLASHES:
        return (
            "a connection pooler in transaction mode stands before the database, and the engine that was handed in "
            "prepares statements by name. Hand in the URL, or make the engine with connect_args="
            "{'statement_cache_size': 0} (asyncpg) or {'prepare_threshold': None} (psycopg)"
        )
    if "unsupported startup parameter" in str(cause):
        return (
            f"a connection pooler stands before the database, which refuses a setting of the URL ({cause}). Leave it "
            "out, and set it for the role instead: ALTER ROLE name SET search_path = …"
        )
    return None
