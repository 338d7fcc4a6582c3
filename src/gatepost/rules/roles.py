"""Roles: named sets of permissions that keys hold by reference (docs/decisions/0059)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from gatepost.base import Propagation, Resources

ROLE_NAME_MAX = 64
"""Longest name of a role, in characters: as long as a permission's."""

KEY_ROLES_MAX = 16
"""Most roles of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of permissions. `name`: 1 to 64 ASCII letters, digits and `. _ : -`. `project`: whose keys may
    hold it, `None` = keys of every project. `description`: up to 200 characters. `permissions`: names of the catalogue,
    which keys that hold it have beside their own; empty = nothing. `patterns`: what was written as a shorthand, such as
    `FILE_*`; `permissions` has what that stood for then. `resources`: those that these hold on; `None` = every one,
    empty = none. `created_at`, `updated_at`: aware, UTC, the database's
    clock."""

    name: str
    project: str | None
    description: str
    permissions: frozenset[str]
    patterns: tuple[str, ...] = ()
    resources: Resources | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChange:
    """What became of a role and of the keys that hold it. `role`: as it is now; `None` = it is gone. `seq`: the
    change's number, `None` = nothing was changed. `keys`: the ids of those that hold it. `gains`, `loses`: by
    permission, the ids of keys that can do it from now on, or cannot any more, be it on some resources. `is_preview`:
    nothing was changed, this is what would be. `propagation`: as for a `Receipt`."""

    role: Role | None
    seq: int | None
    keys: Sequence[str]
    gains: Mapping[str, Sequence[str]] = field(default_factory=dict)
    loses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    propagation: Propagation
    is_preview: bool = False


def role_digest(project: str | None, name: str) -> bytes:
    """What stands for a role in the log, where secrets have their digests: 32 bytes, which no secret has, so that its
    events make workers forget nothing."""
    return sha256(f"gatepost role\0{project or ''}\0{name}".encode()).digest()
