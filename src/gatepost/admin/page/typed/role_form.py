"""The form for a new role and for an edit: what was typed, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from starlette.datastructures import FormData

from gatepost.admin.page.told import sentence
from gatepost.admin.page.typed.bounds import ReachField, plain
from gatepost.base import BadInputError, GatepostError
from gatepost.rules import Role


@dataclass(frozen=True, slots=True)
class RoleForm:
    """What the fields hold. `project`: empty = keys of every project. `reach`: what its permissions hold on. `seen`:
    what the visitor was told that the change does; empty = nothing yet."""

    name: str = ""
    project: str = ""
    description: str = ""
    permissions: frozenset[str] = frozenset()
    reach: ReachField = field(default_factory=ReachField)
    seen: str = ""
    force: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, role: Role) -> Self:
        """For an edit of `role`."""
        return cls(role.name, role.project or "", role.description, role.permissions, ReachField.of(role.resources))

    @classmethod
    def typed(cls, fields: FormData) -> Self:
        """As it was sent."""
        name, project, description, seen = (
            str(fields.get(each, "")).strip() for each in ("name", "project", "description", "seen")
        )
        permissions = frozenset(str(each) for each in fields.getlist("permission"))
        return cls(name, project, description, permissions, ReachField.typed(fields), seen, "force" in fields)

    def with_error(self, refusal: GatepostError) -> Self:
        """With what a verb said against it, beside the field that is at fault, or above all of them."""
        name = refusal.field if isinstance(refusal, BadInputError) else None
        return replace(self, errors={name or "": plain(sentence(refusal), name)})
