"""Whether the database is the one that changes are made in, or a copy that follows it.

A copy lags: it may still hold a key as active whose deactivation was confirmed long ago, and a lease taken from it
would be worth nothing. So what decides (the counter, the records) is asked for together with this, in one statement: no
round trip more, and right on every connection, new, pooled, or led elsewhere by a proxy or a failover. Nodes of Galera
apply each other's changes a little later: there each session waits for what was committed before (docs/decisions/0015).
"""

from typing import Any

from sqlalchemy import Boolean, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from gatepost.base import UnavailableError, line_of

SYNC_WAIT = 7
"""Before SELECT (1), UPDATE and DELETE (2), INSERT (4): what a change reads has to be the newest, too."""

_WHAT_TO_DO = {
    "postgresql": "it is a hot standby. Name the primary, or all servers with target_session_attrs=read-write",
    "mysql": "it is read-only (read_only or innodb_read_only is on). Name the primary, or the writer's endpoint",
}


class is_primary(GenericFunction[bool]):  # noqa: N801 - written like the SQL functions beside it
    """Whether what this statement reads is the newest that there is."""

    type = Boolean()
    inherit_cache = True
    name = "is_primary"


@compiles(is_primary, "postgresql")
def _postgresql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "(NOT pg_is_in_recovery())"


@compiles(is_primary, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "1"


@compiles(is_primary, "mysql")
@compiles(is_primary, "mariadb")
def _mysql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    # as texts: MariaDB 12 has words for read_only
    return "(CAST(@@read_only AS CHAR) IN ('0', 'OFF') AND CAST(@@innodb_read_only AS CHAR) IN ('0', 'OFF'))"


def replica_text(dialect: str) -> str:
    """What is the matter, and what to do. `dialect`: SQLAlchemy's name."""
    what = _WHAT_TO_DO["postgresql" if dialect == "postgresql" else "mysql"]
    return f"The database's URL leads to a replica, which may not know of deactivated keys yet: {what}"


def wait_for_other_nodes(connection: Any, record: Any, _proxy: object) -> None:
    """Where the server is a node of Galera, have the session see all that was committed on any node before each of its
    statements. Two statements for each new connection. (A listener to SQLAlchemy's `checkout`.)"""
    if "gatepost" in record.info:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SHOW VARIABLES LIKE 'wsrep\\_on'")
        if any(value == "ON" for _, value in cursor.fetchall()):
            cursor.execute(f"SET SESSION wsrep_sync_wait = {SYNC_WAIT}")
    except Exception as failure:
        raise UnavailableError(f"Connecting: the database failed ({line_of(failure)})") from failure
    finally:
        cursor.close()
    record.info["gatepost"] = True


async def is_cluster_node(connection: AsyncConnection) -> bool:
    """Whether the server is a node of Galera. One statement on MariaDB and MySQL, none elsewhere."""
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return False
    return (await connection.execute(text("SHOW VARIABLES LIKE 'wsrep\\_on'"))).all() == [("wsrep_on", "ON")]
