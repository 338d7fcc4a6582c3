"""One page of keys, in milliseconds however many keys there are (docs/decisions/0007).

Each order has an index that begins with `active`, so a page is the start of a range of it; without that filter, of two.
What is filtered by terms is found in one of two ways: where few keys have all of them, these are read and put in order;
where many have, keys are walked in order until enough of them do.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    collate,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.database.batches import elements
from gatepost.database.rows import as_key
from gatepost.database.tables import keys, secrets, terms
from gatepost.database.terms import permission_term, word_range, words
from gatepost.errors import BadInputError
from gatepost.inputs import YEAR_MAX, YEAR_MIN, is_id
from gatepost.models import DESCRIPTION_MAX, APIKey

ORDERS: Mapping[str, type] = {"created": int, "updated": datetime, "description": str}
"""What lists can be ordered by, and what a place in such a list is told by."""

FEW = 2000
"""Most keys that are read one by one."""

SOME = 4000
"""Most keys of a term that are asked, one by one, for the other terms."""

SCANNED = 1000
"""Keys that are looked at per round trip where there are no terms to ask."""

ASKED = 4
"""Most terms that are asked how many keys they have."""

_COLUMNS = {"created": "created_seq", "updated": "updated_at", "description": "description"}
_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list. `by`: one of `ORDERS`. The id decides among equals."""

    by: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> "Sort":
        """The order that `text` names, with `-` in front for descending. Raises `BadInputError`."""
        by = text.removeprefix("-") if isinstance(text, str) else ""
        if by not in ORDERS:
            raise BadInputError(
                f"sort must be {', '.join(ORDERS)}, or one of them with '-' in front, not {text!r:.50}", "sort"
            )
        return cls(by, text.startswith("-"))

    def column(self, of: FromClause, name: str, dialect: str) -> ColumnElement[Any]:
        """The column called `name` as it is ordered: texts without case, where that is not the database's way."""
        column = of.c[name]
        return collate(column, "NOCASE") if self.by == "description" and dialect == "sqlite" else column

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.by}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: after the key `key_id`, which has `value` in the column of the order."""

    value: Any
    key_id: str

    def token(self, sort: Sort) -> str:
        """The place as text."""
        content = orjson.dumps([str(sort), self.value, self.key_id])
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str, sort: Sort) -> "Place":
        """The place that `token` wrote. Raises `BadInputError` for any other text, or a place in another order."""
        try:
            of, value, key_id = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
            value = datetime.fromisoformat(value) if sort.by == "updated" else value
        except (ValueError, TypeError):
            of, value, key_id = None, None, None
        if of != str(sort) or not _is_place(sort, value, key_id):
            raise BadInputError(f"after={text!r:.50} is not the `next` of an earlier page in the order {sort}", "after")
        return cls(value, key_id)

    def precedes(self, of: FromClause, sort: Sort, dialect: str) -> ColumnElement[bool]:
        """What is true of the keys that come after this place."""
        column, key_id = sort.column(of, _COLUMNS[sort.by], dialect), of.c.id
        if sort.descending:
            return and_(column <= self.value, or_(column < self.value, key_id < self.key_id))
        return and_(column >= self.value, or_(column > self.value, key_id > self.key_id))


def _is_place(sort: Sort, value: Any, key_id: Any) -> bool:
    """Whether a value and an id can be of a key: databases refuse other ones with an error of their own."""
    if type(value) is not ORDERS[sort.by] or not isinstance(key_id, str) or not is_id(key_id):
        return False
    if isinstance(value, int):
        return 0 <= value <= _BIGINT_MAX
    if isinstance(value, datetime):
        return value.utcoffset() is not None and YEAR_MIN < value.year < YEAR_MAX
    return str(value).isprintable() and len(str(value)) <= DESCRIPTION_MAX


@dataclass(frozen=True, slots=True)
class HasPermission:
    """Of a key: it has the permission `start`."""

    start: str

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        return of.c.term == permission_term(self.start)

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        return self.start in row.permissions.split()


@dataclass(frozen=True, slots=True)
class HasWord:
    """Of a key: a word of its description, or its id, begins with `start`."""

    start: str

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        first, last = word_range(self.start)
        return and_(of.c.term >= first, of.c.term <= last)

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        return any(word.startswith(self.start) for word in (*words(row.description), row.id.casefold()))


Condition = HasPermission | HasWord


def _has_term(condition: Condition, key_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a key has a term. A subquery that no planner turns into a join over all keys with that term."""
    own = terms.alias()
    matching: Select[Any] = select(literal_column("1")).where(own.c.key_id == key_id, condition.in_terms(own))
    for dialect in ("mysql", "mariadb"):  # where many keys have it, MariaDB would go through them all, for each key
        matching = matching.with_hint(own, "FORCE INDEX (ix_gatepost_terms_key_id_term)", dialect)
    return matching.limit(1).scalar_subquery().is_not(None)


