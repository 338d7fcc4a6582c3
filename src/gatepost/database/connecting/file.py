"""SQLite's file: made for its owner alone, and noticed when it goes or another takes its place.

Whoever has a file open keeps that file, whatever is put under its name: a worker would go on for ever with the one from
before a backup was restored.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

OWNER_ONLY = 0o600
"""It holds the server key, the seal of what is in Redis, the digests. SQLite gives `-wal` and `-shm` the same mode."""

OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file as it was when it was looked at. `identity`: its device and number there; `None` = there is none."""

    path: Path
    identity: tuple[int, int] | None

    @staticmethod
    def at(path: Path) -> "SqliteFile":
        """The file that has this name now."""
        with suppress(OSError):
            found = path.stat()
            return SqliteFile(path, (found.st_dev, found.st_ino))
        return SqliteFile(path, None)

    @property
    def is_in_place(self) -> bool:
        """Whether what has this name is still this file."""
        return self == SqliteFile.at(self.path)

    @property
    def is_open_to_others(self) -> bool:
        """Whether users of the machine other than its owner may do anything with it."""
        with suppress(OSError):
            return os.name == "posix" and bool(self.path.stat().st_mode & OTHERS)
        return False


async def file_of(connection: AsyncConnection) -> SqliteFile | None:
    """The file behind a connection; `None` for a database in memory. One statement."""
    listed = await connection.exec_driver_sql("PRAGMA database_list")
    path = next((row.file for row in listed if row.name == "main"), None)
    return SqliteFile.at(Path(path)) if path else None


def make_private(_dialect: object, _record: object, arguments: Sequence[str], _options: object) -> None:
    """Before a connection is made, make its file if there is none, so that nobody else can read it at any moment. One
    that is there is left as it is. (A listener to SQLAlchemy's `do_connect`.)"""
    path = _path_to_make(arguments[0])
    if path is not None:
        with suppress(OSError):  # it is there, or SQLite says what is the matter
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))


def _path_to_make(name: str) -> str | None:
    """The path that SQLite would make a file at, if it would."""
    if not name.startswith("file:"):
        return None if name in {"", ":memory:"} else name
    uri = urlsplit(name)
    options = parse_qs(uri.query)
    path = unquote(uri.path)
    if options.get("mode", ["rwc"])[-1] != "rwc" or "vfs" in options or path in {"", ":memory:"}:
        return None
    return path
