"""The terms that lists are filtered by: the words of a key's description and its id, and its permissions.

Derived from the keys, in the change that changes them. What somebody changed by hand in SQL is caught up with when the
next list needs it: the triggers have written an event. Until then, `pending` tells, terms must not be asked.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.database.batches import BATCH, batches, one_of
from gatepost.database.tables import BY_HAND, TERM_MAX, counter, events, keys, settings, terms

WORD_MAX = 32
"""Characters of a word that count; so the longest range is far below the longest term."""

PENDING_MAX = 1000
"""Most changes by hand that a list catches up with; what is more, `gatepost db upgrade` does."""

SETTING = "terms_seq"
"""The setting with the seq up to which changes by hand are in the terms; none = no terms were written yet."""

_WORD = re.compile(r"[^\W_]+")
_LAST = "\U0010ffff"


def words(text: str) -> list[str]:
    """The words of a text, in order, as they are compared: without case and compatibility forms, the first 32
    characters of each."""
    return [word[:WORD_MAX] for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())]


def permission_term(name: str) -> str:
    """The term of a permission; no word begins with that mark."""
    return f"={name}"


def word_range(word: str) -> tuple[str, str]:
    """The first and last term that begin with `word`."""
    return word, word + _LAST


def rows_of(key_id: str, project: str | None, description: str, permissions: Iterable[str]) -> list[dict[str, str]]:
    """The rows of one key."""
    found = {*words(description), key_id.casefold(), *(permission_term(name)[:TERM_MAX] for name in permissions)}
    return [{"term": term, "project": project or "", "key_id": key_id} for term in sorted(found)]


async def pending(connection: AsyncConnection) -> int | None:
    """How many changes by hand the terms are behind; `None` = too many to be caught up with by a list, or no terms were
    written yet. One round trip, two index probes."""
    written = select(settings.c.value).where(settings.c.name == SETTING).scalar_subquery()
    newest = select(func.max(events.c.seq)).where(text(BY_HAND)).scalar_subquery()
    row = (await connection.execute(select(written.label("written"), newest.label("newest")))).one()
    if row.written is None:
        return None
    seq = int(row.written, 16)
    if row.newest is None or row.newest <= seq:
        return 0
    behind = select(events.c.key_id).where(text(BY_HAND), events.c.seq > seq).limit(PENDING_MAX + 1).subquery()
    count = (await connection.execute(select(func.count()).select_from(behind))).scalar_one()
    return count if count <= PENDING_MAX else None


async def catch_up(connection: AsyncConnection, *, anew: bool = False) -> None:
    """Write the terms of keys that were changed by hand, or of all keys where none were written yet or `anew`, while no
    change can be under way. To be committed by the caller."""
    await connection.execute(update(counter).values(seq=counter.c.seq))
    written = await connection.scalar(select(settings.c.value).where(settings.c.name == SETTING))
    position = f"{await connection.scalar(select(counter.c.seq)):016x}"
    if written is None:
        await connection.execute(insert(settings).values(name=SETTING, value=position))
    if written is None or anew:
        await _write_all(connection)
    else:
        by_hand = select(events.c.key_id).where(text(BY_HAND), events.c.seq > int(written, 16)).distinct()
        ids = [key_id for key_id in await connection.scalars(by_hand) if key_id is not None]
        for batch in batches(ids):
            found = (await connection.execute(_KEYS.where(one_of(keys.c.id, batch, connection.dialect.name)))).all()
            await replace(connection, batch, [each for row in found for each in _rows_of(row)])
    await connection.execute(update(settings).where(settings.c.name == SETTING).values(value=position))


async def replace(connection: AsyncConnection, ids: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Let these keys have these terms and no others."""
    dialect = connection.dialect.name
    for batch in batches(ids):
        await connection.execute(delete(terms).where(one_of(terms.c.key_id, batch, dialect)))
    await add(connection, rows)


async def add(connection: AsyncConnection, rows: Iterable[Mapping[str, str]]) -> None:
    """Write terms."""
    for batch in batches(rows):
        await connection.execute(insert(terms), batch)


_KEYS = select(keys.c.id, keys.c.project, keys.c.description, keys.c.permissions)


async def _write_all(connection: AsyncConnection) -> None:
    await connection.execute(delete(terms))
    last = ""
    while True:
        page = _KEYS.where(keys.c.id > last).order_by(keys.c.id).limit(BATCH)
        found = (await connection.execute(page)).all()
        await add(connection, [each for row in found for each in _rows_of(row)])
        if len(found) < BATCH:
            return
        last = found[-1].id


def _rows_of(row: Any) -> list[dict[str, str]]:
    return rows_of(row.id, row.project, row.description, row.permissions.split())
