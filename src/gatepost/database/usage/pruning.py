"""What becomes of old usage: days become parts of months, and months go in the end. Some rows at a time, each time in a
transaction of its own, so that workers that write meanwhile wait for no more than these."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, exists, false, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.database.schema import batches, keys, last_used, one_of, usage, usage_batches
from gatepost.database.usage.batch import upsert

ROWS = 1000
"""Rows of a transaction."""

_KEY = tuple(usage.primary_key)
_THIS_ROW = and_(*(column == bindparam(f"its_{column.name}") for column in _KEY))


async def roll_up(connection: AsyncConnection, before: date) -> int:
    """Make some of the days before `before`, the first of a month, parts of their months, to be committed by the
    caller; answers how many rows these were: 0 = there are none any more. Routes, outcomes and secrets stay apart."""
    rows = await _some_rows(connection, usage.c.by_month == false(), usage.c.day < before)
    months: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row.last_at):
        of_month = row._asdict() | {"day": row.day.replace(day=1), "by_month": True}
        place = tuple(of_month[column.name] for column in _KEY)
        of_month["uses"] += months[place]["uses"] if place in months else 0
        months[place] = of_month
    if rows:
        await connection.execute(upsert(usage, connection.dialect.name), list(months.values()))
        await _delete_rows(connection, rows)
    return len(rows)


async def remove_months(connection: AsyncConnection, before: date) -> int:
    """Remove some of the months before `before`, likewise."""
    rows = await _some_rows(connection, usage.c.by_month == true(), usage.c.day < before)
    await _delete_rows(connection, rows)
    return len(rows)


async def count(connection: AsyncConnection, days_before: date, months_before: date) -> tuple[int, int]:
    """How many rows of days before the one, the first of a month, would become parts of months, and how many rows of
    months before the other would then go."""
    old_day = and_(usage.c.by_month == false(), usage.c.day < days_before)
    old_month = and_(usage.c.by_month == true(), usage.c.day < months_before)
    days, months = (func.sum(case((which, 1), else_=0)) for which in (old_day, old_month))
    rolled_up, removed = (await connection.execute(select(days, months).where(old_day | old_month))).one()
    return int(rolled_up or 0), int(removed or 0)


async def remove_orphans(connection: AsyncConnection, silent_since: datetime) -> int:
    """Remove some of the last uses of keys that are gone, likewise; and the batches of workers that have written
    nothing since `silent_since`: one for each, so these are few."""
    await connection.execute(delete(usage_batches).where(usage_batches.c.at < silent_since))
    has_key = exists().where(keys.c.id == last_used.c.key_id)
    gone = list(await connection.scalars(select(last_used.c.key_id).where(~has_key).limit(ROWS)))
    for batch in batches(gone):
        of_gone = one_of(last_used.c.key_id, batch, connection.dialect.name)
        await connection.execute(delete(last_used).where(of_gone, ~has_key))
    return len(gone)


async def _some_rows(connection: AsyncConnection, *which: Any) -> Sequence[Any]:
    """Some rows, which nobody changes before this transaction has ended."""
    if connection.dialect.name == "sqlite":  # a transaction that begins with a read cannot write after another's
        await connection.execute(delete(usage_batches).where(usage_batches.c.id == ""))
        return (await connection.execute(select(usage).where(*which).limit(ROWS))).all()
    rows = select(usage).where(*which).order_by(*_KEY).limit(ROWS)
    return (await connection.execute(rows.with_for_update())).all()


async def _delete_rows(connection: AsyncConnection, rows: Sequence[Any]) -> None:
    if rows:
        of_rows = [{f"its_{column.name}": getattr(row, column.name) for column in _KEY} for row in rows]
        await connection.execute(delete(usage).where(_THIS_ROW), of_rows)
