"""The audit log, page by page, and what it tells of who made which key.

Each filter has an index that ends with seq, so one filter's page is the start of a range. Of several, the index of the
narrowest is used (key, actor, metadata that few keys have, owner, project, environment, kind, in this order; PostgreSQL
may choose another), and what it finds is looked at until the page is full. Moments are turned into seqs first, since a
later change has a later moment by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import MAKING_KINDS, ActorKind, APIKey, ChangeEvent
from gatepost.database.lists import HasMember, Place, Sort, has_term, having
from gatepost.database.schema import KEYS, as_event, as_key, events, keys

CLOCK_STEP = timedelta(minutes=1)
"""How far the database's clock may have been put back between two changes without any being missed by their moments."""

_BY_KEY = func.coalesce(events.c.actor_kind, ActorKind.KEY) == ActorKind.KEY
"""What is true of the events by a key whose id is known, those included that may be: too much is better than too
little, where what an intruder has done is looked for. In a form that no index answers: that of the ids is better."""

NEWEST = Sort("created", descending=True)
"""The order of the keys that a key made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """One page of the log, newest first: events that fit all that is not `None`. `since`: from then on. `until`: before
    then. `members`: of keys that there are now, and whose metadata has all of these now. `with_terms`: whether terms
    may be asked for them. `place`: seq and number after which to go on."""

    key_id: str | None = None
    project: str | None = None
    owner: str | None = None
    environment: str | None = None
    kind: str | None = None
    by_kind: str | None = None
    by_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    members: Sequence[HasMember] = ()
    with_terms: bool = False
    place: tuple[int, int] | None = None
    limit: int

    async def read(self, connection: AsyncConnection) -> Sequence[ChangeEvent]:
        """The events. One of each key, change and kind, though there is one for each of the key's secrets."""
        other = events.alias()
        of_kind = (other.c.key_id == events.c.key_id, other.c.seq == events.c.seq, other.c.kind == events.c.kind)
        same = (*of_kind, other.c.n < events.c.n)
        of_keys, is_few = await self._noted(connection)
        conditions = [~exists().where(*same), *await self._in_time(connection)]
        conditions += self._equal(connection.dialect.name, of_keys, is_narrow=is_few)
        if self.place is not None:
            seq, n = self.place
            conditions += [events.c.seq <= seq, or_(events.c.seq < seq, events.c.n < n)]
        newest = select(events).where(*conditions).order_by(events.c.seq.desc(), events.c.n.desc()).limit(self.limit)
        return [as_event(row) for row in await connection.execute(newest)]

    async def _noted(self, connection: AsyncConnection) -> tuple[Sequence[ColumnElement[bool]], bool]:
        """What is true of the events by what their keys have now, and whether these are few. A key that was moved by
        hand is one of where it is now."""
        if not self.members:
            return (), False
        now = {keys.c.project: self.project, keys.c.environment: self.environment}
        there = [keys.c.id == events.c.key_id, *(column == own for column, own in now.items() if own is not None)]
        having_it, is_few = await having(connection, self.members, with_terms=self.with_terms)
        if is_few:
            return [events.c.key_id.in_(having_it), exists().where(*there)], True
        return [exists().where(*there, *(has_term(each, keys.c.id) for each in self.members))], False

    def _equal(
        self, dialect: str, of_keys: Sequence[ColumnElement[bool]], *, is_narrow: bool
    ) -> list[ColumnElement[bool]]:
        """What is true of the events by what they are. The narrowest filter comes first; only PostgreSQL is let choose
        among the indexes of all: SQLite knows nothing of how many events fit, and MariaDB would read all that fit each
        of them to find what fits both. `of_keys`: what is true of them by their keys; `is_narrow`: these are few."""
        wanted = {
            events.c.key_id: self.key_id,
            events.c.actor_id: self.by_id,
            events.c.owner: self.owner,
            events.c.project: self.project,
            events.c.environment: self.environment,
            events.c.kind: self.kind,
            events.c.actor_kind: self.by_kind,
        }
        is_first = is_narrow and self.key_id is self.by_id is None
        conditions: list[ColumnElement[bool]] = [*of_keys] if is_first else []
        for column, value in wanted.items():
            if value is not None:
                is_free = not conditions or (dialect == "postgresql" and column is not events.c.actor_kind)
                conditions.append((column if is_free else func.coalesce(column, "")) == value)
        if self.by_kind == ActorKind.KEY and self.by_id is not None:
            conditions[-1] = _BY_KEY
        return conditions if is_first else [*conditions, *of_keys]

    async def _in_time(self, connection: AsyncConnection) -> list[ColumnElement[bool]]:
        """The span as seqs, in which few events are outside of it, and as moments."""
        if self.since is None and self.until is None:
            return []
        edges: list[Any] = []
        conditions: list[ColumnElement[bool]] = []
        if self.since is not None:
            before = select(events.c.seq).where(events.c.at < self.since - CLOCK_STEP)
            edges.append(before.order_by(events.c.at.desc(), events.c.seq.desc()).limit(1).scalar_subquery())
            conditions.append(events.c.at >= self.since)
        if self.until is not None:
            after = select(events.c.seq).where(events.c.at >= self.until + CLOCK_STEP)
            edges.append(after.order_by(events.c.at, events.c.seq).limit(1).scalar_subquery())
            conditions.append(events.c.at < self.until)
        found = list((await connection.execute(select(*edges))).one())
        if self.since is not None and (first := found.pop(0)) is not None:
            conditions.append(events.c.seq >= first)
        if self.until is not None and (last := found.pop(0)) is not None:
            conditions.append(events.c.seq <= last)
        return conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePage:
    """One page of the keys, of those that there still are, that the key `key_id` made, those that these made, and so
    on; newest first. `project`, `environment`: only of this one, `None` = all."""

    key_id: str
    project: str | None
    environment: str | None = None
    place: Place | None
    limit: int

    async def read(self, connection: AsyncConnection) -> tuple[list[APIKey], str | None]:
        """The keys, and the place to go on after. Each of them costs an index probe on every page."""
        dialect = connection.dialect.name
        made = made_keys(self.key_id, self.project)
        page = KEYS.where(keys.c.id.in_(select(made.c.key_id)))
        if self.environment is not None:
            page = page.where(keys.c.environment == self.environment)
        if self.place is not None:
            page = page.where(self.place.precedes(keys, "created_seq", NEWEST, dialect))
        page = page.order_by(keys.c.created_seq.desc(), keys.c.id.desc()).limit(self.limit + 1)
        rows = (await connection.execute(page)).all()
        last = rows[self.limit - 1] if len(rows) > self.limit else None
        after = None if last is None else Place(last.created_seq, last.id).token(NEWEST)
        return [as_key(row) for row in rows[: self.limit]], after


def made_keys(key_id: str, project: str | None = None) -> CTE:
    """The ids, as `key_id`, of the keys that a key made, those that these made, and so on, deleted ones among them.
    `project`: only of this one; `None` = of any."""
    of_project = [] if project is None else [events.c.project == project]
    is_making = [events.c.kind.in_(MAKING_KINDS), _BY_KEY, *of_project]
    made = select(events.c.key_id).where(events.c.actor_id == key_id, *is_making).cte(recursive=True)
    following = select(events.c.key_id).join_from(made, events, events.c.actor_id == made.c.key_id)
    return made.union(following.where(*is_making))
