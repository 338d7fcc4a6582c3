"""The terms that lists are filtered by: the words of a key's description and its id, its permissions and roles, the
members of its metadata, and what people may see of its secrets.

Derived from the keys, in the change that changes them. What somebody changed by hand in SQL is caught up with when the
next list needs it: the triggers have written an event. Until then, `pending` tells, terms must not be asked.
"""

import re
import unicodedata
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import ID_CHARS, member_text, metadata_of
from gatepost.database.schema import unused
from gatepost.database.schema.batches import BATCH, batches, one_of
from gatepost.database.schema.tables import BY_HAND, TERM_MAX, counter, events, keys, secrets, settings, terms

WORD_MAX = 32
"""Characters of a word that count; so the longest range is far below the longest term."""

HINT_MIN = 4
"""Characters of a search from which on it is looked for in what people may see of secrets: their last four are told."""

PENDING_MAX = 1000
"""Most changes by hand that a list catches up with; what is more, `gatepost db upgrade` does."""

SETTING = "terms_seq"
"""The setting with the seq up to which changes by hand are in the terms; none = no terms were written yet."""

DUE = "terms_due"
"""The setting that a migration leaves where keys have terms that are not written yet; `gatepost db upgrade` writes
them, and takes it away. None = none is due."""

MEMBER_BYTES = 24
"""Bytes of the hash of a member: whoever chooses metadata must not find two that lists take for one."""

_WORD = re.compile(r"[^\W_]+")
_START = re.compile(
    rf"[a-z][a-z0-9_]*?_(?:([0-9A-Za-z]{{{HINT_MIN + 1},{ID_CHARS}}})|([0-9A-Za-z]{{{ID_CHARS}}})_[0-9A-Za-z]*)\Z"
)
"""A secret from its start on, further than its hint tells: its prefix, and what there is of its id."""

_LAST = "\U0010ffff"


def words(text: str) -> list[str]:
    """The words of a text, in order, as they are compared: without case and compatibility forms, the first 32
    characters of each."""
    return [word[:WORD_MAX] for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())]


Range = tuple[str, str]
"""The first and the last of some terms."""


def permission_term(name: str) -> str:
    """The term of a permission; no word begins with that mark. An empty name: of a key without any."""
    return f"={name}"


def role_term(name: str) -> str:
    """The term of a role; no word begins with that mark."""
    return f"@{name}"


def member_term(text: str) -> str:
    """The term of a member of metadata, by its text (`member_text`): a hash, since values may be long. No word begins
    with that mark."""
    return "{" + urlsafe_b64encode(blake2b(text.encode(), digest_size=MEMBER_BYTES).digest()).decode()


def word_range(word: str) -> Range:
    """The terms that begin with `word`."""
    return word, word + _LAST


def hint_terms(hint: str) -> list[str]:
    """The terms of what people may see of a secret, in its own case: the whole, and its last four characters."""
    return [f"~{hint}", f"${hint[-HINT_MIN:]}"] if hint else []


def hint_ranges(text: str) -> list[Range]:
    """The terms of the secrets that `text` may tell: as lists show them, their start, or their last four characters.
    What of a start goes beyond what people may see of it is the beginning of the key's id."""
    text = text.replace("…", "...")
    if len(text) < HINT_MIN:
        return []
    found = [word_range(f"~{text}")]
    tail = text.lstrip(".")
    if len(tail) == HINT_MIN:
        found.append((f"${tail}", f"${tail}"))
    longer = _START.match(text)
    if longer is not None:
        found.append(word_range((longer[1] or longer[2]).casefold()))
    return found


def term_rows(
    key_id: str,
    project: str | None,
    description: str,
    permissions: Iterable[str],
    hints: Iterable[str],
    *,
    roles: Iterable[str] = (),
    metadata: Mapping[str, Any] = MappingProxyType({}),
) -> list[dict[str, str]]:
    """The rows of one key. `hints`: of its secrets."""
    found = {*words(description), key_id.casefold(), *(term for hint in hints for term in hint_terms(hint))}
    found |= {permission_term(name)[:TERM_MAX] for name in (*permissions,) or ("",)}
    found |= set(map(role_term, roles))
    found |= {member_term(each) for member in metadata.items() if (each := member_text(*member)) is not None}
    return [{"term": term, "project": project or "", "key_id": key_id} for term in sorted(found)]


