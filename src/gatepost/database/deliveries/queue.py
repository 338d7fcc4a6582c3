"""From the log, and from what else happened, to deliveries: each once for each target, in order.

    log after the target's place ─┐
                                  ├─ render ──> deliveries, with places that go up ──> the target's new place ──> COMMIT
    outbox, what is not moved ────┘

The log is in commit order and has no gaps, so a place in it says all. What happened beside it is written by any
process in any order, so it is moved, not followed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import and_, exists, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import ChangeEvent
from gatepost.database.schema import (
    as_event,
    counter,
    database_now,
    deliverer,
    deliveries,
    events,
    one_of,
    outbox,
    targets,
)

EVENTS_MAX = 500
"""Most lines of the log that are queued at once, for each target."""

HAPPENINGS_MAX = 500
"""Most happenings that are queued at once."""

LAST_N = 2**31 - 1
"""Above every number inside a change."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a target is sent. `id`: the same whoever renders it, and at each attempt, up to 100 characters. `key_id`:
    what is about one key arrives in order; empty = about none. `body`: JSON."""

    id: str
    type: str
    key_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened that is no change of a key. `id`: another one of the same id is the same."""

    id: str
    type: str
    key_id: str
    project: str | None
    at: datetime
    data: Mapping[str, Any]


Render = Callable[[ChangeEvent | Happening, int], Message | None]
"""From a line of the log, with the nonce of its change (63 random bits), or a happening, with 0, to a target's
message; `None` = it is not for that target."""


async def has_news(connection: AsyncConnection, names: Sequence[str]) -> bool:
    """Whether there is anything to queue for these targets, or one of them is new. Two statements by key."""
    place = select(func.count(), func.min(targets.c.seq), func.min(targets.c.n)).where(targets.c.name.in_(names))
    known, seq, n = (await connection.execute(place)).one()
    if known < len(names) or n < LAST_N:
        return True
    last = select(counter.c.seq, exists().where(outbox.c.moved == false()))
    newest, happened = (await connection.execute(last)).one()
    return bool(happened) or newest > seq


async def queue(connection: AsyncConnection, renders: Mapping[str, Render]) -> int:
    """Queue what is new for each target; answers how many deliveries there are of it. The lease's row is the caller's
    to keep. A target that was not known begins at the end of the log."""
    place = (await connection.execute(select(deliverer.c.queued))).scalar_one()
    rows: list[dict[str, Any]] = []
    for name, render in renders.items():
        at = await _place_of(connection, name)
        found = (await connection.execute(_log_after(*at))).all()
        messages = (render(as_event(row), row.nonce) for row in found)
        rows += [_row(name, message) for message in messages if message is not None]
        seq, n = (found[-1].seq, found[-1].n) if found else at
        moved = {"seq": seq, "n": n if len(found) == EVENTS_MAX else LAST_N}  # of a change that is in part queued
        await connection.execute(update(targets).where(targets.c.name == name).values(moved))
    rows += await _moved(connection, renders)
    for number, row in enumerate(rows, place + 1):
        row["place"] = number
    now = (await connection.execute(select(database_now()))).scalar_one() if rows else None
    for start in range(0, len(rows), EVENTS_MAX):
        batch = rows[start : start + EVENTS_MAX]
        await connection.execute(insert(deliveries), [row | {"queued_at": now, "due_at": now} for row in batch])
    if rows:
        await connection.execute(update(deliverer).values(queued=place + len(rows)))
    return len(rows)


async def _place_of(connection: AsyncConnection, name: str) -> tuple[int, int]:
    row = (await connection.execute(select(targets.c.seq, targets.c.n).where(targets.c.name == name))).one_or_none()
    if row is not None:
        return row.seq, row.n
    seq: int = (await connection.execute(select(counter.c.seq))).scalar_one()
    await connection.execute(insert(targets).values(name=name, seq=seq, n=LAST_N))
    return seq, LAST_N


def _log_after(seq: int, n: int) -> Any:
    """One line of each key, change and kind, though there is one for each of the key's secrets."""
    other = events.alias()
    same = (
        other.c.key_id == events.c.key_id,
        other.c.seq == events.c.seq,
        other.c.kind == events.c.kind,
        other.c.n < events.c.n,
    )
    after = or_(events.c.seq > seq, and_(events.c.seq == seq, events.c.n > n))
    found = select(events).where(events.c.seq >= seq, after, ~exists().where(*same))
    return found.order_by(events.c.seq, events.c.n).limit(EVENTS_MAX)


async def _moved(connection: AsyncConnection, renders: Mapping[str, Render]) -> list[dict[str, Any]]:
    waiting = select(outbox).where(outbox.c.moved == false()).order_by(outbox.c.at, outbox.c.id).limit(HAPPENINGS_MAX)
    found = [
        Happening(row.id, row.type, row.key_id, row.project, row.at, orjson.loads(row.data))
        for row in await connection.execute(waiting)
    ]
    if found:
        ids = one_of(outbox.c.id, [each.id for each in found], connection.dialect.name)
        await connection.execute(update(outbox).where(ids).values(moved=True))
    messages = ((name, render(each, 0)) for each in found for name, render in renders.items())
    return [_row(name, message) for name, message in messages if message is not None]


def _row(target: str, message: Message) -> dict[str, Any]:
    return {
        "target": target,
        "id": message.id,
        "key_id": message.key_id,
        "type": message.type,
        "body": message.body,
        "dead": False,
        "attempts": 0,
    }
