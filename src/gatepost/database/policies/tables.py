"""`PolicyTables`: what is read of policies outside of changes, and the lease of who switches off idle keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta

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
        """The first day on which uses were surely counted; `None` = none is counted. Of a month that was rolled up
        nobody knows on which day that began: it is the first of the next. One statement."""
        first = select(usage.c.by_month, func.min(usage.c.day).label("day")).group_by(usage.c.by_month)
        async with self._reading("Looking for since when usage is counted") as connection:
            rows = (await connection.execute(first)).all()
        days: dict[bool, date] = {bool(row.by_month): row.day for row in rows}
        if True not in days:
            return days.get(False)
        return (days[True].replace(day=28) + timedelta(days=4)).replace(day=1)

    async def database_now(self) -> datetime:
        """What time it is by the database's clock. One statement."""
        async with self._reading("Asking what time it is") as connection:
            return await _now(connection)

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
