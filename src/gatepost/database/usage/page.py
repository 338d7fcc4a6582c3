"""Reading usage: sums by what is asked for, each with its last moment and where that came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Outcome, SecretState, Usage, secret_id
from gatepost.database.lists import HasMember, having
from gatepost.database.schema import keys, one_of, secrets, usage

ROWS_MAX = 10_000
"""Most lines of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePage:
    """Usage of one key; an empty `key_id`: of no key that is known; `None`: of all keys in `among` that there are now,
    together: columns and what stands in them. `members`: and whose metadata has all of these now. `with_terms`: whether
    terms may be asked for them. `since`: from that day on. `until`: before that day. `by`: of
    `USAGE_GROUPS`."""

    key_id: str | None
    among: Mapping[str, str] = field(default_factory=dict)
    members: Sequence[HasMember] = ()
    with_terms: bool = False
    since: date | None
    until: date | None
    by: Sequence[str]

    async def read(self, connection: AsyncConnection) -> Sequence[Usage]:
        """The lines, newest day first, then the most used; at most 10,000. One round trip, two by secret, one or two
        more by metadata."""
        having_it = None
        if self.members:
            having_it, _few = await having(connection, self.members, with_terms=self.with_terms)
        groups = [column for name in self.by for column in _COLUMNS[name]]
        group = groups or [literal_column("1")]
        newest = func.row_number().over(partition_by=group, order_by=usage.c.last_at.desc())
        total = func.sum(usage.c.uses).over(partition_by=group)
        columns = [usage.c.last_at, usage.c.last_address, total.label("total")]
        rows = select(*groups, *columns, newest.label("place")).where(*self._which(having_it)).subquery()
        order = [rows.c.total.desc(), *(rows.c[column.name] for column in groups)]
        if "day" in self.by:
            order = [rows.c.day.desc(), *order]
        lines = select(rows).where(rows.c.place == 1).order_by(*order).limit(ROWS_MAX)
        found = (await connection.execute(lines)).all()
        known = await self._secrets(connection, having_it) if "secret" in self.by else {}
        return [self._line(row, known) for row in found]

    def _which(self, having_it: Select[Any] | None) -> Sequence[ColumnElement[bool]]:
        """A month counts from the day of its first on: what is older than months are rolled up by has no days."""
        since = usage.c.day >= self.since if self.since is not None else true()
        until = usage.c.day < self.until if self.until is not None else true()
        return [self._of_keys(usage.c.key_id, having_it), since, until]

    def _of_keys(self, column: ColumnElement[str], having_it: Select[Any] | None) -> ColumnElement[bool]:
        if self.key_id is not None:
            return column == self.key_id
        among = [keys.c[name] == value for name, value in self.among.items()]
        noted = [] if having_it is None else [keys.c.id.in_(having_it)]
        return column.in_(select(keys.c.id).where(*among, *noted))

    async def _secrets(
        self, connection: AsyncConnection, having_it: Select[Any] | None
    ) -> Mapping[str, tuple[SecretState, str]]:
        """The key's secrets by what usage calls them."""
        of_key = select(secrets.c.digest, secrets.c.hint, secrets.c.expires_at).where(
            self._of_keys(secrets.c.key_id, having_it)
        )
        return {
            secret_id(bytes(row.digest)): (SecretState.CURRENT if row.expires_at is None else SecretState.OLD, row.hint)
            for row in await connection.execute(of_key)
        }

    def _line(self, row: Any, known: Mapping[str, tuple[SecretState, str]]) -> Usage:
        by = self.by
        secret = row.secret if "secret" in by else None
        state, hint = known.get(secret, (SecretState.GONE, None)) if secret else (None, None)
        return Usage(
            count=int(row.total),
            last_at=row.last_at,
            last_address=row.last_address,
            day=row.day if "day" in by else None,
            by_month=bool(row.by_month) if "day" in by else False,
            route=row.route if "route" in by else None,
            outcome=Outcome(row.outcome) if "outcome" in by else None,
            secret=secret,
            secret_state=state,
            secret_hint=hint,
        )


async def read_days(
    connection: AsyncConnection, ids: Sequence[str], since: date, among: Mapping[str, str]
) -> Mapping[str, Mapping[date, int]]:
    """How often each of these keys was used on each day from `since` on, refusals included; `among`: only keys that
    have this in these columns. One round trip."""
    if not ids:
        return {}
    bounds = [keys.c[name] == value for name, value in among.items()]
    reached = exists().where(keys.c.id == usage.c.key_id, *bounds) if bounds else true()
    per_day = (
        select(usage.c.key_id, usage.c.day, func.sum(usage.c.uses).label("total"))
        .where(one_of(usage.c.key_id, ids, connection.dialect.name), usage.c.day >= since, reached)
        .group_by(usage.c.key_id, usage.c.day)
    )
    found: dict[str, dict[date, int]] = {}
    for row in await connection.execute(per_day):
        found.setdefault(row.key_id, {})[row.day] = int(row.total)
    return found


_COLUMNS: Mapping[str, Sequence[Any]] = {
    "day": (usage.c.day, usage.c.by_month),
    "route": (usage.c.route,),
    "outcome": (usage.c.outcome,),
    "secret": (usage.c.secret,),
}
