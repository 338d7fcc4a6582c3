"""Which of the keys that work do not fit a policy: how many, and their ids. Each is looked at, so it takes as long as a
scan of the project's keys, or of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.database.lists import Idle
from gatepost.database.schema import keys, secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfits:
    """What is asked of keys, by the names of `Policy`'s terms, `None` = nothing. `project`: whose; `None` = all.
    `among`: what columns of keys that are looked at have. `slack`: seconds by which an expiry may be later."""

    project: str | None
    among: Mapping[str, str]
    longest_lifetime: float | None
    longest_grace: float | None
    idle_days: int | None
    most_active_keys: int | None
    environments: Sequence[str] | None
    permissions: Sequence[str] | None
    slack: float

    async def count(self, connection: AsyncConnection, now: datetime) -> Mapping[str, int]:
        """How many keys do not fit, by term. One statement for each."""
        return {
            term: int(
                await connection.scalar(select(func.count()).select_from(keys).where(*self._works(now), wrong)) or 0
            )
            for term, wrong in self._wrong(now).items()
        }

    async def read(
        self, connection: AsyncConnection, now: datetime, term: str, after: str | None, most: int
    ) -> Sequence[str]:
        """The ids of those that do not fit a term, in their order, after an id; up to `most`. One statement."""
        found = select(keys.c.id).where(*self._works(now), self._wrong(now).get(term, false()))
        if after is not None:
            found = found.where(keys.c.id > after)
        return list(await connection.scalars(found.order_by(keys.c.id).limit(most)))

    def _works(self, now: datetime) -> Sequence[ColumnElement[bool]]:
        """What is true of the keys that are looked at: those that work now."""
        of_project = true() if self.project is None else keys.c.project == self.project
        return [
            of_project,
            *(keys.c[name] == value for name, value in self.among.items()),
            keys.c.active == true(),
            or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
        ]

    def _wrong(self, now: datetime) -> Mapping[str, ColumnElement[bool]]:
        """What is true of a key that does not fit, by term."""
        found: dict[str, ColumnElement[bool]] = {}
        if self.longest_lifetime is not None:
            latest = now + timedelta(seconds=self.longest_lifetime + self.slack)
            found["longest_lifetime"] = or_(keys.c.expires_at.is_(None), keys.c.expires_at > latest)
        if self.longest_grace is not None:
            ends = secrets.c.expires_at > now + timedelta(seconds=self.longest_grace)
            found["longest_grace"] = exists().where(secrets.c.key_id == keys.c.id, ends)
        if self.idle_days is not None:
            seconds = self.idle_days * 86400.0
            since_then = keys.c.updated_at <= now - timedelta(seconds=seconds)
            found["idle_days"] = and_(keys.c.kind.is_(None), Idle(seconds).fits(keys), since_then)
        if self.most_active_keys is not None:
            found["most_active_keys"] = self._of_many(self.most_active_keys, now)
        if self.environments is not None:
            named = keys.c.environment.in_(self.environments)
            found["environments"] = or_(keys.c.environment.is_(None), not_(named))
        if self.permissions is not None:
            found["permissions"] = _others(self.permissions) != ""
        return found

    def _of_many(self, most: int, now: datetime) -> ColumnElement[bool]:
        """The keys of owners who have more, and those that nobody owns."""
        other = keys.alias()
        works = [
            other.c.kind.is_(None),
            other.c.active == true(),
            or_(other.c.expires_at.is_(None), other.c.expires_at > now),
        ]
        if self.project is not None:
            works.append(other.c.project == self.project)
        number: Any = func.count()
        many = select(other.c.owner).where(and_(*works), other.c.owner.is_not(None)).group_by(other.c.owner)
        return and_(keys.c.kind.is_(None), or_(keys.c.owner.is_(None), keys.c.owner.in_(many.having(number > most))))


def _others(permissions: Sequence[str]) -> ColumnElement[str]:
    """What is left of a key's permissions without these. Between two names there is one space, so that each that is
    taken out leaves the others between theirs."""
    without: ColumnElement[str] = reduce(
        lambda left, name: func.replace(left, f" {name} ", " "), permissions, keys.c.permissions
    )
    return func.trim(without)
