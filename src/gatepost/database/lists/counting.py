"""How many keys a filter has, and which projects there are, without reading them all."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Select,
    false,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Total
from gatepost.database.lists.conditions import Ends, HasTerm, Named, has_term
from gatepost.database.lists.filter import Filter, read_first
from gatepost.database.lists.listing import Listing
from gatepost.database.lists.order import Sort
from gatepost.database.schema import (
    keys,
)

COUNTED = 10_000
"""Most keys that are looked at to be counted."""


async def count_keys(wanted: Filter, connection: AsyncConnection, *, with_terms: bool) -> Total:
    """How many keys fit: of at most `COUNTED` that are looked at. One round trip, two with terms."""
    conditions = wanted.terms()
    if conditions is None:
        return Total(0, exact=True)
    if conditions and not with_terms:
        return await _count_scanned(wanted, connection, conditions)
    dialect = connection.dialect.name
    in_index: list[Ends | Named] = [*wanted.ends, *wanted.named]
    if not conditions and not wanted.idle and len(in_index) <= 1:
        ranges = in_index[0].each_in_index() if in_index else [true()]
        fitting: Any = wanted.in_index(ranges, COUNTED + 1)
        found, looked_at = await _number(connection, fitting), 0
    else:
        rarest, looked_at = await wanted.rarest(connection, [*conditions, *in_index, *wanted.idle], COUNTED + 1)
        some = wanted.candidates(rarest, COUNTED + 1).subquery()
        rows = read_first(select(some.c.key_id).distinct().subquery(), dialect, COUNTED + 1)
        others = [has_term(each, rows.c.id) for each in conditions if each != rarest]
        fitting = select(rows.c.id).where(*wanted.fits(rows), *others)
        if wanted.active is not None:
            fitting = fitting.where(rows.c.active == (true() if wanted.active else false()))
        found = await _number(connection, fitting)
    return Total(min(found, COUNTED), exact=max(found, looked_at) <= COUNTED)


async def _number(connection: AsyncConnection, rows: Any) -> int:
    return int(await connection.scalar(select(func.count()).select_from(rows.subquery())) or 0)


async def _count_scanned(wanted: Filter, connection: AsyncConnection, conditions: Sequence[HasTerm]) -> Total:
    scan = Listing(filter=wanted, sort=Sort("created", descending=False), place=None, limit=COUNTED)
    rows = (await connection.execute(scan.statement(connection.dialect.name, (), None))).all()
    found = sum(all(each.fits(row) for each in conditions) for row in rows[:COUNTED])
    return Total(found, exact=len(rows) <= COUNTED)


def projects_statement(
    after: str | None, project: str | None, most: int, environment: str | None = None
) -> Select[Any]:
    """The names of the projects that keys are of, in order, up to `most`; after the name `after`, and only `project`,
    where these are not `None`. Each is one look into an index, however many keys it has; `environment`: of keys for
    this one only, which looks at more."""
    reached = true() if environment is None else keys.c.environment == environment
    following = select(func.min(keys.c.project).label("name"), literal(1).label("n")).where(reached)
    if after is not None:
        following = following.where(keys.c.project > after)
    if project is not None:
        following = following.where(keys.c.project == project)
    names = following.cte("names", recursive=True)
    larger = select(func.min(keys.c.project)).where(keys.c.project > names.c.name, reached)
    if project is not None:
        larger = larger.where(false())
    more = select(larger.scalar_subquery(), names.c.n + 1).where(names.c.name.is_not(None), names.c.n < most)
    names = names.union_all(more)
    return select(names.c.name).where(names.c.name.is_not(None)).order_by(names.c.name)
