"""What can be asked of a key in a list, as ranges of indexes and of one row: its permissions, its words, its expiry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from gatepost.base import State, member_text, metadata_of
from gatepost.database.schema import (
    Range,
    hint_ranges,
    hint_terms,
    keys,
    member_term,
    moment_in,
    never_moment,
    permission_term,
    role_term,
    terms,
    word_range,
    words,
)


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
class HasRole:
    """Of a key: it holds the role of that name."""

    start: str

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        return of.c.term == role_term(self.start)

    def each_in_terms(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """The ranges of terms that it is true of, one by one."""
        return [self.in_terms(of)]

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        return self.start in (row.roles or "").split()


@dataclass(frozen=True, slots=True)
class HasMember:
    """Of a key: its metadata has the member `name`, of just this text (`member_text`)."""

    name: str
    start: str

    @classmethod
    def each_of(cls, texts: Mapping[str, str]) -> "Sequence[HasMember]":
        """Of members: their texts by their names."""
        return [cls(name, text) for name, text in texts.items()]

    def in_terms(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of its term."""
        return of.c.term == member_term(self.start)

    def each_in_terms(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """The ranges of terms that it is true of, one by one."""
        return [self.in_terms(of)]

    def fits(self, row: Any) -> bool:
        """Whether it is true of a row."""
        metadata = metadata_of(row.metadata)
        return self.name in metadata and member_text(self.name, metadata[self.name]) == self.start


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


HasTerm = HasPermission | HasRole | HasMember | HasWord


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
        expiry = ordered_expiry(of)
        if not self.within(expiry):
            return expiry >= never_moment() if self.never else expiry < never_moment()
        return and_(*self.within(expiry), *([] if self.never else [expiry < never_moment()]))


@dataclass(frozen=True, slots=True)
class Named:
    """Of a key: it has just this `value` in the column `column`, which begins an index: `owner`, `environment` or
    `kind`."""

    column: str
    value: str

    def each_in_index(self) -> Sequence[ColumnElement[bool]]:
        """The range of that index."""
        return [self.fits(keys)]

    def fits(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of a key."""
        return of.c[self.column] == self.value


def _moment(moment: datetime | float) -> ColumnElement[Any]:
    return literal(moment, keys.c.expires_at.type) if isinstance(moment, datetime) else moment_in(moment)


def ordered_expiry(of: FromClause) -> ColumnElement[Any]:
    return func.coalesce(of.c.expires_at, never_moment())


def has_term(condition: HasTerm, key_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a key has a term. A subquery that no planner turns into a join over all keys with that term."""
    own = terms.alias()
    matching: Select[Any] = select(literal_column("1")).where(own.c.key_id == key_id, condition.in_terms(own))
    for dialect in ("mysql", "mariadb"):  # where many keys have it, MariaDB would go through them all, for each key
        matching = matching.with_hint(own, "FORCE INDEX (ix_gatepost_terms_key_id_term)", dialect)
    return matching.limit(1).scalar_subquery().is_not(None)


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
