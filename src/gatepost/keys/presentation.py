"""How keys, changes and events are told: to programs as plain values for JSON, to people in a sentence. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC
from functools import reduce
from typing import Any

from gatepost.base import (
    ActorKind,
    APIKey,
    ChangeEvent,
    Granted,
    Propagation,
    Resources,
    Usage,
    common_resources,
    limit_as_json,
    names_of_granted,
)


def key_json(key: APIKey) -> Mapping[str, Any]:
    """A key. Moments are aware datetimes, which orjson and msgspec write in ISO 8601; an older secret is a dataclass,
    which they write as an object. `permissions` are all that it has, those that hold on some resources alone too."""
    return {
        "id": key.id,
        "project": key.project,
        "description": key.description,
        "permissions": sorted(names_of_granted(key.permissions)),
        "roles": [*key.roles],
        "own_permissions": None if key.own_permissions is None else sorted(key.own_permissions),
        "active": key.active,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "expires_at": key.expires_at,
        "allow": None if key.allow is None else [*key.allow],
        "limits": [*map(limit_as_json, key.limits)],
        "owner": key.owner,
        "environment": key.environment,
        "metadata": dict(key.metadata),
        "resources": None if key.resources is None else [*key.resources],
        "role_resources": {name: [*each] for name, each in _limited(key).items()},
        "hint": key.hint,
        "old_secret": key.old_secret,
        "last_used_at": key.last_used_at,
    }


def _limited(key: APIKey) -> Mapping[str, Resources]:
    """By permission that holds on less than `resources`, what it holds on. What was let in as a key does not tell its
    roles, but its permissions' bounds: what all of them reach."""
    held = key.permissions
    if not isinstance(held, Granted):
        return key.role_resources
    told = {name: reduce(_both, bounds) for name, bounds in sorted(held.limited.items())}
    return {name: each for name, each in told.items() if each != held.resources}


def _both(one: Resources, other: Resources) -> Resources:
    return common_resources(one, other) or ()


def usage_json(line: Usage, by: Sequence[str]) -> Mapping[str, Any]:
    """One line of usage, with what it was told by."""
    told = {"day": ("day", "by_month"), "secret": ("secret", "secret_state", "secret_hint")}
    names = [name for group in by for name in told.get(group, (group,))]
    return {name: getattr(line, name) for name in (*names, "count", "last_at", "last_address")}


def event_json(event: ChangeEvent) -> Mapping[str, Any]:
    """One line of the audit log."""
    return {each.name: getattr(event, each.name) for each in fields(event)}


def actor_text(event: ChangeEvent) -> str:
    """Who an event was by; empty where nobody knows. What they are stands first, where no name can pass for it and no
    cut can take it away: `key 4fT0aK9sQ2Lm`, `person Maria (17)`, `shell root`, `unverified ann`."""
    kind, name, actor_id = event.actor_kind, event.actor or "", event.actor_id
    if kind is None:
        return f"unverified {name}" if name else ""
    if kind == ActorKind.KEY:
        key = f"key {actor_id}"
        return key if name in ("", key) else f"{key} ({name})"
    return f"{kind} {name}".rstrip() if actor_id in (None, name) else f"{kind} {name} ({actor_id})"


def propagation_json(propagation: Propagation) -> Mapping[str, Any]:
    """How far a change has come. Workers as {id, name}."""
    return {each.name: getattr(propagation, each.name) for each in fields(propagation)}


def propagation_text(propagation: Propagation) -> str:
    """How far a change has come, in a sentence; empty where no worker is running."""
    said, over = len(propagation.acknowledged), len(propagation.expired)
    count = said + over + len(propagation.left) + len(propagation.waiting)
    took = f"{propagation.seconds * 1000:.0f} ms" if propagation.seconds < 1 else f"{propagation.seconds:.1f} s"
    if not count and propagation.complete:
        return ""
    if propagation.complete:
        rest = f", {over} silent and past {'its' if over == 1 else 'their'} lease" if over else ""
        return f"Every worker acts on it: {said} of {count} confirmed{rest}, after {took}"
    moment = propagation.holds_from
    by = "" if moment is None else f"; all act on it from {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC on"
    return f"Committed; {said} of {count} workers have confirmed it{by}"
