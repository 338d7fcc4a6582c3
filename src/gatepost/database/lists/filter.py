"""Which keys a list is of, and which of its conditions finds them soonest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    bindparam,
    false,
    func,
    select,
    text,
    true,
    union_all,
)

from gatepost.database.lists import idle
from gatepost.database.lists.conditions import (
    Ends,
    HasMember,
    HasPermission,
    HasRole,
    HasTerm,
    HasWord,
    Named,
    wanted_words,
)
from gatepost.database.lists.idle import Idle, OfIndex
from gatepost.database.schema import (
    elements,
    keys,
    terms,
)

Condition = HasPermission | HasRole | HasMember | HasWord | Ends | Named | Idle | OfIndex

EITHER_KIND = "*"

ASKED = 4
"""Most terms of a kind that are asked how many keys they have."""


def listed(ids: set[str], dialect: str) -> FromClause:
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


def read_first(few: FromClause, dialect: str, most: int) -> FromClause:
    """The rows of the keys whose `key_id` a table has, up to `most`, read by their ids before anything else is done,
    whatever a planner would prefer: it may know nothing of how many there are."""
    if dialect == "postgresql":
        one = select(keys).where(keys.c.id == few.c.key_id).limit(1).lateral()
        return select(one).select_from(few.join(one, true())).subquery()
    if dialect == "sqlite":
        return select(keys).where(keys.c.id.in_(select(few.c.key_id))).limit(most).subquery()
    read = select(keys).select_from(few.join(keys, keys.c.id == few.c.key_id))
    return read.prefix_with("STRAIGHT_JOIN").limit(most).subquery()


def together(parts: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    """All rows of the parts, each of which has its limit."""
    return parts[0] if len(parts) == 1 else union_all(*[select(part.subquery()) for part in parts])


class Reads(Protocol):
    """What a statement can be asked of."""

    async def execute(self, statement: Any, /) -> Any:
        """Its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which keys: those that fit all that is said. `project`: keys of it; empty = that are of no project; `None` = of
    any. `active`: switched on or off; `None` = either. `permission`: empty = keys that have none; `None` = any. `role`:
    keys that hold it. `members`: what their metadata has. `ends`: when they expire. `named`: whose they are, and for
    which environment. `idle`: how long nobody has used them. `kind`: `template`, or `*` for whatever they are; `None` =
    plain keys."""

    project: str | None = None
    active: bool | None = None
    permission: str | None = None
    role: str | None = None
    search: str | None = None
    members: Sequence[HasMember] = ()
    ends: Sequence[Ends] = ()
    named: Sequence[Named] = ()
    idle: Sequence[Idle] = ()
    kind: str | None = None

    @property
    def by_terms(self) -> bool:
        """Whether terms make it fast."""
        return bool(self.members) or not (self.permission is self.role is self.search is None)

    def terms(self) -> Sequence[HasTerm] | None:
        """What is true of the terms of a key that fits; `None` = no key does."""
        conditions: list[HasTerm] = []
        if self.permission is not None:
            conditions.append(HasPermission(self.permission))
        if self.role is not None:
            conditions.append(HasRole(self.role))
        conditions.extend(self.members)
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

    def of_kind(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """What is true of a key's kind."""
        if self.kind == EITHER_KIND:
            return true()
        return column.is_(None) if self.kind is None else column == self.kind

    @property
    def states(self) -> Sequence[bool]:
        """What the keys may be: indexes begin with it."""
        return [False, True] if self.active is None else [self.active]

    def fits(self, of: FromClause) -> Sequence[ColumnElement[bool]]:
        """What is true of a key that fits, beside its state and its terms."""
        return [
            self.of_project(of.c.project),
            self.of_kind(of.c.kind),
            *(each.fits(of) for each in self.ends),
            *(each.fits(of) for each in self.named),
            *(each.fits(of) for each in self.idle),
        ]

    def in_index(self, ranges: Sequence[ColumnElement[bool]], most: int) -> Select[Any] | CompoundSelect[Any]:
        """The ids of keys in these ranges of an index, up to `most` of each."""
        column = select(keys.c.id.label("key_id"))
        return together(
            [
                column.where(keys.c.active == (true() if state else false()), self.of_project(keys.c.project), each)
                .where(self.of_kind(keys.c.kind))
                .limit(most)
                for state in self.states
                for each in ranges
            ]
        )

    def candidates(self, condition: Condition, most: int) -> Select[Any] | CompoundSelect[Any]:
        """The ids of keys that a condition is true of, up to `most` of each of its ranges."""
        if isinstance(condition, Idle):
            return idle.candidates(condition, most)
        if isinstance(condition, Ends | Named | OfIndex):
            return self.in_index(condition.each_in_index(), most)
        of_project = true() if self.project is None else terms.c.project == self.project
        column = select(terms.c.key_id).where(of_project)
        return together([column.where(each).limit(most) for each in condition.each_in_terms(terms)])

    async def rarest(self, reads: Reads, conditions: Sequence[Condition], most: int) -> tuple[Condition, int]:
        """The condition that the fewest keys fit, and how many, up to `most`. Of many words, and of many members of
        metadata, only the longest are asked for. One round trip."""
        members = [each for each in conditions if isinstance(each, HasMember)]
        told = [each for each in conditions if isinstance(each, HasPermission | HasWord)]
        asked: list[Condition] = [
            each for each in conditions if not isinstance(each, HasMember | HasPermission | HasWord)
        ]
        for some in (members, told):
            asked += sorted(some, key=lambda condition: len(condition.start), reverse=True)[:ASKED]
        counts = [
            select(func.count()).select_from(self.candidates(each, most).subquery()).scalar_subquery() for each in asked
        ]
        counted = (await reads.execute(select(*counts))).one()
        count, rarest = min(zip(counted, asked, strict=True), key=lambda each: each[0])
        return rarest, count
