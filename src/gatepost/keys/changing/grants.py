"""What a key may do: what it has of its own, and what its roles give it (docs/decisions/0059)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gatepost.base import APIKey, BadInputError
from gatepost.keys.given import joined

if TYPE_CHECKING:
    from gatepost.database import Change, Known


def own_permissions(key: APIKey) -> frozenset[str]:
    """What it has without its roles."""
    return key.permissions if key.own_permissions is None else key.own_permissions


def granted(own: Iterable[str], roles: Sequence[str], project: str | None, known: "Known") -> frozenset[str]:
    """All that a key of `project` may do that has `own` and holds `roles`, which are `known`. Raises `BadInputError`
    for a role that keys of this project cannot hold."""
    found = set(own)
    for name in roles:
        role = known.get((None, name)) or known.get((project, name))
        if role is None:
            whose = "every project" if project is None else f"project {project!r}"
            raise BadInputError(f"there is no role {name!r} for keys of {whose}: make it first (roles.create)", "roles")
        found |= role.permissions
    return frozenset(found)


async def grant_roles(change: "Change", rows: Sequence[dict[str, Any]], *, numbered: bool = False) -> None:
    """Give the rows of new keys what their roles have now. One statement, none where no key has a role. Raises
    `BadInputError`, which names the entry by its number from 0 if `numbered`."""
    with_roles = [(number, row) for number, row in enumerate(rows) if row["roles"]]
    known = await change.roles.read(name for _, row in with_roles for name in row["roles"].split())
    for number, row in with_roles:
        own, roles = row["own_permissions"].split(), row["roles"].split()
        try:
            row["permissions"] = joined(sorted(granted(own, roles, row["project"], known)))
        except BadInputError as wrong:
            if not numbered:
                raise
            raise BadInputError(f"keys[{number}]: {wrong}", f"keys[{number}]") from None
