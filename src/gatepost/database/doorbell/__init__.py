"""The database as a doorbell, where no Redis is one: a hint that somebody has changed keys, never believed.

PostgreSQL passes `NOTIFY` on; SQLite's file shows that another connection has committed; MariaDB and MySQL have
nothing.
"""

from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.database.connecting import SqliteFile
from gatepost.database.doorbell.doorbell import Doorbell as Doorbell
from gatepost.database.doorbell.listeners import LISTENERS
from gatepost.database.doorbell.notifications import Notifications
from gatepost.database.doorbell.sqlite_file import FileWatch


def doorbell_of(engine: AsyncEngine, file: SqliteFile | None, timeout: float) -> Doorbell:
    """What rings when keys were changed in this database. `file`: SQLite's,
    `None` for one in memory, which has one process, and for others. `timeout`: seconds for one exchange."""
    if engine.dialect.name == "postgresql" and engine.dialect.driver in LISTENERS:
        return Notifications(engine, timeout)
    return Doorbell() if file is None else FileWatch(file.path)
