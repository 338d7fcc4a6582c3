"""The row that each key has in the table of last uses, from when it is made on: lists by last use find it there."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import NEVER_USED
from gatepost.database.schema.batches import batches, one_of
from gatepost.database.schema.tables import keys, last_used


async def add_missing(connection: AsyncConnection, ids: Sequence[str] | None) -> None:
    """The rows of those of these keys, `None` = of all, that have none: somebody made them by hand."""
    if ids is None:
        await _add_where(connection)
    else:
        for batch in batches(ids):
            await _add_where(connection, one_of(keys.c.id, batch, connection.dialect.name))


async def _add_where(connection: AsyncConnection, *which: ColumnElement[bool]) -> None:
    has_row = exists().where(last_used.c.key_id == keys.c.id)
    found = select(keys.c.id, literal(NEVER_USED, last_used.c.last_at.type)).where(~has_row, *which)
    await connection.execute(insert(last_used).from_select(["key_id", "last_at"], found))
