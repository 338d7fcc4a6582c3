"""One page of keys, in milliseconds however many keys there are, and how many there are (docs/decisions/0007).

Each order has an index that begins with `active`, so a page is the start of a range of it; without that filter, of two.
What is filtered by terms or by expiry is found in one of two ways: where few keys have all of it, these are read and
put in order; where many have, keys are walked in order until enough of them do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    false,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import APIKey
from gatepost.database.lists.conditions import Ends, HasTerm, has_term, ordered_expiry
from gatepost.database.lists.filter import Condition, Filter, listed, read_first
from gatepost.database.lists.idle import OfIndex, ordered_use, walked
from gatepost.database.lists.order import Place, Sort
from gatepost.database.schema import (
    NEVER,
    as_key,
    keys,
    secrets,
    told_columns,
)

FEW = 2000
"""Most keys that are read one by one."""

SOME = 4000
"""Most keys of a term that are asked, one by one, for the other terms."""

SCANNED = 1000
"""Keys that are looked at per round trip where there are no terms to ask."""

_COLUMNS = {"created": "created_seq", "updated": "updated_at", "description": "description"}
"""The columns that orders have; the others are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of one list. `place`: where to go on; `None` = from the start. `backwards`: towards the start, up to
    that place."""

    filter: Filter
    sort: Sort
    place: Place | None
    limit: int
    backwards: bool = False

    @property
    def needs_terms(self) -> bool:
        """Whether what is derived from the keys is asked: then changes by hand must be caught up with first."""
        return self.filter.by_terms or self.sort.by == "last_used" or bool(self.filter.idle)

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
        ranges = self._ranges()
        if not conditions and not ranges:
            return None
        most = SOME if conditions and len(conditions) + len(ranges) > 1 else FEW  # more are asked only if one is left
        rarest, count = await self.filter.rarest(connection, [*conditions, *ranges], most + 1)
        others_told = [each for each in conditions if each != rarest]
        if count > (SOME if others_told else FEW):
            return None
        some = self.filter.candidates(rarest, SOME + 1).subquery()  # with room for those that come meanwhile
        others = [has_term(each, some.c.key_id) for each in others_told]
        found = select(some.c.key_id).where(*others).distinct()
        if not others:  # read in the next statement, which may find some more than were counted
            return found.subquery()
        ids = set(await connection.scalars(found.limit(FEW + 1)))
        return listed(ids, connection.dialect.name) if len(ids) <= FEW else None

    def _ranges(self) -> Sequence[Condition]:
        """What is asked of the keys beside their terms, and found by another index than the list is walked by."""
        ends: Sequence[Condition] = () if self.sort.by == "expires" else self.filter.ends
        ends = [*ends, *self.filter.named]
        if self.sort.by != "last_used":
            return [*ends, *self.filter.idle]
        if self.filter.project is None and self.filter.active is None:
            return ends
        return [*ends, OfIndex()]

    @property
    def _way(self) -> Sort:
        """The order in which the list is walked."""
        return self.sort.turned if self.backwards else self.sort

    def statement(self, dialect: str, conditions: Sequence[HasTerm], few: FromClause | None) -> Select[Any]:
        """What reads the page, and one row more where there are more. `few`: the only keys that fit the conditions;
        `None` = not known."""
        if few is None and self.sort.by == "last_used":
            few = self._by_use(conditions)
        if few is not None:
            rows = read_first(few, dialect, SOME + 1)
            parts = [self._part(rows, dialect, (), self.filter.active)]
        else:
            walk = self._by_expiry if self.sort.by == "expires" else self._in_order
            parts = [part for state in self.filter.states for part in walk(dialect, conditions, state)]
        page = union_all(*[select(part.subquery()) for part in parts]).subquery()
        hint = select(secrets.c.hint).where(secrets.c.key_id == page.c.id, secrets.c.expires_at.is_(None)).limit(1)
        return (  # a subquery: a planner without statistics would join all secrets
            select(page, hint.scalar_subquery().label("hint"), *told_columns(page.c.id))
            .order_by(*self._way.columns(page, "place", dialect))
            .limit(self.limit + 1)
        )

    def _part(self, of: FromClause, dialect: str, conditions: Sequence[HasTerm], active: bool | None) -> Select[Any]:
        """The first keys of a page that are in this state."""
        name = _COLUMNS.get(self.sort.by, "place")
        rows = select(of, self._placed(of).label("place"))
        if active is not None:
            rows = rows.where(of.c.active == (true() if active else false()))
        fits = [has_term(each, of.c.id) for each in conditions]
        rows = rows.where(*self.filter.fits(of), *fits)
        if name == "place":  # by what only the rows have
            of = rows.subquery()
            rows = select(of)
        if self.place is not None:
            rows = rows.where(self.place.precedes(of, name, self._way, dialect))
        return rows.order_by(*self._way.columns(of, name, dialect)).limit(self.limit + 1)

    def _placed(self, of: FromClause) -> ColumnElement[Any]:
        """What the rows are ordered by."""
        if self.sort.by == "last_used":
            return ordered_use(of.c.id)
        return ordered_expiry(of) if self.sort.by == "expires" else of.c[_COLUMNS[self.sort.by]]

    def _by_use(self, conditions: Sequence[HasTerm]) -> FromClause:
        """The ids of the first keys of a page in the order of their last use."""
        active = self.filter.active
        state = true() if active is None else keys.c.active == (true() if active else false())
        others = replace(self.filter, idle=()).fits(keys)
        old = [each.is_old(keys) for each in self.filter.idle]
        fits = [state, *others, *old, *(has_term(each, keys.c.id) for each in conditions)]
        return walked(fits, self.filter.idle, self._way, self.place, self.limit + 1)

    def _in_order(self, dialect: str, conditions: Sequence[HasTerm], active: bool) -> Sequence[Select[Any]]:
        """The first keys of a page that are in this state, by the index of the order."""
        return [self._part(keys, dialect, conditions, active)]

    def _by_expiry(self, dialect: str, conditions: Sequence[HasTerm], active: bool) -> Sequence[Select[Any]]:
        """The same in the order of expiries: those that have one, and those that never end, by two ranges of the index,
        since databases differ in where nulls stand."""
        way, place = self._way, self.place
        among_never = place is not None and place.value >= NEVER
        named = [each.fits(keys) for each in self.filter.named]
        of_kind = self.filter.of_kind(keys.c.kind)
        fits = [
            self.filter.of_project(keys.c.project),
            of_kind,
            *named,
            *(has_term(each, keys.c.id) for each in conditions),
        ]
        rows = select(keys, ordered_expiry(keys).label("place")).where(
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
