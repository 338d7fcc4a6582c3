"""What of quotas has been leased out: a row for each bucket and period, which triggers and change log do not watch.

    used + wanted <= units, within the period by the database's clock?   one UPDATE gives a lease, or changes nothing

A lease whose answer was lost may have been given: then its units are lost, and nobody is let in by them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Float, String, bindparam, case, cast, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate, Update

from gatepost.database.schema import database_now, quotas

REST_PART = 16
"""No lease is more than a sixteenth of what is left, unless one request needs it: towards the end workers must not hold
what others need."""

KEPT_OF_TEMPORARY_SECONDS = 3_600
"""How long what a temporary secret has spent is kept after its end: by then no worker takes it for one that lives."""

KEPT_SECONDS = 100 * 86_400
"""For so long after its period a row stays at least, for people: three months. It goes as a period begins, by then."""

_BUCKET = (quotas.c.bucket == bindparam("of_bucket"), quotas.c.period == bindparam("of_period"))
_WANTED = bindparam("wanted", type_=BigInteger)
_UNITS = bindparam("units", type_=BigInteger)
_IS_LEFT = (
    quotas.c.used + _WANTED <= _UNITS,
    or_(bindparam("least", type_=BigInteger) >= _WANTED, _UNITS - quotas.c.used >= REST_PART * _WANTED),
    database_now() >= quotas.c.period,
    database_now() < quotas.c.ends,
)
_LEASE_AND_TELL = (
    update(quotas).where(*_BUCKET, *_IS_LEFT).values(used=quotas.c.used + _WANTED).returning(quotas.c.used)
)
_LEASE_IN_MYSQL = update(quotas).where(*_BUCKET, *_IS_LEFT).values(used=func.last_insert_id(quotas.c.used + _WANTED))
"""MariaDB 10 and MySQL return no columns from an `UPDATE`, but one number that it names."""

_LOOK = select(quotas.c.used, database_now()).where(*_BUCKET)
_GIVE_BACK = update(quotas).where(*_BUCKET, quotas.c.used >= _WANTED).values(used=quotas.c.used - _WANTED)
_CHARGED = case((quotas.c.used + _WANTED < _UNITS, quotas.c.used + _WANTED), else_=_UNITS)
_IS_UNUSED = (*_BUCKET, quotas.c.used < _UNITS)
_CHARGE_AND_TELL = update(quotas).where(*_IS_UNUSED).values(used=_CHARGED).returning(quotas.c.used)
_CHARGE_IN_MYSQL = update(quotas).where(*_IS_UNUSED).values(used=func.last_insert_id(_CHARGED))
_PRUNE = delete(quotas).where(quotas.c.ends < bindparam("before", type_=BigInteger))
"""By a number that planners see: by a clock that is read for each row no index is of use."""

_TEMPORARY = "temporary/"
_THEN = select(database_now() - bindparam("kept", type_=Float)).scalar_subquery()
_ENDED = select(_TEMPORARY + cast(cast(database_now() - bindparam("kept", type_=Float), BigInteger), String(20)))
"""The name of a temporary secret that has just ended: ten digits, seconds since the epoch. A range of the table's key
has those of all that ended before."""
_OF_TEMPORARY = quotas.c.bucket.like(f"{_TEMPORARY}{'_' * 10}.%")
_PRUNE_TEMPORARY = delete(quotas).where(
    quotas.c.bucket > _TEMPORARY,
    quotas.c.bucket < _ENDED.scalar_subquery(),
    case((_OF_TEMPORARY, cast(func.substr(quotas.c.bucket, len(_TEMPORARY) + 1, 10), BigInteger))) < _THEN,
    quotas.c.bucket != bindparam("of_bucket"),
)
"""But for the one whose row was made just now."""


@dataclass(frozen=True, slots=True)
class Leased:
    """`units` that are the caller's, 0 = none were given; `used`: of the whole quota, with these; by all workers.
    `is_open`: whether the period runs by the database's clock."""

    units: int
    used: int
    is_open: bool = True


