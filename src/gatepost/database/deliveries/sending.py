"""What is due, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, delete, exists, false, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import TargetStatus
from gatepost.database.deliveries.queue import LAST_N
from gatepost.database.schema import ERROR_MAX, counter, database_now, deliverer, deliveries, one_of, targets


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one target. `attempts`: that failed. `queued_at`: seconds since the epoch by the
    database's clock. `error`: of the last attempt, one line."""

    target: str
    id: str
    key_id: str
    type: str
    body: str
    attempts: int
    queued_at: float
    error: str | None


def _delivery(row: Any) -> Delivery:
    return Delivery(row.target, row.id, row.key_id, row.type, row.body, row.attempts, row.queued_at, row.error)


async def read_due(connection: AsyncConnection, target: str, most: int) -> Sequence[Delivery]:
    """The next message of each key whose time has come, the oldest first; none where the target is stopped. What waits
    behind an earlier one of its key is not among them."""
    earlier = deliveries.alias()
    is_head = ~exists().where(
        earlier.c.target == deliveries.c.target,
        earlier.c.key_id == deliveries.c.key_id,
        earlier.c.place < deliveries.c.place,
        earlier.c.dead == false(),
    )
    goes = exists().where(targets.c.name == target, targets.c.stopped.is_(None))
    due = and_(deliveries.c.target == target, deliveries.c.dead == false(), deliveries.c.due_at <= database_now())
    found = select(deliveries).where(due, is_head, goes).order_by(deliveries.c.place).limit(most)
    return [_delivery(row) for row in await connection.execute(found)]


async def remove(connection: AsyncConnection, target: str, ids: Sequence[str]) -> None:
    """They have arrived."""
    which = one_of(deliveries.c.id, ids, connection.dialect.name)
    await connection.execute(delete(deliveries).where(deliveries.c.target == target, which))


async def fail(connection: AsyncConnection, delivery: Delivery, error: str, delay: float | None) -> None:
    """It has not. `delay`: seconds until the next attempt; `None` = it is given up."""
    row = (deliveries.c.target == delivery.target, deliveries.c.id == delivery.id)
    values = {
        "attempts": delivery.attempts + 1,
        "error": error[:ERROR_MAX],
        "due_at": database_now() + (delay or 0.0),
        "dead": delay is None,
    }
    await connection.execute(update(deliveries).where(*row).values(values))


async def stop(connection: AsyncConnection, target: str, reason: str | None) -> bool:
    """Send nothing there any more; `None` = send again. Answers whether there is such a target."""
    result = await connection.execute(update(targets).where(targets.c.name == target).values(stopped=reason))
    return bool(result.rowcount)


async def forget(connection: AsyncConnection, target: str) -> bool:
    """Remove a target that is not configured any more, with all that was on its way."""
    await connection.execute(delete(deliveries).where(deliveries.c.target == target))
    return bool((await connection.execute(delete(targets).where(targets.c.name == target))).rowcount)


async def read_dead(
    connection: AsyncConnection, target: str | None, after: tuple[str, int] | None, most: int
) -> Sequence[tuple[int, Delivery]]:
    """What was given up, with places, in order of target and place."""
    of_target = [] if target is None else [deliveries.c.target == target]
    found = select(deliveries).where(deliveries.c.dead == true(), *of_target)
    if after is not None:
        name, place = after
        later = and_(deliveries.c.target == name, deliveries.c.place > place)
        found = found.where((deliveries.c.target > name) | later)
    rows = await connection.execute(found.order_by(deliveries.c.target, deliveries.c.place).limit(most))
    return [(row.place, _delivery(row)) for row in rows]


async def revive(connection: AsyncConnection, target: str, ids: Sequence[str] | None) -> int:
    """Send what was given up again, from its first attempt on; `None` = all of the target's. Answers how many."""
    which = [deliveries.c.target == target, deliveries.c.dead == true()]
    if ids is not None:
        which.append(one_of(deliveries.c.id, ids, connection.dialect.name))
    values = {"dead": False, "attempts": 0, "due_at": database_now()}
    return int((await connection.execute(update(deliveries).where(*which).values(values))).rowcount)


async def read_states(connection: AsyncConnection) -> Sequence[TargetStatus]:
    """How each target does. Two statements; what waits is counted."""
    waits = deliveries.c.dead == false()
    counts = (
        select(
            deliveries.c.target,
            func.count().label("all"),
            func.count(case((waits, 1))).label("waiting"),
            func.min(case((waits, deliveries.c.queued_at))).label("oldest"),
        )
        .group_by(deliveries.c.target)
        .subquery()
    )
    found = (
        select(targets, counts.c.all, counts.c.waiting, counts.c.oldest)
        .join_from(targets, counts, counts.c.target == targets.c.name, isouter=True)
        .order_by(targets.c.name)
    )
    seq_now = select(counter.c.seq).scalar_subquery()
    now, until, seq = (await connection.execute(select(database_now(), deliverer.c.until, seq_now))).one()
    return [
        TargetStatus(
            name=row.name,
            stopped=row.stopped,
            waiting=int(row.waiting or 0),
            oldest_seconds=0.0 if row.oldest is None else max(0.0, float(now) - float(row.oldest)),
            dead=int(row.all or 0) - int(row.waiting or 0),
            behind=max(0, seq - row.seq) + (row.n < LAST_N),
            silent_seconds=max(0.0, float(now) - float(until)),
        )
        for row in await connection.execute(found)
    ]