def _listed(ids: set[str], dialect: str) -> FromClause:
    """A table of these ids, its column `key_id`. They are one parameter: a statement of its own for each number of them
    costs more than all the rest."""
    if dialect == "postgresql":
        given = elements(bindparam("ids", list(ids), ARRAY(keys.c.id.type)))
        return select(given.c.element.label("key_id")).subquery()
    text_of_ids = orjson.dumps(list(ids)).decode()
    if dialect == "sqlite":
        each = func.json_each(text_of_ids).table_valued("value")
        return select(each.c.value.label("key_id")).subquery()
    table = text("SELECT key_id FROM JSON_TABLE(:ids, '$[*]' COLUMNS (key_id VARCHAR(12) PATH '$')) AS listed")
    return table.bindparams(ids=text_of_ids).columns(keys.c.id.label("key_id")).subquery()


def _read_first(few: FromClause, dialect: str) -> FromClause:
    """The rows of the keys whose `key_id` a table has, up to `SOME`, read by their ids before anything else is done,
    whatever a planner would prefer: it may know nothing of how many there are."""
    if dialect == "postgresql":
        one = select(keys).where(keys.c.id == few.c.key_id).limit(1).lateral()
        return select(one).select_from(few.join(one, true())).subquery()
    if dialect == "sqlite":
        return select(keys).where(keys.c.id.in_(select(few.c.key_id))).limit(SOME + 1).subquery()
    read = select(keys).select_from(few.join(keys, keys.c.id == few.c.key_id))
    return read.prefix_with("STRAIGHT_JOIN").limit(SOME + 1).subquery()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of one list: keys that fit all that is not `None`. `place`: where to go on after."""

    project: str | None
    active: bool | None
    permission: str | None
    search: str | None
    sort: Sort
    place: Place | None
    limit: int

    @property
    def by_terms(self) -> bool:
        """Whether terms make it fast."""
        return self.permission is not None or self.search is not None

    async def read(self, connection: AsyncConnection, *, with_terms: bool) -> tuple[list[APIKey], str | None]:
        """The keys, and the place to go on after (`None` at the end). `with_terms`: whether terms may be asked; without
        them every key may have to be looked at. One round trip, two or three with terms."""
        conditions: list[Condition] = []
        if self.permission is not None:
            conditions.append(HasPermission(self.permission))
        if self.search is not None:
            starts = words(self.search)
            if not starts:
                return [], None
            conditions.extend(map(HasWord, dict.fromkeys(starts)))
        if conditions and not with_terms:
            rows = await self._scanned(connection, conditions)
        else:
            few = await self._few(connection, conditions) if conditions else None
            statement = self._statement(connection.dialect.name, conditions, few)
            rows = (await connection.execute(statement)).all()
        last = rows[self.limit - 1] if len(rows) > self.limit else None
        after = None if last is None else Place(last.place, last.id).token(self.sort)
        return [as_key(row) for row in rows[: self.limit] if row.hint is not None], after

    async def _scanned(self, connection: AsyncConnection, conditions: Sequence[Condition]) -> Sequence[Any]:
        """The rows of the page, found by looking at each key in order, without the terms."""
        found: list[Any] = []
        scan = replace(self, limit=SCANNED)
        while True:
            rows = (await connection.execute(scan._statement(connection.dialect.name, (), None))).all()  # noqa: SLF001 - of this class
            found += [row for row in rows[:SCANNED] if all(each.fits(row) for each in conditions)]
            if len(found) > self.limit or len(rows) <= SCANNED:
                return found[: self.limit + 1]
            last = rows[SCANNED - 1]
            scan = replace(scan, place=Place(last.place, last.id))

    async def _few(self, connection: AsyncConnection, conditions: Sequence[Condition]) -> FromClause | None:
        """The only keys that fit all conditions, where they are few and soon found by the rarest of the terms. Of
        many words only the longest are counted."""
        asked = sorted(conditions, key=lambda condition: len(condition.start), reverse=True)[:ASKED]
        counts = [select(func.count()).select_from(self._matching(each).subquery()).scalar_subquery() for each in asked]
        counted = (await connection.execute(select(*counts))).one()
        count, rarest = min(zip(counted, asked, strict=True), key=lambda each: each[0])
        if count > (FEW if len(conditions) == 1 else SOME):
            return None
        some = self._matching(rarest).subquery()
        others = [_has_term(each, some.c.key_id) for each in conditions if each != rarest]
        found = select(some.c.key_id).where(*others).distinct()
        if not others:  # read in the next statement, which may find some more than were counted
            return found.subquery()
        ids = set(await connection.scalars(found.limit(FEW + 1)))
        return _listed(ids, connection.dialect.name) if len(ids) <= FEW else None

    def _matching(self, condition: Condition) -> Select[Any]:
        """The ids of keys with a term: up to one more than some."""
        of_project = true() if self.project is None else terms.c.project == self.project
        return select(terms.c.key_id).where(condition.in_terms(terms), of_project).limit(SOME + 1)

    def _statement(self, dialect: str, conditions: Sequence[Condition], few: FromClause | None) -> Select[Any]:
        if few is None:
            states = [self.active] if self.active is not None else [False, True]
            parts = [self._part(keys, dialect, conditions, state) for state in states]
        else:
            parts = [self._part(_read_first(few, dialect), dialect, (), self.active)]
        page = union_all(*[select(part.subquery()) for part in parts]).subquery()
        hint = select(secrets.c.hint).where(secrets.c.key_id == page.c.id, secrets.c.expires_at.is_(None)).limit(1)
        return (  # a subquery: a planner without statistics would join all secrets
            select(page, hint.scalar_subquery().label("hint"))
            .order_by(*self._order(page, "place", dialect))
            .limit(self.limit + 1)
        )

    def _part(
        self,
        of: FromClause,
        dialect: str,
        conditions: Sequence[Condition],
        active: bool | None,
    ) -> Select[Any]:
        """The first keys of a page that are in this state."""
        name = _COLUMNS[self.sort.by]
        statement = select(of, of.c[name].label("place"))
        if active is not None:
            statement = statement.where(of.c.active == (true() if active else false()))
        if self.project is not None:
            statement = statement.where(of.c.project == self.project)
        if self.place is not None:
            statement = statement.where(self.place.precedes(of, self.sort, dialect))
        fits = [_has_term(each, of.c.id) for each in conditions]
        return statement.where(*fits).order_by(*self._order(of, name, dialect)).limit(self.limit + 1)

    def _order(self, of: FromClause, name: str, dialect: str) -> Sequence[ColumnElement[Any]]:
        columns = [self.sort.column(of, name, dialect), of.c.id]
        return [column.desc() for column in columns] if self.sort.descending else columns
