"""The rows of roles, within a change and outside of one; and what the log tells of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import resources_of, resources_text
from gatepost.database.schema import roles
from gatepost.database.standing import NOBODYS, names_of
from gatepost.rules import Role, role_digest

Known = Mapping[tuple[str | None, str], Role]
"""Roles by project (`None` = company-wide) and name."""


class Noting(Protocol):
    """The change that roles are read and made in."""

    now: datetime

    async def claim(self) -> None:
        """Get ready to write."""

    async def execute(self, statement: Any) -> Any:
        """One statement."""

    def note(
        self,
        kind: str,
        key_id: str | None,
        of_key: Mapping[str, Any],
        digest: bytes | None,
        detail: Mapping[str, Any] | None,
    ) -> None:
        """An event to be written with the commit."""


class RoleRows:
    """The roles, as a change finds and makes them."""

    def __init__(self, change: Noting) -> None:
        self._change = change

    async def read(self, names: Iterable[str]) -> Known:
        """The roles of these names, of whatever project. One statement, none without names."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        rows = await self._change.execute(select(roles).where(roles.c.name.in_(wanted)))
        return {(role.project, role.name): role for role in map(_role, rows)}

    async def names(self, projects: Iterable[str | None], most: int) -> Sequence[str]:
        """The names of the roles of these projects. `most`: rows. One statement."""
        of = sorted({project or "" for project in projects})
        found = await self._change.execute(
            select(roles.c.name).where(roles.c.project.in_(of)).order_by(roles.c.name).limit(most)
        )
        return [*found.scalars()]

    async def add(self, role: Role) -> Role:
        """Add it; answers it with its moments."""
        role = replace(role, created_at=self._change.now, updated_at=self._change.now)
        await self._change.claim()
        moments = {"created_at": role.created_at, "updated_at": role.updated_at}
        where = {"project": role.project or "", "name": role.name}
        await self._change.execute(insert(roles).values(where | _columns(role) | moments))
        self._note(role, "role_created", _told(role))
        return role

    async def set(self, before: Role, role: Role) -> Role:
        """Edit it; answers it with its moment."""
        role = replace(role, updated_at=self._change.now)
        await self._change.claim()
        values = _columns(role) | {"updated_at": role.updated_at}
        await self._change.execute(update(roles).where(*_is(role)).values(values))
        old, new = _told(before), _told(role)
        both = {name: {"old": old.get(name), "new": new.get(name)} for name in {**old, **new}}
        changed = {name: values for name, values in both.items() if values["old"] != values["new"]}
        self._note(role, "role_updated", {"role": role.name} | changed)
        return role

    async def remove(self, role: Role) -> None:
        """Remove it."""
        await self._change.claim()
        await self._change.execute(delete(roles).where(*_is(role)))
        self._note(role, "role_deleted", _told(role))

    def _note(self, role: Role, kind: str, detail: Mapping[str, Any]) -> None:
        whose = {**NOBODYS, "project": role.project}
        self._change.note(kind, None, whose, role_digest(role.project, role.name), detail)


async def list_roles(
    connection: AsyncConnection,
    projects: Sequence[str | None] | None,
    most: int,
    *,
    name: str | None = None,
    patterned: bool = False,
) -> Sequence[Role]:
    """The roles of these projects, or all, by name. `most`: rows. `name`: only those that are called so. `patterned`:
    only those that were written with a shorthand."""
    found = select(roles).order_by(roles.c.name, roles.c.project).limit(most)
    if projects is not None:
        found = found.where(roles.c.project.in_([project or "" for project in projects]))
    if name is not None:
        found = found.where(roles.c.name == name)
    if patterned:
        found = found.where(roles.c.patterns.is_not(None))
    return [*map(_role, await connection.execute(found))]


def _is(role: Role) -> Sequence[Any]:
    return roles.c.project == (role.project or ""), roles.c.name == role.name


def _told(role: Role) -> dict[str, Any]:
    told = {"role": role.name, "description": role.description, "permissions": sorted(role.permissions)}
    told |= {"patterns": [*role.patterns]} if role.patterns else {}
    return told | ({} if role.resources is None else {"resources": [*role.resources]})


def _columns(role: Role) -> dict[str, Any]:
    return {
        "description": role.description,
        "permissions": f" {' '.join(sorted(role.permissions))} ",
        "patterns": orjson.dumps(role.patterns).decode() if role.patterns else None,
        "resources": resources_text(role.resources),
    }


def _role(row: Any) -> Role:
    return Role(
        name=row.name,
        project=row.project or None,
        description=row.description,
        permissions=frozenset(names_of(row.permissions)),
        patterns=() if row.patterns is None else tuple(orjson.loads(row.patterns)),
        resources=resources_of(row.resources),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
