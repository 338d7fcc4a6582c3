"""`PolicyTables`: what is read of policies outside of changes, and the lease of who switches off idle keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Timeout
from gatepost.database.policies.misfits import Misfits
from gatepost.database.policies.rows import StoredPolicy
from gatepost.database.schema import database_now, leases, policies, usage

IDLE_KEYS = "idle_keys"
"""The lease of who switches off idle keys."""

Connecting = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class PolicyTables:
    """`reading`, `writing`: a connection for what they are told, for single statements and for a transaction.
    `timeout`: seconds that a transaction may take. Every method raises `UnavailableError`."""

    def __init__(self, reading: Connecting, writing: Connecting, *, timeout: float) -> None:
        self._reading = reading
        self._writing = writing
        self._timeout = timeout

    async def list(self, *, after: str | None, limit: int, project: str | None = None) -> Sequence[StoredPolicy]:
        """Policies by project, the company-wide one first, up to `limit`; after that of a project (empty =
        company-wide); of `project` and company-wide alone, if it is not `None`. One round trip."""
        found = select(policies).order_by(policies.c.project).limit(limit)
        if after is not None:
            found = found.where(policies.c.project > after)
        if project is not None:
            found = found.where(policies.c.project.in_(["", project]))
        async with self._reading("Reading the policies") as connection:
            return [StoredPolicy.of(row) for row in await connection.execute(found)]

    async def misfits(self, asked: Misfits) -> Mapping[str, int]:
        """How many keys do not fit, by term. A statement for each, and one."""
        async with self._reading("Looking for keys that do not fit") as connection:
            return await asked.count(connection, await _now(connection))

    async def misfit_ids(self, asked: Misfits, term: str, after: str | None, most: int) -> Sequence[str]:
        """The ids of some of them. Two statements."""
        async with self._reading("Looking for keys that do not fit") as connection:
            return await asked.read(connection, await _now(connection), term, after, most)

    async def counted_since(self) -> date | None:
        """The first day of which any use is counted; `None` = none is. One statement."""
        async with self._reading("Looking for since when usage is counted") as connection:
            first: date | None = await connection.scalar(select(func.min(usage.c.day)))
            return first

    async def lease_left(self) -> float:
        """Seconds until the lease may be taken; 0 = now. One row by key."""
        async with self._reading("Asking who switches off idle keys") as connection:
            left = select(leases.c.until - database_now()).where(leases.c.name == IDLE_KEYS)
            return max(0.0, float(await connection.scalar(left) or 0.0))

    async def take_lease(self, holder: str, seconds: float) -> bool:
        """Take it, once it is free: whoever gets it does what there is to do until `seconds` from now, and nobody else
        begins. One transaction."""
        free = (leases.c.name == IDLE_KEYS, leases.c.until <= database_now())
        values = {"holder": holder, "until": database_now() + seconds}
        async with self._writing("Asking who switches off idle keys") as connection, Timeout(self._timeout):
            result = await connection.execute(update(leases).where(*free).values(values))
            await connection.commit()
            return bool(result.rowcount)


async def _now(connection: AsyncConnection) -> datetime:
    return datetime.fromtimestamp(float(await connection.scalar(select(database_now())) or 0.0), UTC)