async def pending(connection: AsyncConnection) -> int | None:
    """How many changes by hand the terms are behind; `None` = too many to be caught up with by a list, or terms were
    not written yet. One round trip, three index probes."""
    written, due = (
        select(settings.c.value).where(settings.c.name == name).scalar_subquery() for name in (SETTING, DUE)
    )
    newest = select(func.max(events.c.seq)).where(text(BY_HAND)).scalar_subquery()
    row = (await connection.execute(select(written.label("written"), newest.label("newest"), due.label("due")))).one()
    if row.written is None or row.due is not None:
        return None
    seq = int(row.written, 16)
    if row.newest is None or row.newest <= seq:
        return 0
    behind = select(events.c.key_id).where(text(BY_HAND), events.c.seq > seq).limit(PENDING_MAX + 1).subquery()
    count = (await connection.execute(select(func.count()).select_from(behind))).scalar_one()
    return count if count <= PENDING_MAX else None


async def catch_up(connection: AsyncConnection, *, anew: bool = False) -> None:
    """Write the terms of keys that were changed by hand, or that a migration has left to be written, or of all keys
    where none were written yet or `anew`, while no change can be under way. To be committed by the caller."""
    await connection.execute(update(counter).values(seq=counter.c.seq))
    written = await connection.scalar(select(settings.c.value).where(settings.c.name == SETTING))
    position = f"{await connection.scalar(select(counter.c.seq)):016x}"
    if written is None:
        await connection.execute(insert(settings).values(name=SETTING, value=position))
    is_due = await connection.scalar(select(settings.c.name).where(settings.c.name == DUE)) is not None
    if is_due:  # only `gatepost db upgrade` comes here then, and has the right to
        await connection.execute(delete(settings).where(settings.c.name == DUE))
    if written is None or anew:
        await _write_all(connection)
        await unused.add_missing(connection, None)
    else:
        by_hand = select(events.c.key_id).where(text(BY_HAND), events.c.seq > int(written, 16)).distinct()
        ids = [key_id for key_id in await connection.scalars(by_hand) if key_id is not None]
        if is_due:
            ids = [*{*ids, *await connection.scalars(select(keys.c.id).where(keys.c.metadata.is_not(None)))}]
        for batch in batches(ids):
            found = (await connection.execute(_KEYS.where(one_of(keys.c.id, batch, connection.dialect.name)))).all()
            await replace(connection, batch, await _rows_of(connection, found))
        await unused.add_missing(connection, ids)
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


_KEYS = select(keys.c.id, keys.c.project, keys.c.description, keys.c.permissions, keys.c.roles, keys.c.metadata)


async def _write_all(connection: AsyncConnection) -> None:
    await connection.execute(delete(terms))
    last = ""
    while True:
        page = _KEYS.where(keys.c.id > last).order_by(keys.c.id).limit(BATCH)
        found = (await connection.execute(page)).all()
        await add(connection, await _rows_of(connection, found))
        if len(found) < BATCH:
            return
        last = found[-1].id


async def hints_of(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """What people may see of the secrets of these keys, by id."""
    hints: dict[str, list[str]] = defaultdict(list)
    for batch in batches(ids):
        of_batch = one_of(secrets.c.key_id, batch, connection.dialect.name)
        for key_id, hint in await connection.execute(select(secrets.c.key_id, secrets.c.hint).where(of_batch)):
            hints[key_id].append(hint)
    return hints


async def _rows_of(connection: AsyncConnection, found: Sequence[Any]) -> list[dict[str, str]]:
    hints = await hints_of(connection, [row.id for row in found])
    return [
        each
        for row in found
        for each in term_rows(
            row.id,
            row.project,
            row.description,
            row.permissions.split(),
            hints.get(row.id, ()),
            roles=(row.roles or "").split(),
            metadata=metadata_of(row.metadata),
        )
    ]
