"""Roles over REST: what calls give, what they are answered, and what each does. The docstrings are the document's."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Self
from urllib.parse import quote

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.admin.api.shapes import (
    Call,
    Forcing,
    Moment,
    Nothing,
    Propagation,
    Reply,
    Resources,
    RoleName,
    given,
    settled,
)
from gatepost.base import DESCRIPTION_MAX, PROJECT_MAX
from gatepost.rules import ROLE_NAME_MAX
from gatepost.rules import Role as BaseRole
from gatepost.rules import RoleChange as BaseRoleChange

_Project = Annotated[
    str, Meta(min_length=1, max_length=PROJECT_MAX, description="Whose keys may hold the role. Left out: all keys.")
]
_Given = Annotated[
    list[Annotated[str, Meta(max_length=ROLE_NAME_MAX)]],
    Meta(
        max_length=1000,
        description="What keys that hold the role may do by it: permissions, or how some begin, `FILE_*`, which stands "
        "for those that there are now.",
        examples=[["FILE_UPLOAD", "DIR_*"]],
    ),
]
_Description = Annotated[str, Meta(max_length=DESCRIPTION_MAX, description="For people; may be empty.")]


class Role(Struct):
    """A named set of permissions, which keys hold by its name. `patterns`: what was written as a shorthand."""

    name: str
    project: Annotated[str | None, Meta(description="Whose keys may hold it; null: all keys.")]
    description: str
    permissions: Sequence[str]
    patterns: Sequence[str]
    resources: Annotated[
        Sequence[str] | None, Meta(description="What these hold on; null: everything, empty: nothing.")
    ]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, role: BaseRole) -> Self:
        """The role, told."""
        members = {name: getattr(role, name) for name in cls.__struct_fields__}
        told = {"permissions": sorted(role.permissions), "patterns": [*role.patterns]}
        return cls(**members | told | {"resources": None if role.resources is None else [*role.resources]})


class Roles(Struct):
    """Roles, by name."""

    items: Sequence[Role]


class ChangedRole(Struct):
    """What became of a role, and of the keys that hold it. `role`: null where it is gone. `seq`: the change's number,
    null where nothing had to change. `keys`: the ids of those that hold it. `gains`, `loses`: by permission, the ids of
    keys. `preview`: nothing was changed; it tells what would be."""

    role: Role | None
    seq: int | None
    keys: Sequence[str]
    gains: Mapping[str, Sequence[str]]
    loses: Mapping[str, Sequence[str]]
    propagation: Propagation
    preview: bool

    @classmethod
    def of(cls, change: BaseRoleChange) -> Self:
        """The change, told."""
        return cls(
            None if change.role is None else Role.of(change.role),
            change.seq,
            change.keys,
            change.gains,
            change.loses,
            Propagation.of(change.propagation),
            change.is_preview,
        )


class RoleChoice(Struct, forbid_unknown_fields=True):
    """Which role of that name."""

    project: _Project | UnsetType = UNSET


class RoleForcing(Forcing, forbid_unknown_fields=True):
    """Which role of that name, and how it is changed. With `preview` nothing is."""

    project: _Project | UnsetType = UNSET
    preview: Annotated[bool, Meta(description="Change nothing: tell which keys would gain and lose what.")] = False


class NewRole(Struct, forbid_unknown_fields=True):
    """A role to be made. `project` left out: the caller's."""

    name: RoleName
    permissions: _Given | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    project: _Project | UnsetType | None = UNSET
    resources: Resources | UnsetType | None = UNSET


class RoleChanges(Struct, forbid_unknown_fields=True):
    """What shall be different about a role: at least one member. What is left out stays."""

    permissions: _Given | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    resources: Resources | UnsetType | None = UNSET


async def list_roles(call: Call[RoleChoice, Nothing, Nothing]) -> Reply:
    """List the roles that keys of a project can hold, or all, by name.

    Only those of the caller's own project and the company-wide ones, where it has a project.
    """
    return Reply(Roles([Role.of(role) for role in await call.keys.roles.list(**given(call.query), actor=call.actor)]))


async def create_role(call: Call[Nothing, Nothing, NewRole]) -> Reply:
    """Make a role.

    Nobody puts a permission into a role that they do not hold.
    """
    role = await call.keys.roles.create(**given(call.body), actor=call.actor)
    return Reply(Role.of(role), HTTPStatus.CREATED, {"Location": f"{call.root}/roles/{quote(role.name)}{_of(role)}"})


async def read_role(call: Call[RoleChoice, Nothing, Nothing]) -> Reply:
    """Read a role."""
    return Reply(Role.of(await call.keys.roles.get(call.name, **given(call.query), actor=call.actor)))


async def update_role(call: Call[RoleForcing, Nothing, RoleChanges]) -> Reply:
    """Change what a role gives, or its description; or tell which keys would gain and lose what.

    Every key that holds it, and every worker, when the answer comes. Who calls must hold what is added, and manage
    every key that holds the role.
    """
    return await _changed(call.keys.roles.update(call.name, **given(call.body), **given(call.query), actor=call.actor))


async def delete_role(call: Call[RoleForcing, Nothing, Nothing]) -> Reply:
    """Delete a role, and take what it gave from the keys that hold it; or tell what that would be."""
    return await _changed(call.keys.roles.delete(call.name, **given(call.query), actor=call.actor))


async def _changed(change: Any) -> Reply:
    told, status = await settled(change)
    return Reply(ChangedRole.of(told), status)


def _of(role: BaseRole) -> str:
    return "" if role.project is None else f"?project={quote(role.project, safe='')}"
