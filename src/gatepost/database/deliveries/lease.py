"""The lease: of all processes one delivers, by a row that names it until a moment of the database's clock.

    nobody's, or run out ──take──> mine, until now + seconds ──renew, before each writing──> ... ──> given up, run out

Whatever the holder queues is written in a transaction that renews the lease first: who has lost it writes nothing.
"""

from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import GatepostError
from gatepost.database.schema import database_now, deliverer


class LeaseLostError(GatepostError):
    """Another process delivers now. Nothing was written."""


async def take(connection: AsyncConnection, holder: str, seconds: float) -> bool:
    """Take or renew the lease; answers whether it is the holder's now. One statement; the commit is the caller's."""
    mine_or_free = or_(deliverer.c.holder == holder, deliverer.c.until <= database_now())
    return await _set(connection, mine_or_free, holder, seconds)


async def seconds_left(connection: AsyncConnection, holder: str) -> float:
    """For how long another has the lease; 0 = nobody else has. One row by key."""
    left = select(deliverer.c.until - database_now()).where(deliverer.c.id == 1, deliverer.c.holder != holder)
    return max(0.0, float((await connection.execute(left)).scalar_one_or_none() or 0.0))


async def renew(connection: AsyncConnection, holder: str, seconds: float) -> None:
    """Renew the lease, and keep its row to the end of the transaction. Raises `LeaseLostError`."""
    mine = (deliverer.c.holder == holder) & (deliverer.c.until > database_now())
    if not await _set(connection, mine, holder, seconds):
        raise LeaseLostError("Another process delivers what is told to the outside")


async def give_up(connection: AsyncConnection, holder: str) -> None:
    """Let another take it at once."""
    await connection.execute(update(deliverer).where(deliverer.c.holder == holder).values(until=database_now()))


async def _set(connection: AsyncConnection, where: Any, holder: str, seconds: float) -> bool:
    values = {"holder": holder, "until": database_now() + seconds}
    result = await connection.execute(update(deliverer).where(deliverer.c.id == 1, where).values(values))
    return bool(result.rowcount)
