"""The order of a list of keys, and a place in it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    collate,
    or_,
)

from gatepost.base import DESCRIPTION_MAX, YEAR_MIN, BadInputError, is_id, is_line
from gatepost.database.schema import NEVER

ORDERS: Mapping[str, type] = {
    "created": int,
    "updated": datetime,
    "description": str,
    "expires": datetime,
    "last_used": datetime,
}
"""What lists can be ordered by, and what a place in such a list is told by."""

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
