"""The keys that fit a filter, for a change of them."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import case, select

from gatepost.base import BadInputError
from gatepost.database.lists import Filter, select_keys
from gatepost.database.log import made_keys
from gatepost.database.schema import keys, secrets
from gatepost.database.transaction import Transaction

_NEWEST_FIRST = itemgetter(1, 0, 2)
"""When a key was made, its id, and whether an older secret lives, in the rows."""


async def fitting_keys(
    transaction: Transaction,
    now: datetime,
    columns: Sequence[Any],
    wanted: Filter,
    most: int,
    *,
    with_terms: bool,
    made_by: str | None = None,
) -> Sequence[Any]:
    """For each key that fits, newest first: its id, when it was made, whether an older secret lives at `now`, and
    `columns`. The rest as for `Change.select`."""
    also = [] if made_by is None else [keys.c.id.in_(select(made_keys(made_by).c.key_id))]
    lives = case((secrets.c.expires_at > now, 1), else_=0)
    rows = select(keys.c.id, keys.c.created_seq, lives.label("old"), *columns)
    rows = rows.join_from(keys, secrets, secrets.c.key_id == keys.c.id)  # a row for each secret: two at most
    enough = 2 * most + 2
    found = await select_keys(
        transaction, wanted, rows, enough, dialect=transaction.dialect, with_terms=with_terms, also=also
    )
    chosen: dict[str, Any] = {}
    for row in sorted(found, key=_NEWEST_FIRST, reverse=True):
        chosen.setdefault(row[0], row)  # of a key with an older secret that lives, that one comes first
    if len(chosen) > most or len(found) == enough:
        raise BadInputError(
            f"more than {most:,} keys fit, so nothing was changed: narrow it, or allow for more", "most"
        )
    return list(chosen.values())
