"""The audit log as people read it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatepost.admin.page.told.limits import limit_word
from gatepost.admin.page.told.moments import full, span
from gatepost.base import WHOLE_KINDS, ChangeEvent, metadata_text

TITLES = {
    "created": "Created",
    "imported": "Imported",
    "updated": "Edited",
    "activated": "Activated",
    "deactivated": "Deactivated",
    "rotated": "Secret rotated",
    "grace_ended": "Old secret ended",
    "revealed": "Secret revealed",
    "leaked": "Secret found in the open",
    "deleted": "Deleted",
    "policy": "Policy changed",
    "role_created": "Role made",
    "role_updated": "Role edited",
    "role_deleted": "Role deleted",
    "invalidated": "Everything remembered was invalidated",
    "installed": "Installed",
    "sql": "Changed by hand in the database",
}
"""What was done, by the kind of event."""

ACTORS = {
    "person": "People",
    "operator": "The app itself",
    "key": "Keys",
    "shell": "The shell",
    "database": "By hand in the database",
}
"""Who may have done it, by the kind of actor."""

_SWITCHES = frozenset(("activated", "deactivated"))
_LABELS = {
    "expires_at": "Expires",
    "active": "Active",
    "allow": "Used from",
    "role_resources": "Limited by its roles",
    "limits": "Limits",
    "limit_resets": "Limits counted anew",
    "hint": "Secret",
    "own_permissions": "Its own permissions",
    "patterns": "Written as",
    "grace_seconds": "Old secret works for",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a change changed. `old`, `new`: texts, `None` = not told. `added`, `removed`: of a set."""

    label: str
    old: str | None = None
    new: str | None = None
    added: Sequence[str] = ()
    removed: Sequence[str] = ()


_NOTHING = {
    "owner": "nobody",
    "expires_at": "never",
    "project": "every project",
    "allow": "anywhere",
    "resources": "everything",
}
_EMPTY = {"allow": "nowhere", "resources": "nothing"}
"""What a list without entries means, where it is no set to add to."""


def title(event: ChangeEvent) -> str:
    """What was done."""
    return TITLES.get(event.kind, event.kind.capitalize())


def differences(event: ChangeEvent) -> Sequence[Difference]:
    """What the change changed, one by one, beside what its title says."""
    told = {"active"} if event.kind in _SWITCHES else set()
    changes = event.kind not in WHOLE_KINDS
    return [_difference(name, value, changes) for name, value in (event.detail or {}).items() if name not in told]


def _difference(name: str, value: Any, changes: bool) -> Difference:
    """`changes`: whether an object tells of a change, and not of what there is."""
    label = _LABELS.get(name) or name.replace("_", " ").capitalize()
    if not changes or not isinstance(value, Mapping) or not value.keys() <= {"old", "new"}:
        return Difference(label, new=_text(name, value))
    if name == "limits":
        value = {which: [limit_word(each) for each in value[which]] for which in value}
    old, new = value.get("old"), value.get("new")
    is_emptied = name in _EMPTY and not (old and new)
    if isinstance(old, list) and isinstance(new, list) and not is_emptied:
        return Difference(
            label, added=[each for each in new if each not in old], removed=[each for each in old if each not in new]
        )
    told = {which: _text(name, value[which]) for which in ("old", "new") if which in value}
    return Difference(label, **told)


def _text(name: str, value: Any) -> str:
    if name == "grace_seconds":
        return span(value) if value else "no time"
    if value is None:
        return _NOTHING.get(name, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        words = map(limit_word if name == "limits" else str, value)
        return ", ".join(words) or _EMPTY.get(name, "none")
    if name.endswith("_at") and isinstance(value, str):
        return full(datetime.fromisoformat(value))
    return _object_text(name, value) or "none" if isinstance(value, Mapping) else str(value)


def _object_text(name: str, value: Mapping[str, Any]) -> str | None:
    if name == "role_resources":
        return "; ".join(f"{each} to {_text('resources', value[each])}" for each in sorted(value))
    return metadata_text(value)
