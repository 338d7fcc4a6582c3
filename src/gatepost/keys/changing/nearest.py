"""A role that there is not: which one may have been meant, told to who may know of it."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gatepost.base import BadInputError, RoleNotFoundError
from gatepost.rules import Authority

if TYPE_CHECKING:
    from gatepost.database import Change

ROLES_MAX = 1_000
"""Most roles that are listed: of a project, with the company-wide ones."""


class UnknownRoleError(BadInputError):
    """A role that keys of `project` cannot hold."""

    def __init__(self, name: str, project: str | None) -> None:
        whose = "every project" if project is None else f"project {project!r}"
        super().__init__(
            f"there is no role {name!r} for keys of {whose}: make it first: roles.create(), gatepost roles create",
            "roles",
        )
        self.name = name
        self.project = project
        self.nearest: str | None = None


async def name_nearest(change: "Change", authority: Authority, unknown: UnknownRoleError | RoleNotFoundError) -> None:
    """Have the error name a role that may have been meant: one that keys of its project can hold, or that is of that
    very project. Nothing where the actor does not reach that. One statement."""
    if authority.bounds.get("project") not in {None, unknown.project} and unknown.project is not None:
        return
    projects = (unknown.project,) if isinstance(unknown, RoleNotFoundError) else (None, unknown.project)
    add_nearest(unknown, await change.roles.names(projects, ROLES_MAX))


def add_nearest(unknown: UnknownRoleError | RoleNotFoundError, names: Iterable[str]) -> None:
    """As `name_nearest`, of these names."""
    nearest = get_close_matches(unknown.name, names, n=1)
    if nearest:
        (unknown.nearest,) = nearest
        unknown.args = (f"{unknown}. Did you mean {unknown.nearest!r}?",)
