"""What happens by itself: keys that are about to expire, that have, or that have used up a limit.

    told until ──> now: which moments lie between?  expires_at - 30, 14, 7, 1 days; expires_at ──> outbox

The holder of the lease does it, in the transaction that moves `swept_at`, so each moment is told once, whoever sweeps
next and however late. Limits are read off usage, whose rows come up to a minute late: once a key and day.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, false, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Outcome
from gatepost.database.deliveries.queue import Happening
from gatepost.database.schema import batches, database_now, deliverer, keys, moment_in, one_of, outbox, usage

KEPT_DAYS = 3
"""For so many days what was moved is kept, to be known again: longer than a day of usage can be written late."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What targets want to hear of. `expiring_days`: how long before, the longest first; none = not at all."""

    expiring_days: Sequence[int] = ()
    expired: bool = False
    limits: bool = False


async def sweep(connection: AsyncConnection, wanted: Wanted) -> int:
    """Write what has happened by itself since the last time into the outbox; answers how much that is. The lease's row
    is the caller's to keep. The first time nothing has."""
    until, seconds = (await connection.execute(select(deliverer.c.swept_at, database_now()))).one()
    now = datetime.fromtimestamp(float(seconds), UTC)
    found: list[Happening] = []
    if until is not None:
        since = min(datetime.fromtimestamp(float(until), UTC), now)
        found += await _expiring(connection, since, now, wanted.expiring_days)
        found += await _expired(connection, since, now) if wanted.expired else []
    found += await _limits(connection, now) if wanted.limits else []
    added = await add(connection, found)
    latest = max(float(seconds), float(until or 0.0))
    await connection.execute(update(deliverer).values(swept_at=latest))
    old = outbox.c.at < now - timedelta(days=KEPT_DAYS)
    await connection.execute(delete(outbox).where(outbox.c.moved == true(), old))
    return added


async def add(connection: AsyncConnection, happenings: Collection[Happening]) -> int:
    """Write those into the outbox that are not there yet; answers how many."""
    added = 0
    for batch in batches({each.id: each for each in happenings}.values()):
        ids = one_of(outbox.c.id, [each.id for each in batch], connection.dialect.name)
        known = set(await connection.scalars(select(outbox.c.id).where(ids)))
        rows = [_row(each) for each in batch if each.id not in known]
        if rows:
            await connection.execute(insert(outbox), rows)
        added += len(rows)
    return added


async def note(connection: AsyncConnection, kind: str, key_id: str, project: str | None) -> None:
    """Write into the outbox that something has happened to a key now. One statement."""
    row = {"id": f"{kind}_{uuid.uuid4().hex}", "type": kind, "key_id": key_id, "project": project, "data": "{}"}
    await connection.execute(insert(outbox).values(row | {"at": moment_in(0.0), "moved": False}))


def _row(happening: Happening) -> dict[str, Any]:
    return {
        "id": happening.id,
        "type": happening.type,
        "key_id": happening.key_id,
        "project": happening.project,
        "at": happening.at,
        "data": orjson.dumps(happening.data).decode(),
        "moved": False,
    }


async def _ending(connection: AsyncConnection, since: datetime, until: datetime) -> Sequence[Any]:
    """The keys that are switched on and end after `since`, and not after `until`. A range of an index."""
    columns = (keys.c.id, keys.c.project, keys.c.created_at, keys.c.expires_at)
    ends = (keys.c.active == true(), keys.c.expires_at > since, keys.c.expires_at <= until)
    return (await connection.execute(select(*columns).where(*ends))).all()


async def _expiring(
    connection: AsyncConnection, since: datetime, now: datetime, days: Sequence[int]
) -> Sequence[Happening]:
    """Of each key the last notice whose moment has come: where several have, the earlier ones are news no more."""
    found: dict[str, Happening] = {}
    for number in sorted(days, reverse=True):
        ahead = timedelta(days=number)
        for row in await _ending(connection, since + ahead, now + ahead):
            if row.expires_at > now and row.created_at <= row.expires_at - ahead:
                ends = int(row.expires_at.timestamp())
                told = {"expires_at": row.expires_at.isoformat(), "days": number}
                found[row.id] = Happening(
                    f"expiring_{row.id}_{ends}_{number}", "key.expiring", row.id, row.project, now, told
                )
    return list(found.values())


async def _expired(connection: AsyncConnection, since: datetime, now: datetime) -> Sequence[Happening]:
    return [
        Happening(
            f"expired_{row.id}_{int(row.expires_at.timestamp())}",
            "key.expired",
            row.id,
            row.project,
            row.expires_at,
            {"expires_at": row.expires_at.isoformat()},
        )
        for row in await _ending(connection, since, now)
    ]


async def _limits(connection: AsyncConnection, now: datetime) -> Sequence[Happening]:
    """The keys that were refused by a limit yesterday or today, a day each."""
    refused = (
        usage.c.by_month == false(),
        usage.c.day >= now.date() - timedelta(days=1),
        usage.c.outcome == str(Outcome.LIMIT_EXCEEDED),
    )
    found = select(usage.c.key_id, usage.c.day, keys.c.project).join_from(usage, keys, keys.c.id == usage.c.key_id)
    return [
        Happening(
            f"limit_{row.key_id}_{row.day:%Y%m%d}",
            "limit.reached",
            row.key_id,
            row.project,
            now,
            {"day": row.day.isoformat()},
        )
        for row in await connection.execute(found.where(*refused).distinct())
    ]
