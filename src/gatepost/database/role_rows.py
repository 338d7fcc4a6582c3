"""The rows of roles, within a change and outside of one; and what the log tells of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost.base import Role, role_digest
from gatepost.database.changes import Change
from gatepost.database.schema import roles
from gatepost.database.standing import NOBODYS, names_of

Known = Mapping[tuple[str | None, str], Role]
"""Roles by project (`None` = company-wide) and name."""


async def read_roles(change: Change, names: Iterable[str]) -> Known:
    """The roles of these names, of whatever project, as this change finds them. One statement, none without names."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    rows = await change.execute(select(roles).where(roles.c.name.in_(wanted)))
    return {(role.project, role.name): role for role in map(_role, rows)}


async def list_roles(connection: AsyncConnection, projects: Sequence[str | None] | None, most: int) -> Sequence[Role]:
    """The roles of these projects, or all, by name. `most`: rows."""
    found = select(roles).order_by(roles.c.name, roles.c.project).limit(most)
    if projects is not None:
        found = found.where(roles.c.project.in_([project or "" for project in projects]))
    return [*map(_role, await connection.execute(found))]


async def add_role(change: Change, role: Role) -> Role:
    """Add it; answers it with its moments."""
    role = replace(role, created_at=change.now, updated_at=change.now)
    await change.claim()
    moments = {"created_at": role.created_at, "updated_at": role.updated_at}
    where = {"project": role.project or "", "name": role.name}
    await change.execute(insert(roles).values(where | _columns(role) | moments))
    _note(change, role, "role_created", _told(role))
    return role


async def set_role(change: Change, before: Role, role: Role) -> Role:
    """Edit it; answers it with its moment."""
    role = replace(role, updated_at=change.now)
    await change.claim()
    values = _columns(role) | {"updated_at": role.updated_at}
    await change.execute(update(roles).where(*_is(role)).values(values))
    old, new = _told(before), _told(role)
    both = {name: {"old": old.get(name), "new": new.get(name)} for name in {**old, **new}}
    changed = {name: values for name, values in both.items() if values["old"] != values["new"]}
    _note(change, role, "role_updated", {"role": role.name} | changed)
    return role


async def remove_role(change: Change, role: Role) -> None:
    """Remove it."""
    await change.claim()
    await change.execute(delete(roles).where(*_is(role)))
    _note(change, role, "role_deleted", _told(role))


def _is(role: Role) -> Sequence[Any]:
    return roles.c.project == (role.project or ""), roles.c.name == role.name


def _note(change: Change, role: Role, kind: str, detail: Mapping[str, Any]) -> None:
    whose = {**NOBODYS, "project": role.project}
    change.note(kind, None, whose, role_digest(role.project, role.name), detail)


def _told(role: Role) -> dict[str, Any]:
    told = {"role": role.name, "description": role.description, "permissions": sorted(role.permissions)}
    return told | ({"patterns": [*role.patterns]} if role.patterns else {})


def _columns(role: Role) -> dict[str, Any]:
    return {
        "description": role.description,
        "permissions": f" {' '.join(sorted(role.permissions))} ",
        "patterns": orjson.dumps(role.patterns).decode() if role.patterns else None,
    }


def _role(row: Any) -> Role:
    return Role(
        name=row.name,
        project=row.project or None,
        description=row.description,
        permissions=frozenset(names_of(row.permissions)),
        patterns=() if row.patterns is None else tuple(orjson.loads(row.patterns)),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
