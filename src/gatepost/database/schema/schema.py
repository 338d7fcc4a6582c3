"""Making and migrating the tables, and telling whether they fit this code."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.base import SchemaError
from gatepost.database.connecting import changing
from gatepost.database.schema import search_terms as terms
from gatepost.database.schema import triggers
from gatepost.database.schema.turn import turn

VERSION_TABLE = "gatepost_version"
"""Alembic's table for us, apart from the one that the app may have."""

REVISIONS = tuple(f"{number:04}" for number in range(1, 19))
"""Every migration in order. The last one is what this code needs; a test compares them with the scripts."""

_FOR_EACH_ROW = frozenset(
    f"gatepost_{table}_{event}" for table in ("keys", "secrets") for event in ("insert", "update", "delete")
)
TRIGGERS: Mapping[str, frozenset[str]] = {
    "sqlite": _FOR_EACH_ROW,
    "mysql": _FOR_EACH_ROW,
    "mariadb": _FOR_EACH_ROW,
    "postgresql": frozenset(
        {
            "gatepost_keys_lock",
            "gatepost_keys_update",
            "gatepost_secrets_delete",
            "gatepost_secrets_insert",
            "gatepost_secrets_lock",
            "gatepost_secrets_truncate",
            "gatepost_secrets_update",
        }
    ),
}
"""The names of the triggers by SQLAlchemy's name of the dialect."""

_FIND_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
        " AND tgrelid IN (to_regclass('gatepost_keys'), to_regclass('gatepost_secrets'))"
    ),
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
}

_ALEMBIC = threading.Lock()
_ALEMBIC_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """`current`: the revision that the database is at, `None` without our tables; `needed`: what this code needs.

    `triggers`: whether all that notice changes made by hand in SQL are there and enabled. MariaDB and MySQL show them
    only to users who may make some: to others it looks as if there were none."""

    current: str | None
    needed: str
    triggers: bool

    @property
    def fits(self) -> bool:
        """Whether this code can use the database."""
        return self.current == self.needed


async def read_status(engine: AsyncEngine) -> SchemaStatus:
    """Which revision the database is at. Three round trips."""
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


async def upgrade(engine: AsyncEngine, *, terms_anew: bool = False) -> SchemaStatus:
    """Make or migrate the tables, whoever else tries the same at the same time; answers the status from before.
    Triggers that are missing are made; where the database does not let us, the log says so. The terms that lists search
    catch up with changes by hand; `terms_anew`: they are all written anew.

    One transaction where the database can roll back table changes (PostgreSQL, SQLite).
    """
    async with changing(engine) as connection, turn(connection):
        before = await connection.run_sync(_status)
        if before.current is not None and before.current not in REVISIONS:
            check(before)
        if not before.fits:
            async with _alembic_to_ourselves():
                await connection.run_sync(_run_migrations)
            await connection.run_sync(triggers.install)
        elif not before.triggers:
            await connection.run_sync(_make_missing_triggers)
        await terms.catch_up(connection, anew=terms_anew)
        await connection.commit()
    return before


@asynccontextmanager
async def _alembic_to_ourselves() -> AsyncIterator[None]:
    """Alembic keeps what it is doing in its modules, for the whole process: other tasks and threads wait here."""
    while not _ALEMBIC.acquire(blocking=False):  # noqa: ASYNC110 - of whatever thread and loop
        await asyncio.sleep(_ALEMBIC_LOOK_SECONDS)
    try:
        yield
    finally:
        _ALEMBIC.release()


def _status(connection: Connection) -> SchemaStatus:
    current = None
    if inspect(connection).has_table(VERSION_TABLE):
        current = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return SchemaStatus(current, REVISIONS[-1], TRIGGERS[connection.dialect.name] <= _present_triggers(connection))


def _present_triggers(connection: Connection) -> frozenset[str]:
    backend = connection.dialect.name
    query = _FIND_TRIGGERS["mysql" if backend == "mariadb" else backend]
    return frozenset(connection.scalars(text(query)))


def _make_missing_triggers(connection: Connection) -> None:
    triggers.install(connection, _present_triggers(connection))


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
