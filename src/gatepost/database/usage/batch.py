"""A batch of counts that is in the tables once, however often it is written.

    INSERT its id ──there already──> nothing to do: it was committed, though nobody heard of it
         │ new
    add to the counts, move last uses forward, DELETE the id of the worker's batch before ──> COMMIT

Who writes it again while the first transaction has not ended waits at the id until that has: the database then says
that the id is there, or takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, case, delete, func, insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import UNUSED, Timeout, Use
from gatepost.database.schema import last_used, usage, usage_batches

AT_ONCE = 500
"""Rows per statement, each of which has a timeout of its own."""


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """What a worker has counted. `id`: 32 hexadecimal characters, random. `before`: the id of the worker's batch before
    it, which is known to be committed; `None` = there is none. `at`: when it was closed, aware, UTC."""

    id: str
    before: str | None
    at: datetime
    uses: Sequence[Use]

    async def write(self, connection: AsyncConnection, timeout: float) -> bool:
        """Write it, and commit; answers whether it was not there yet. `timeout`: seconds that a statement may take."""
        dialect = connection.dialect.name
        try:
            async with Timeout(timeout):
                await connection.execute(insert(usage_batches).values(id=self.id, at=self.at))
        except IntegrityError:
            return False
        for table, rows in ((usage, self._counts()), (last_used, self._last_uses())):
            statement = upsert(table, dialect)
            for start in range(0, len(rows), AT_ONCE):
                async with Timeout(timeout):
                    await connection.execute(statement, rows[start : start + AT_ONCE])
        async with Timeout(timeout):
            if self.before is not None:
                await connection.execute(delete(usage_batches).where(usage_batches.c.id == self.before))
            await connection.commit()
        return True

    def _counts(self) -> list[dict[str, Any]]:
        """The rows of counts, in the order of their key: so all workers take the locks in the same order."""
        rows = [
            {
                "key_id": use.key_id,
                "day": use.day,
                "by_month": False,
                "secret": use.secret,
                "route": use.route,
                "outcome": use.outcome,
                "uses": use.count,
                "last_at": use.last_at,
                "last_address": use.last_address,
            }
            for use in self.uses
        ]
        return sorted(rows, key=lambda row: [row[column.name] for column in usage.primary_key])

    def _last_uses(self) -> list[dict[str, Any]]:
        """When each key was used last, of those that were."""
        latest: dict[str, datetime] = {}
        for use in self.uses:
            if use.key_id and use.outcome not in UNUSED:
                latest[use.key_id] = max(use.last_at, latest.get(use.key_id, use.last_at))
        return [{"key_id": key_id, "last_at": latest[key_id]} for key_id in sorted(latest)]


def upsert(table: Table, dialect: str) -> Any:
    """Insert rows of a table of usage. Where there is one: add to its count, and move its last moment forward, never
    back."""
    key = [column.name for column in table.primary_key]
    if dialect in {"mysql", "mariadb"}:
        into = mysql.insert(table)
        return into.on_duplicate_key_update(_together(table, into.inserted, func.greatest))
    if dialect == "postgresql":
        in_postgresql = postgresql.insert(table)
        values = _together(table, in_postgresql.excluded, func.greatest)
        return in_postgresql.on_conflict_do_update(index_elements=key, set_=dict(values))
    in_sqlite = sqlite.insert(table)
    return in_sqlite.on_conflict_do_update(
        index_elements=key, set_=dict(_together(table, in_sqlite.excluded, func.max))
    )


def _together(table: Table, new: Any, latest: Any) -> list[tuple[str, ColumnElement[Any]]]:
    """What becomes of the columns of a row that is there already. The address first: MariaDB and MySQL see what is set
    before."""
    values: list[tuple[str, ColumnElement[Any]]] = []
    if "uses" in table.c:
        address = case((new.last_at >= table.c.last_at, new.last_address), else_=table.c.last_address)
        values = [("last_address", address), ("uses", table.c.uses + new.uses)]
    return [*values, ("last_at", latest(table.c.last_at, new.last_at))]
