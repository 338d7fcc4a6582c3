"""What is stored of a key: the columns of a new one, and of a new secret."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from gatepost.base import (
    APIKey,
    BadInputError,
    Limit,
    Untold,
    allow_of,
    by_roles_of,
    checked_limits,
    checked_metadata,
    checked_networks,
    checked_resources,
    limits_of,
    metadata_of,
    networks_text,
    resources_of,
    resources_text,
    stored_limits,
)
from gatepost.base import secret as secret_text
from gatepost.keys.parts import Vault
from gatepost.rules import (
    Catalogue,
    checked_description,
    checked_environment,
    checked_moment,
    checked_owner,
    checked_project,
    checked_roles,
)


def new_row(
    catalogue: type[Catalogue],
    description: str,
    permissions: Iterable[str],
    project: str | None,
    expires_at: datetime | None,
    *,
    active: bool,
    allow: Iterable[str] | None = None,
    limits: Iterable[Limit] = (),
    owner: str | None = None,
    environment: str | None = None,
    metadata: Mapping[str, Any] = MappingProxyType({}),
    roles: Iterable[str] = (),
    resources: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The columns of a new key, checked; all but its id and its secret's, and what its roles give it."""
    if not isinstance(active, bool):
        raise BadInputError(f"active must be True or False, not {active!r}", "active")
    own, held = joined(sorted(catalogue.check(permissions))), checked_roles(roles)
    return {
        "project": checked_project(project),
        "description": checked_description(description),
        "permissions": own,
        "roles": joined(held) if held else None,
        "own_permissions": own if held else None,
        "active": active,
        "expires_at": checked_moment(expires_at),
        "allow": networks_text(checked_networks("allow", allow)),
        "limits": stored_limits(checked_limits(limits)),
        "owner": checked_owner(owner),
        "environment": checked_environment(environment),
        "metadata": checked_metadata(metadata),
        "resources": resources_text(checked_resources(resources)),
        "role_resources": None,
    }


def secret_columns(vault: Vault | None, secret: Untold) -> dict[str, Any]:
    """What is stored of a new secret; sealed where there is a vault."""
    return {
        "digest": secret_text.digest(secret.text.encode()),
        "hint": secret_text.hint(secret.text),
        "sealed": None if vault is None else vault.seal(secret.text),
    }


def key_of(row: Mapping[str, Any], now: datetime) -> APIKey:
    """The key that has just been made of a row."""
    return APIKey(
        id=row["id"],
        project=row["project"],
        description=row["description"],
        permissions=frozenset(row["permissions"].split()),
        active=row["active"],
        created_at=now,
        updated_at=now,
        expires_at=row["expires_at"],
        allow=allow_of(row["allow"]),
        limits=limits_of(row["limits"]),
        owner=row["owner"],
        environment=row["environment"],
        metadata=metadata_of(row["metadata"]),
        roles=tuple((row["roles"] or "").split()),
        own_permissions=None if row["own_permissions"] is None else frozenset(row["own_permissions"].split()),
        template=row.get("template"),
        resources=resources_of(row["resources"]),
        role_resources=by_roles_of(row["role_resources"], row["permissions"].split()),
        hint=row["hint"],
    )


def joined(names: Sequence[str]) -> str:
    """The text of the permissions column: a space at each end, so that SQL can search for a whole name."""
    return f" {' '.join(names)} "