class Quotas:
    """The table of quotas. A period is told by when it begins and ends, seconds since the epoch, or by the first.
    Raises `UnavailableError`."""

    def __init__(self, connection: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._connection = connection

    async def lease(self, bucket: str, period: tuple[int, int], *, units: int, wanted: int, least: int) -> Leased:
        """`wanted` units of a quota of `units`; fewer where that is more than a part of what is left, but none below
        `least`. One statement where there are so many; up to four at the end, and at the beginning of a period."""
        begins, ends = period
        values = {"of_bucket": bucket, "of_period": begins, "units": units, "least": least}
        async with self._connection("Leasing units of a quota") as connection:
            while True:
                used = await _tell(connection, _LEASE_AND_TELL, _LEASE_IN_MYSQL, {**values, "wanted": wanted})
                if used is not None:
                    return Leased(wanted, used)
                found = (await connection.execute(_LOOK, values)).one_or_none()
                if found is None:
                    await self._begin(connection, bucket, begins, ends)
                    continue
                used, now = found
                is_open = begins <= now < ends
                if not is_open or units - used < least:
                    return Leased(0, used, is_open)
                wanted = max(least, min(wanted, (units - used) // REST_PART))

    async def charge(self, bucket: str, period: tuple[int, int], *, units: int, cost: int) -> int:
        """Count `cost` units of a quota of `units` as used, or as many as are left; answers how many are used in all.
        One statement; up to four at the end, and at the beginning of a period."""
        begins, ends = period
        values = {"of_bucket": bucket, "of_period": begins, "units": units, "wanted": cost}
        async with self._connection("Charging units of a quota") as connection:
            while True:
                used = await _tell(connection, _CHARGE_AND_TELL, _CHARGE_IN_MYSQL, values)
                if used is not None:
                    return used
                found = (await connection.execute(_LOOK, values)).one_or_none()
                if found is not None:
                    return int(found[0])
                await self._begin(connection, bucket, begins, ends)

    async def give_back(self, leases: Sequence[tuple[str, int, int]]) -> None:
        """Units of leases that nobody spent: bucket, period, units. Not to be repeated where it fails: they may have
        been given back. One call, of a statement for each."""
        rows = [{"of_bucket": bucket, "of_period": period, "wanted": units} for bucket, period, units in sorted(leases)]
        async with self._connection("Giving back units of quotas") as connection:
            await connection.execute(_GIVE_BACK, rows)
            await _commit(connection)

    async def read_used(self, buckets: Sequence[tuple[str, int]]) -> Sequence[int]:
        """What is leased out or spent of buckets in a period each. One statement for each."""
        async with self._connection("Reading quotas") as connection:
            return [
                await connection.scalar(_LOOK, {"of_bucket": bucket, "of_period": period}) or 0
                for bucket, period in buckets
            ]

    async def _begin(self, connection: AsyncConnection, bucket: str, period: int, ends: int) -> None:
        """Make the row of a new period, unless another worker has; old ones go."""
        try:
            await connection.execute(insert(quotas).values(bucket=bucket, period=period, ends=ends, used=0))
        except IntegrityError:
            if connection.dialect.name == "sqlite":
                await connection.rollback()
            return
        await connection.execute(_PRUNE, {"before": period - KEPT_SECONDS})
        await connection.execute(_PRUNE_TEMPORARY, {"kept": KEPT_OF_TEMPORARY_SECONDS, "of_bucket": bucket})
        await _commit(connection)


async def _commit(connection: AsyncConnection) -> None:
    """The other databases commit by themselves, see `reading`."""
    if connection.dialect.name == "sqlite":
        await connection.commit()


async def _tell(
    connection: AsyncConnection, and_tell: ReturningUpdate[Any], in_mysql: Update, values: dict[str, Any]
) -> int | None:
    """What of the quota is used once it was changed; `None` = it was not."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        result = await connection.execute(in_mysql, values)
        return int(result.lastrowid) if result.rowcount else None
    used: int | None = (await connection.execute(and_tell, values)).scalar_one_or_none()
    await _commit(connection)
    return used
