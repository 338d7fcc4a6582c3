"""One page of keys, in milliseconds however many keys there are, and how many there are (docs/decisions/0007).

Each order has an index that begins with `active`, so a page is the start of a range of it; without that filter, of two.
What is filtered by terms or by expiry is found in one of two ways: where few keys have all of it, these are read and
put in order; where many have, keys are walked in order until enough of them do.
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
    CompoundSelect,
    FromClause,
    Select,
    and_,
    bindparam,
    collate,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import DESCRIPTION_MAX, YEAR_MIN, APIKey, BadInputError, State, Total, is_id, is_line
from gatepost.database.clock import NEVER, moment_in, never_moment
from gatepost.database.rows import as_key, old_secret_columns
from gatepost.database.schema import (
    Range,
    elements,
    hint_ranges,
    hint_terms,
    keys,
    permission_term,
    secrets,
    terms,
    word_range,
    words,
)

ORDERS: Mapping[str, type] = {"created": int, "updated": datetime, "description": str, "expires": datetime}
"""What lists can be ordered by, and what a place in such a list is told by."""

FEW = 2000
"""Most keys that are read one by one."""

SOME = 4000
"""Most keys of a term that are asked, one by one, for the other terms."""

SCANNED = 1000
"""Keys that are looked at per round trip where there are no terms to ask."""

ASKED = 4
"""Most terms that are asked how many keys they have."""

COUNTED = 10_000
"""Most keys that are looked at to be counted."""

_COLUMNS = {"created": "created_seq", "updated": "updated_at", "description": "description", "expires": "expires_at"}
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

    @property
    def turned(self) -> "Sort":
        """The same order from its end."""
        return Sort(self.by, not self.descending)

    def column(self, of: FromClause, name: str, dialect: str) -> ColumnElement[Any]:
        """The column called `name` as it is ordered: texts without case, where that is not the database's way."""
        column = of.c[name]
        return collate(column, "NOCASE") if self.by == "description" and dialect == "sqlite" else column

    def columns(self, of: FromClause, name: str, dialect: str) -> Sequence[ColumnElement[Any]]:
        """What rows with the order's column called `name` are to be ordered by."""
        found = [self.column(of, name, dialect), of.c.id]
        return [column.desc() for column in found] if self.descending else found

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.by}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: after the key `key_id`, which has `value` in the column of the order; or before it, where the
    list is walked from its end."""

    value: Any
    key_id: str

    def token(self, sort: Sort) -> str:
        """The place as text."""
        content = orjson.dumps([str(sort), self.value, self.key_id])
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str, sort: Sort, argument: str = "after") -> "Place":
        """The place that `token` wrote. Raises `BadInputError`, which names the argument, for any other text, or a
        place in another order."""
        try:
            of, value, key_id = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
            value = datetime.fromisoformat(value) if ORDERS[sort.by] is datetime else value
        except (ValueError, TypeError):
            of, value, key_id = None, None, None
        if of != str(sort) or not _is_place(sort, value, key_id):
            told = "next" if argument == "after" else "previous"
            raise BadInputError(
                f"{argument}={text!r:.50} is not the `{told}` of an earlier page in the order {sort}", argument
            )
        return cls(value, key_id)

    def precedes(self, of: FromClause, name: str, sort: Sort, dialect: str) -> ColumnElement[bool]:
        """What is true of the keys that come after this place. `name`: of the order's column."""
        column, key_id = sort.column(of, name, dialect), of.c.id
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
        return value.utcoffset() is not None and value.year > YEAR_MIN and value <= NEVER
    return is_line(str(value)) and len(str(value)) <= DESCRIPTION_MAX


