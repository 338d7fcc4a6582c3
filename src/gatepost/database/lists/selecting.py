"""All keys that a filter has, at once, for what is to be changed of them.

Where few keys have the rarest of the terms, or have been idle for so long, those are read, and asked for the rest; else
the database goes through the keys as it sees fit, and each is asked.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, select, true

from gatepost.database.lists.conditions import has_term
from gatepost.database.lists.filter import Condition, Filter, Reads
from gatepost.database.schema import keys, secrets, told_columns

DRIVEN = 20_000
"""Most keys that are read since one of their terms is rare."""


async def select_keys(
    reads: Reads,
    wanted: Filter,
    rows: Select[Any],
    most: int,
    *,
    dialect: str,
    with_terms: bool,
    also: Sequence[ColumnElement[bool]],
) -> Sequence[Any]:
    """What `rows`, a statement over the keys, answers for those that fit, up to `most`. Its first two columns are what
    each key has of its own, the others what many have alike. `with_terms`: whether terms may be asked; without them,
    while much that was changed by hand in SQL is not caught up with, all keys that fit the rest are read into memory,
    however many they are, and looked at here. `also`: what must be true of them too. One round trip, two with terms or
    a last use."""
    conditions = wanted.terms()
    if conditions is None:
        return []
    state = true() if wanted.active is None else keys.c.active == (true() if wanted.active else false())
    fitting = rows.where(state, *wanted.fits(keys), *also)
    if conditions and not with_terms:
        own = secrets.alias()  # the statement may have the table itself
        hint = select(own.c.hint).where(own.c.key_id == keys.c.id, own.c.expires_at.is_(None)).limit(1)
        noted = [keys.c.metadata] if wanted.members else []
        told = [
            keys.c.description,
            keys.c.roles,
            *noted,
            hint.scalar_subquery().label("hint"),
            *told_columns(keys.c.id),
        ]
        looked_at = (await reads.execute(fitting.add_columns(*told))).all()
        return [row for row in looked_at if all(each.fits(row) for each in conditions)][:most]
    found_by: Condition | None = None
    asked: Sequence[Condition] = [*conditions, *wanted.idle]
    if asked:
        rarest, count = await wanted.rarest(reads, asked, DRIVEN + 1)
        if count <= DRIVEN:
            found_by = rarest
            some = wanted.candidates(rarest, DRIVEN + 1).subquery()
            fitting = fitting.where(keys.c.id.in_(select(some.c.key_id)))
    fitting = fitting.where(*(has_term(each, keys.c.id) for each in conditions if each != found_by))
    return await _read(reads, fitting.limit(most), dialect)


async def _read(reads: Reads, fitting: Select[Any], dialect: str) -> Sequence[Any]:
    """Its rows. PostgreSQL puts those together that differ in the first two columns only: to make 10,000 rows here, and
    to have the garbage collector look at them, takes longer than to find them."""
    if dialect != "postgresql":
        found: Sequence[Any] = (await reads.execute(fitting)).all()
        return found
    first, second, *others = fitting.subquery().c
    grouped = select(func.array_agg(first), func.array_agg(second), *others).group_by(*others)
    return [
        (one, other, *alike)
        for ones, twos, *alike in await reads.execute(grouped)
        for one, other in zip(ones, twos, strict=True)
    ]
