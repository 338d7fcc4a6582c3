"""What a key may do: what it has of its own, and what its roles give it (docs/decisions/0059)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatepost.base import APIKey, BadInputError, Resources, by_roles_text
from gatepost.keys.changing.nearest import UnknownRoleError
from gatepost.keys.given import joined

if TYPE_CHECKING:
    from gatepost.database import Change, Known

ROLE_RESOURCES_BYTES_MAX = 60_000
"""Of what limited roles give a key: MariaDB's `TEXT` has some more."""


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
            raise UnknownRoleError(name, project)
        found |= role.permissions
    return frozenset(found)


def limited_by_roles(
    own: Iterable[str], roles: Sequence[str], project: str | None, known: "Known"
) -> Mapping[str, Resources]:
    """By permission that such a key has by limited roles alone, all that these reach together."""
    held = [known.get((None, name)) or known[project, name] for name in roles]
    free = {*own}.union(*(role.permissions for role in held if role.resources is None))
    found: dict[str, set[str]] = {}
    for role in held:
        for name in role.permissions - free:
            found.setdefault(name, set()).update(role.resources or ())
    told = {name: tuple(sorted(found[name])) for name in sorted(found)}
    if (size := len((by_roles_text(told) or "").encode())) > ROLE_RESOURCES_BYTES_MAX:
        raise BadInputError(
            f"roles: by permission, the resources of {', '.join(roles)} take {size:,} bytes together, and at most "
            f"{ROLE_RESOURCES_BYTES_MAX:,} are kept with a key: give fewer, or limit the key itself",
            "roles",
        )
    return told


async def grant_roles(change: "Change", rows: Sequence[dict[str, Any]], *, numbered: bool = False) -> None:
    """Give the rows of new keys what their roles have now. One statement, none where no key has a role. Raises
    `BadInputError`, which names the entry by its number from 0 if `numbered`."""
    with_roles = [(number, row) for number, row in enumerate(rows) if row["roles"]]
    known = await change.roles.read(name for _, row in with_roles for name in row["roles"].split())
    for number, row in with_roles:
        own, roles = row["own_permissions"].split(), row["roles"].split()
        try:
            row["permissions"] = joined(sorted(granted(own, roles, row["project"], known)))
            row["role_resources"] = by_roles_text(limited_by_roles(own, roles, row["project"], known))
        except BadInputError as wrong:
            if not numbered:
                raise
            wrong.args, wrong.field = (f"keys[{number}]: {wrong}",), f"keys[{number}]"
            raise