@dataclass(frozen=True, slots=True)
class HasPermission:
    """Of a key: it has the permission `start`; empty = none at all."""

    start: str

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        return of.c.term == permission_term(self.start)

    def each_in_terms(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """The ranges of terms that it is true of, one by one."""
        return [self.in_terms(of)]

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        names = row.permissions.split()
        return self.start in names if self.start else not names


@dataclass(frozen=True, slots=True)
class HasWord:
    """Of a key: a word of its description, or its id, begins with `start`; or it has one of the terms `others`: what it
    was told by may be of a secret. An empty `start`: only these."""

    start: str
    others: Sequence[Range] = ()

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        return or_(*self.each_in_terms(of))

    def each_in_terms(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """The ranges of terms that it is true of, one by one."""
        ranges = [*([word_range(self.start)] if self.start else ()), *self.others]
        return [of.c.term == first if first == last else of.c.term.between(first, last) for first, last in ranges]

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        own = (*words(row.description), row.id.casefold())
        if self.start and any(word.startswith(self.start) for word in own):
            return True
        hints = [term for hint in (row.hint, row.old_hint) if hint for term in hint_terms(hint)]
        return any(first <= term <= last for first, last in self.others for term in (row.id.casefold(), *hints))


HasTerm = HasPermission | HasWord


def wanted_words(search: str) -> Sequence[HasWord]:
    """What is true of the keys that a search finds; none: it finds nothing. All words of one piece of text may be of
    the same secret, and so may the whole."""
    found: dict[HasWord, None] = {}
    whole = hint_ranges(search)
    for piece in search.split():
        others = tuple(dict.fromkeys([*hint_ranges(piece), *whole]))
        found |= dict.fromkeys(HasWord(start, others) for start in words(piece))
    return list(found) or ([HasWord("", tuple(whole))] if whole else [])


@dataclass(frozen=True, slots=True)
class Ends:
    """Of a key: it expires after one moment, and not after another: a datetime, or seconds from now by the database's
    clock; `None` = whenever. `never`: or it never expires."""

    after: datetime | float | None = None
    until: datetime | float | None = None
    never: bool = False

    def within(self, column: ColumnElement[Any]) -> Sequence[ColumnElement[bool]]:
        """What is true of the expiry."""
        bounds = []
        if self.after is not None:
            bounds.append(column > _moment(self.after))
        if self.until is not None:
            bounds.append(column <= _moment(self.until))
        return bounds

    def each_in_index(self) -> Sequence[ColumnElement[bool]]:
        """The ranges of an index that it is true of, one by one."""
        bounds = self.within(keys.c.expires_at)
        ranges = [and_(keys.c.expires_at.is_not(None), *bounds)] if bounds or not self.never else []
        return [*ranges, keys.c.expires_at.is_(None)] if self.never else ranges

    def fits(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of a key, put so that no index helps: a planner would take one that is of no use for the order
        of the list."""
        expiry = _ordered_expiry(of)
        if not self.within(expiry):
            return expiry >= never_moment() if self.never else expiry < never_moment()
        return and_(*self.within(expiry), *([] if self.never else [expiry < never_moment()]))


def _moment(moment: datetime | float) -> ColumnElement[Any]:
    return literal(moment, keys.c.expires_at.type) if isinstance(moment, datetime) else moment_in(moment)


def _ordered_expiry(of: FromClause) -> ColumnElement[Any]:
    return func.coalesce(of.c.expires_at, never_moment())


Condition = HasPermission | HasWord | Ends


def _has_term(condition: HasTerm, key_id: ColumnElement[str]) -> ColumnElement[bool]:
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


def _read_first(few: FromClause, dialect: str, most: int) -> FromClause:
    """The rows of the keys whose `key_id` a table has, up to `most`, read by their ids before anything else is done,
    whatever a planner would prefer: it may know nothing of how many there are."""
    if dialect == "postgresql":
        one = select(keys).where(keys.c.id == few.c.key_id).limit(1).lateral()
        return select(one).select_from(few.join(one, true())).subquery()
    if dialect == "sqlite":
        return select(keys).where(keys.c.id.in_(select(few.c.key_id))).limit(most).subquery()
    read = select(keys).select_from(few.join(keys, keys.c.id == few.c.key_id))
    return read.prefix_with("STRAIGHT_JOIN").limit(most).subquery()


def _together(parts: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    """All rows of the parts, each of which has its limit."""
    return parts[0] if len(parts) == 1 else union_all(*[select(part.subquery()) for part in parts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which keys: those that fit all that is said. `project`: keys of it; empty = that are of no project; `None` = of
    any. `active`: switched on or off; `None` = either. `permission`: empty = keys that have none; `None` = any. `ends`:
    when they expire."""

    project: str | None = None
    active: bool | None = None
    permission: str | None = None
    search: str | None = None
    ends: Sequence[Ends] = ()

    @property
    def by_terms(self) -> bool:
        """Whether terms make it fast."""
        return self.permission is not None or self.search is not None

    def terms(self) -> Sequence[HasTerm] | None:
        """What is true of the terms of a key that fits; `None` = no key does."""
        conditions: list[HasTerm] = []
        if self.permission is not None:
            conditions.append(HasPermission(self.permission))
        if self.search is not None:
            wanted = wanted_words(self.search)
            if not wanted:
                return None
            conditions.extend(wanted)
        return conditions

    def of_project(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """What is true of a key's project."""
        if self.project is None:
            return true()
        return column == self.project if self.project else column.is_(None)

    @property
    def states(self) -> Sequence[bool]:
        """What the keys may be: indexes begin with it."""
        return [False, True] if self.active is None else [self.active]

    async def count(self, connection: AsyncConnection, *, with_terms: bool) -> Total:
        """How many keys fit: of at most `COUNTED` that are looked at. One round trip, two with terms."""
        conditions = self.terms()
        if conditions is None:
            return Total(0, exact=True)
        if conditions and not with_terms:
            return await self._count_scanned(connection, conditions)
        dialect = connection.dialect.name
        if not conditions and len(self.ends) <= 1:
            ranges = self.ends[0].each_in_index() if self.ends else [true()]
            fitting: Any = self._in_index(ranges, COUNTED + 1)
            found, looked_at = await self._number(connection, fitting), 0
        else:
            rarest, looked_at = await self.rarest(connection, [*conditions, *self.ends], COUNTED + 1)
            some = self.candidates(rarest, COUNTED + 1).subquery()
            rows = _read_first(select(some.c.key_id).distinct().subquery(), dialect, COUNTED + 1)
            others = [_has_term(each, rows.c.id) for each in conditions if each != rarest]
            fitting = select(rows.c.id).where(*self.fits(rows), *others)
            if self.active is not None:
                fitting = fitting.where(rows.c.active == (true() if self.active else false()))
            found = await self._number(connection, fitting)
        return Total(min(found, COUNTED), exact=max(found, looked_at) <= COUNTED)

    async def _number(self, connection: AsyncConnection, rows: Any) -> int:
        return int(await connection.scalar(select(func.count()).select_from(rows.subquery())) or 0)

    async def _count_scanned(self, connection: AsyncConnection, conditions: Sequence[HasTerm]) -> Total:
        scan = Listing(filter=self, sort=Sort("created", descending=False), place=None, limit=COUNTED)
        rows = (await connection.execute(scan.statement(connection.dialect.name, (), None))).all()
        found = sum(all(each.fits(row) for each in conditions) for row in rows[:COUNTED])
        return Total(found, exact=len(rows) <= COUNTED)

    def fits(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """What is true of a key that fits, beside its state and its terms."""
        return [self.of_project(of.c.project), *(each.fits(of) for each in self.ends)]

    def _in_index(self, ranges: Sequence[ColumnElement[bool]], most: int) -> Select[Any] | CompoundSelect[Any]:
        """The ids of keys in these ranges of an index, up to `most` of each."""
        column = select(keys.c.id.label("key_id"))
        return _together(
            [
                column.where(
                    keys.c.active == (true() if state else false()), self.of_project(keys.c.project), each
                ).limit(most)
                for state in self.states
                for each in ranges
            ]
        )

    def candidates(self, condition: Condition, most: int) -> Select[Any] | CompoundSelect[Any]:
        """The ids of keys that a condition is true of, up to `most` of each of its ranges."""
        if isinstance(condition, Ends):
            return self._in_index(condition.each_in_index(), most)
        of_project = true() if self.project is None else terms.c.project == self.project
        column = select(terms.c.key_id).where(of_project)
        return _together([column.where(each).limit(most) for each in condition.each_in_terms(terms)])

    async def rarest(
        self, connection: AsyncConnection, conditions: Sequence[Condition], most: int
    ) -> tuple[Condition, int]:
        """The condition that the fewest keys fit, and how many, up to `most`. Of many words only the longest are asked
        for. One round trip."""
        told = [each for each in conditions if not isinstance(each, Ends)]
        asked: list[Condition] = [each for each in conditions if isinstance(each, Ends)]
        asked += sorted(told, key=lambda condition: len(condition.start), reverse=True)[:ASKED]
        counts = [
            select(func.count()).select_from(self.candidates(each, most).subquery()).scalar_subquery() for each in asked
        ]
        counted = (await connection.execute(select(*counts))).one()
        count, rarest = min(zip(counted, asked, strict=True), key=lambda each: each[0])
        return rarest, count


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of one list. `place`: where to go on; `None` = from the start. `backwards`: towards the start, up to
    that place."""

    filter: Filter
    sort: Sort
    place: Place | None
    limit: int
    backwards: bool = False

    async def read(
        self, connection: AsyncConnection, *, with_terms: bool
    ) -> tuple[list[APIKey], str | None, str | None]:
        """The keys, and the places to go on after, and to go back before (`None` at an end). `with_terms`: whether
        terms may be asked; without them every key may have to be looked at. One round trip, two or three where terms or
        expiries are asked for."""
        conditions = self.filter.terms()
        if conditions is None:
            return [], None, None
        if conditions and not with_terms:
            rows = await self._scanned(connection, conditions)
        else:
            few = await self._few(connection, conditions)
            rows = (await connection.execute(self.statement(connection.dialect.name, conditions, few))).all()
        is_more, rows = len(rows) > self.limit, rows[: self.limit]
        came_from = self.place is not None and bool(rows)
        if self.backwards:
            rows = rows[::-1]
        has_next, has_previous = (came_from, is_more) if self.backwards else (is_more, came_from)
        after = Place(rows[-1].place, rows[-1].id).token(self.sort) if has_next else None
        before = Place(rows[0].place, rows[0].id).token(self.sort) if has_previous else None
        return [as_key(row) for row in rows if row.hint is not None], after, before

    async def _scanned(self, connection: AsyncConnection, conditions: Sequence[HasTerm]) -> Sequence[Any]:
        """The rows of the page, found by looking at each key in order, without the terms."""
        found: list[Any] = []
        scan = replace(self, limit=SCANNED)
        while True:
            rows = (await connection.execute(scan.statement(connection.dialect.name, (), None))).all()
            found += [row for row in rows[:SCANNED] if all(each.fits(row) for each in conditions)]
            if len(found) > self.limit or len(rows) <= SCANNED:
                return found[: self.limit + 1]
            last = rows[SCANNED - 1]
            scan = replace(scan, place=Place(last.place, last.id))

    async def _few(self, connection: AsyncConnection, conditions: Sequence[HasTerm]) -> FromClause | None:
        """The only keys that fit all conditions, where they are few and soon found by the rarest of them. None where
        the list is in the order of the only one."""
        ends = () if self.sort.by == "expires" else self.filter.ends
        if not conditions and not ends:
            return None
        most = SOME if conditions and len(conditions) + len(ends) > 1 else FEW  # more are asked only where one is left
        rarest, count = await self.filter.rarest(connection, [*conditions, *ends], most + 1)
        others_told = [each for each in conditions if each != rarest]
        if count > (SOME if others_told else FEW):
            return None
        some = self.filter.candidates(rarest, SOME + 1).subquery()  # with room for those that come meanwhile
        others = [_has_term(each, some.c.key_id) for each in others_told]
        found = select(some.c.key_id).where(*others).distinct()
        if not others:  # read in the next statement, which may find some more than were counted
            return found.subquery()
        ids = set(await connection.scalars(found.limit(FEW + 1)))
        return _listed(ids, connection.dialect.name) if len(ids) <= FEW else None

    @property
    def _way(self) -> Sort:
        """The order in which the list is walked."""
        return self.sort.turned if self.backwards else self.sort

    def statement(self, dialect: str, conditions: Sequence[HasTerm], few: FromClause | None) -> Select[Any]:
        """What reads the page, and one row more where there are more. `few`: the only keys that fit the conditions;
        `None` = not known."""
        if few is not None:
            rows = _read_first(few, dialect, SOME + 1)
            parts = [self._part(rows, dialect, (), self.filter.active)]
        else:
            walk = self._by_expiry if self.sort.by == "expires" else self._in_order
            parts = [part for state in self.filter.states for part in walk(dialect, conditions, state)]
        page = union_all(*[select(part.subquery()) for part in parts]).subquery()
        hint = select(secrets.c.hint).where(secrets.c.key_id == page.c.id, secrets.c.expires_at.is_(None)).limit(1)
        return (  # a subquery: a planner without statistics would join all secrets
            select(page, hint.scalar_subquery().label("hint"), *old_secret_columns(page.c.id))
            .order_by(*self._way.columns(page, "place", dialect))
            .limit(self.limit + 1)
        )

    def _part(self, of: FromClause, dialect: str, conditions: Sequence[HasTerm], active: bool | None) -> Select[Any]:
        """The first keys of a page that are in this state."""
        name = _COLUMNS[self.sort.by]
        place = _ordered_expiry(of) if self.sort.by == "expires" else of.c[name]
        rows = select(of, place.label("place"))
        if active is not None:
            rows = rows.where(of.c.active == (true() if active else false()))
        fits = [_has_term(each, of.c.id) for each in conditions]
        rows = rows.where(*self.filter.fits(of), *fits)
        if self.sort.by == "expires":  # by what only the rows have
            of, name = rows.subquery(), "place"
            rows = select(of)
        if self.place is not None:
            rows = rows.where(self.place.precedes(of, name, self._way, dialect))
        return rows.order_by(*self._way.columns(of, name, dialect)).limit(self.limit + 1)

    def _in_order(self, dialect: str, conditions: Sequence[HasTerm], active: bool) -> Sequence[Select[Any]]:
        """The first keys of a page that are in this state, by the index of the order."""
        return [self._part(keys, dialect, conditions, active)]

    def _by_expiry(self, dialect: str, conditions: Sequence[HasTerm], active: bool) -> Sequence[Select[Any]]:
        """The same in the order of expiries: those that have one, and those that never end, by two ranges of the index,
        since databases differ in where nulls stand."""
        way, place = self._way, self.place
        among_never = place is not None and place.value >= NEVER
        fits = [self.filter.of_project(keys.c.project), *(_has_term(each, keys.c.id) for each in conditions)]
        rows = select(keys, _ordered_expiry(keys).label("place")).where(
            keys.c.active == (true() if active else false()), *fits
        )
        bounds = [bound for each in self.filter.ends for bound in each.within(keys.c.expires_at)]
        only_never = any(each == Ends(never=True) for each in self.filter.ends)
        parts = []
        if not only_never and not (among_never and not way.descending):
            dated = rows.where(keys.c.expires_at.is_not(None), *bounds)
            if place is not None and not among_never:
                dated = dated.where(place.precedes(keys, "expires_at", way, dialect))
            parts.append(dated.order_by(*way.columns(keys, "expires_at", dialect)))
        if all(each.never for each in self.filter.ends) and not (
            place is not None and not among_never and way.descending
        ):
            never = rows.where(keys.c.expires_at.is_(None))
            if place is not None and among_never:
                never = never.where(keys.c.id < place.key_id if way.descending else keys.c.id > place.key_id)
            parts.append(never.order_by(keys.c.id.desc() if way.descending else keys.c.id))
        return [part.limit(self.limit + 1) for part in parts or [rows.where(false())]]


def projects_statement(after: str | None, project: str | None, most: int) -> Select[Any]:
    """The names of the projects that keys are of, in order, up to `most`; after the name `after`, and only `project`,
    where these are not `None`. Each is one look into an index, however many keys it has."""
    following = select(func.min(keys.c.project).label("name"), literal(1).label("n"))
    if after is not None:
        following = following.where(keys.c.project > after)
    if project is not None:
        following = following.where(keys.c.project == project)
    names = following.cte("names", recursive=True)
    larger = select(func.min(keys.c.project)).where(keys.c.project > names.c.name)
    if project is not None:
        larger = larger.where(false())
    more = select(larger.scalar_subquery(), names.c.n + 1).where(names.c.name.is_not(None), names.c.n < most)
    names = names.union_all(more)
    return select(names.c.name).where(names.c.name.is_not(None)).order_by(names.c.name)


def ends_of(state: State, expires_within: float) -> tuple[bool, Sequence[Ends]]:
    """Whether keys in a state are switched on, and when they expire. `active`: those that are expiring too."""
    match state:
        case State.DEACTIVATED:
            return False, ()
        case State.EXPIRED:
            return True, (Ends(until=0.0),)
        case State.EXPIRING:
            return True, (Ends(after=0.0, until=expires_within),)
        case _:
            return True, (Ends(after=0.0, never=True),)
