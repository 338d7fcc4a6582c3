"""The roles that there are, for who gives them, finds keys by them, or looks at a key that holds some."""

from collections.abc import Mapping, Sequence

from gatepost.admin.page.visit import Visit
from gatepost.base import AccessDeniedError, APIKey
from gatepost.rules import Role

OF_ITS_OWN = "its own"
"""Where a permission is from that no role gave."""


async def roles_of(visit: Visit, key: APIKey | None = None) -> Sequence[Role]:
    """Those that the key can hold, or all that the visitor reaches; none for who may not look. One round trip."""
    try:
        found = await visit.keys.roles.list(project=None if key is None else key.project, actor=visit.actor)
    except AccessDeniedError:
        return ()
    return [role for role in found if key is None or role.project in (None, key.project)]


async def sources_of(visit: Visit, key: APIKey) -> Mapping[str, Sequence[str]]:
    """Where each permission of a key is from: names of roles, and what it has of its own; nothing of a key without
    roles. One round trip, for a key with roles."""
    if not key.roles:
        return {}
    held = [role for role in await roles_of(visit, key) if role.name in key.roles]
    own = key.own_permissions or frozenset()
    return {
        name: [*(role.name for role in held if name in role.permissions), *([OF_ITS_OWN] if name in own else [])]
        for name in key.permissions
    }
