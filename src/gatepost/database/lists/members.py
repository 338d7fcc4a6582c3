"""The keys that have some metadata, for what tells of keys beside lists: the log, usage."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.database.lists.conditions import HasMember, has_term
from gatepost.database.lists.filter import Filter, listed
from gatepost.database.lists.listing import FEW
from gatepost.database.schema import keys, terms


async def having(
    connection: AsyncConnection, members: Sequence[HasMember], *, with_terms: bool
) -> tuple[Select[Any], bool]:
    """The ids, as `key_id`, of the keys that have all of these, templates among them; and whether they are few, or at
    least known by now. `with_terms`: whether terms may be asked; without them the metadata of all keys is read. One
    round trip, two where they are few."""
    if not with_terms:
        noted = select(keys.c.id, keys.c.metadata).where(keys.c.metadata.is_not(None))
        ids = {row.id for row in await connection.execute(noted) if all(each.fits(row) for each in members)}
        return select(listed(ids, connection.dialect.name).c.key_id), True
    rarest, count = await Filter().rarest(connection, members, FEW + 1)
    others = [has_term(each, terms.c.key_id) for each in members if each != rarest]
    found = select(terms.c.key_id).where(*rarest.each_in_terms(terms), *others)  # type: ignore[union-attr]
    if count > FEW:
        return found, False
    ids = set(await connection.scalars(found))
    return select(listed(ids, connection.dialect.name).c.key_id), True
