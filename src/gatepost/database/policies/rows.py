"""The policies as one transaction that holds the counter's row sees them: read once, and not at all where there are
none, which the counter's row itself tells."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson
from sqlalchemy import delete, func, insert, or_, select, true, update

from gatepost.database.schema import batches, counter, keys, policies


class Runs(Protocol):
    """Runs a statement, which sees all that was changed before it."""

    async def __call__(self, statement: Any, /) -> Any:
        """Its rows."""


class StoredPolicy(NamedTuple):
    """A row of `gatepost_policies`. `project`: `None` = company-wide. `idle_from`, `updated_at`: aware, UTC."""

    project: str | None
    terms: Mapping[str, Any]
    idle_from: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, row: Any) -> "StoredPolicy":
        """The policy that a row tells of."""
        return cls(row.project or None, orjson.loads(row.terms), row.idle_from, row.updated_at)


class PolicyRows:
    """In one transaction. `number`: of policies that there are, as the counter's row has it."""

    def __init__(self, run: Runs) -> None:
        self._run = run
        self._known: dict[str, StoredPolicy | None] = {}
        self.number = 0

    async def read(self, projects: Collection[str | None]) -> Mapping[str | None, Sequence[StoredPolicy]]:
        """The policies that hold for keys of each of these projects: its own, and the company-wide one. No statement
        where there are none, or where the transaction has read them before; else one for each 2,000 projects."""
        if not self.number:
            return {}
        unknown = {"", *(project or "" for project in projects)} - self._known.keys()
        for some in batches(sorted(unknown)):
            found = await self._run(select(policies).where(policies.c.project.in_(some)))
            self._known |= dict.fromkeys(some) | {row.project: StoredPolicy.of(row) for row in found}
        return {
            project: [held for name in dict.fromkeys(("", project or "")) if (held := self._known[name]) is not None]
            for project in projects
        }

    async def count(self, owners: Collection[str], now: datetime) -> Mapping[tuple[str, str | None], int]:
        """How many keys, templates apart, each of these owners has that work at `now`, by owner and project. One
        statement for each 2,000 owners."""
        works = (
            keys.c.kind.is_(None),
            keys.c.active == true(),
            or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
        )
        found = select(keys.c.owner, keys.c.project, func.count().label("number")).where(*works)
        numbers: dict[tuple[str, str | None], int] = {}
        for some in batches(sorted(owners)):
            of_some = found.where(keys.c.owner.in_(some)).group_by(keys.c.owner, keys.c.project)
            numbers |= {(row.owner, row.project): row.number for row in await self._run(of_some)}
        return numbers

    async def write(self, project: str | None, policy: StoredPolicy | None) -> None:
        """Let a project, or the company, have this policy; `None` = none any more. Three statements."""
        name = project or ""
        await self._run(delete(policies).where(policies.c.project == name))
        if policy is not None:
            terms = orjson.dumps(policy.terms, option=orjson.OPT_SORT_KEYS).decode()
            row = {"project": name, "terms": terms, "idle_from": policy.idle_from, "updated_at": policy.updated_at}
            await self._run(insert(policies).values(row))
        number = select(func.count()).select_from(policies).scalar_subquery()
        await self._run(update(counter).values(policies=number))
        self._known.clear()
        self.number = 1  # there may be one: the next change of this transaction looks
