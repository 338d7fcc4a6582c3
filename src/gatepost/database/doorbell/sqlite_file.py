"""SQLite's file, looked at often and cheaply: has another connection committed, and did that change keys?

    every 50 ms: PRAGMA data_version ──moved?──> SELECT seq, nonce ──moved?──> nudged

By a plain connection in the event loop's thread: a look takes microseconds there, but through a driver's thread a
hundred times as long.
"""

import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path

from gatepost.base import line_of
from gatepost.database.connecting import SqliteFile
from gatepost.database.doorbell.doorbell import Doorbell

logger = logging.getLogger("gatepost.doorbell")

LOOK_SECONDS = 0.05
"""Between two looks. At 50 ms they take below 1 % of a processor, nearly all of it for waking up."""

PRIMARY_CODE = 0xFF
"""What of an extended result code of SQLite's says of which kind it is (sqlite.org/rescode.html)."""

RETRY_SECONDS = 1.0
"""Until a file that cannot be read is tried again."""


class FileWatch(Doorbell):
    """The doorbell of an SQLite file. Rings by itself: a commit is seen by every process that looks."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: SqliteFile | None = None
        self._connection: sqlite3.Connection | None = None
        self._version = 0
        self._position: object = None
        self._fault: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def hears(self) -> bool:
        """Whether the file could be read at the last look."""
        return self._connection is not None

    @property
    def fault(self) -> str | None:
        """Why it cannot be read, in a line."""
        return self._fault

    def listen(self) -> None:
        """Begin to look. One connection more, for reading."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_looking())

    async def close(self) -> None:
        """Stop looking, and close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._disconnect()

    async def _keep_looking(self) -> None:
        while True:
            pause = LOOK_SECONDS
            try:
                self._look()
            except Exception as failure:  # noqa: BLE001 - the task must outlive a fault of ours
                if not _is_busy(failure):
                    self._disconnect()
                    if self._fault is None:
                        logger.warning("Changes are heard of only at the next poll: %s", line_of(failure))
                    self._fault = line_of(failure)
                    pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    def _look(self) -> None:
        file = SqliteFile.at(self._path)
        if self._connection is None or file != self._file:
            self._disconnect()
            self._connection, self._file = _connect(self._path), file
            self._version, self._position = 0, None
        [(version,)] = self._connection.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            position = self._connection.execute("SELECT seq, nonce FROM gatepost_counter").fetchall()
            if position != self._position:
                self.nudged.set()
            self._version, self._position = version, position
        self._fault = None

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    """For reading; waits for nobody."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)


def _is_busy(failure: Exception) -> bool:
    """Whether somebody writes just now, in a file without write-ahead logging."""
    code: int = getattr(failure, "sqlite_errorcode", 0)  # not of an error that Python's module raises by itself
    return code & PRIMARY_CODE == sqlite3.SQLITE_BUSY
