"""What can be asked of when a key was used last, and the keys in that order, by the index of the table of last uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from gatepost.database.schema import keys, last_use, last_used, moment_in, unused_moment

if TYPE_CHECKING:
    from gatepost.database.lists.order import Place, Sort


def ordered_use(key_id: ColumnElement[str]) -> ColumnElement[Any]:
    """When a key was used last, put so that it has an order: never comes before every moment."""
    return func.coalesce(last_use(key_id), unused_moment())


@dataclass(frozen=True, slots=True)
class Idle:
    """Of a key: nobody has used it for so many seconds, by the database's clock, and it is at least as old; `None` =
    nobody has ever."""

    seconds: float | None = None

    def in_index(self) -> ColumnElement[bool]:
        """The range of the table of last uses in which the keys are."""
        return last_used.c.last_at <= (unused_moment() if self.seconds is None else moment_in(-self.seconds))

    def fits(self, of: FromClause) -> ColumnElement[bool]:
        """What is true of a key."""
        used = ordered_use(of.c.id)
        return and_(used <= (unused_moment() if self.seconds is None else moment_in(-self.seconds)), self.is_old(of))

    def is_old(self, of: FromClause) -> ColumnElement[bool]:
        """Whether a key is as old: one that was just made has not been idle for long."""
        return true() if self.seconds is None else of.c.created_at <= moment_in(-self.seconds)


@dataclass(frozen=True, slots=True)
class OfIndex:
    """Of a key: it is in the range of an index that project and state make, and nothing more is asked."""

    def each_in_index(self) -> Sequence[ColumnElement[bool]]:
        """The whole range."""
        return [true()]


def candidates(idle: Idle, most: int) -> Select[Any] | CompoundSelect[Any]:
    """The ids of keys that have been idle for so long, up to `most`, of whatever project and state."""
    return select(last_used.c.key_id).where(idle.in_index()).limit(most)


def walked(
    fits: Sequence[ColumnElement[bool]], idle: Sequence[Idle], sort: "Sort", place: "Place | None", most: int
) -> FromClause:
    """The ids of the first keys in the order of their last use, after a place; its column is `key_id`. `fits`: what is
    true of the row of a key. A subquery for each key that is walked by: no planner may begin with the keys."""
    row: ColumnElement[int] = literal_column("1")
    has_row = select(row).where(keys.c.id == last_used.c.key_id, *fits).limit(1).scalar_subquery().is_not(None)
    ids = select(last_used.c.key_id).where(has_row, *(each.in_index() for each in idle))
    at, key_id = last_used.c.last_at, last_used.c.key_id
    if place is not None:
        value = literal(place.value, at.type)
        if sort.descending:
            ids = ids.where(at <= value, or_(at < value, key_id < place.key_id))
        else:
            ids = ids.where(at >= value, or_(at > value, key_id > place.key_id))
    order = [at.desc(), key_id.desc()] if sort.descending else [at, key_id]
    return ids.order_by(*order).limit(most).subquery()
