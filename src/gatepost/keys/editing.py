"""Editing a key, and what an edit gives and takes away."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatepost.base import (
    Actor,
    APIKey,
    BadInputError,
    EditedKey,
    Limit,
    Limits,
    Propagation,
    at_most,
    checked_limits,
    checked_networks,
    covers,
    limit_as_json,
    networks_text,
    stored_limits,
)
from gatepost.keys.arguments import Wait
from gatepost.keys.change import changed_by, key_to_change
from gatepost.keys.columns import joined
from gatepost.keys.parts import Parts
from gatepost.keys.spreading import Patience, settled
from gatepost.rules import (
    UNNAMED,
    UNSET,
    Authority,
    Unset,
    check_id,
    check_in_future,
    checked_actor,
    checked_description,
    checked_moment,
)

if TYPE_CHECKING:
    from gatepost.database import Change


async def update(
    parts: Parts,
    key_id: str,
    *,
    description: str | None = None,
    permissions: Iterable[str] | None = None,
    expires_at: datetime | Unset | None = UNSET,
    allow: Iterable[str] | Unset | None = UNSET,
    limits: Iterable[Limit] | Unset = UNSET,
    if_version: str | None = None,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> EditedKey:
    """Edit a key; what is not named stays as it is. `expires_at=None`: never. `allow`: the networks that it may be used
    from; `None` = anywhere, empty = nowhere. `limits`: how much it may be used. A quota that keeps its name goes on
    from what it has counted, a rate that is another begins anew. The key that the actor uses cannot change its own.
    `if_version`: only while the key's `version` is still that one. `force`: also where it weakens the key that the
    actor uses. That key's own life is not made longer by it.

    An edit of limits, and one that takes a permission or an address away or lets the key expire earlier, waits as
    `deactivate` does; `wait` and `timeout` are as there. Raises `KeyNotFoundError`, `BadInputError`,
    `UnknownPermissionError`, `StaleKeyError`, `AccessDeniedError`, `ForceNeededError`, `UnavailableError`,
    `StillSpreadingError`. One transaction.
    """
    patience = Patience.of(wait, timeout, parts.clock)
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    check_id(key_id)
    wanted: dict[str, Any] = {}
    if description is not None:
        wanted["description"] = checked_description(description)
    if permissions is not None:
        wanted["permissions"] = parts.settings.catalogue.check(permissions)
    if not isinstance(expires_at, Unset):
        wanted["expires_at"] = checked_moment(expires_at)
    if not isinstance(allow, Unset):
        wanted["allow"] = checked_networks("allow", allow)
    if not isinstance(limits, Unset):
        wanted["limits"] = checked_limits(limits)
    if not wanted:
        raise BadInputError("nothing to update: name description, permissions, expires_at, allow or limits")
    change, (before, key, changed) = await changed_by(
        parts, actor, lambda change, authority: _edit(change, authority, key_id, wanted, if_version, force=force)
    )
    takes = bool({"permissions", "limits"} & wanted.keys()) or wanted.get("expires_at") is not None
    takes = takes or wanted.get("allow") is not None
    may_have_taken = takes and not changed
    if not (_takes_away(before, key) or may_have_taken):  # it may have been made by a call that nobody waited for
        patience = replace(patience, everywhere=False)
    return await settled(parts, change, patience, lambda spread: edited(key, spread), changed=changed)


async def _edit(
    change: "Change",
    authority: Authority,
    key_id: str,
    wanted: Mapping[str, Any],
    if_version: str | None,
    *,
    force: bool,
) -> tuple[APIKey, APIKey, bool]:
    """The key before the edit and after it, and whether anything of it is new."""
    check_in_future(wanted.get("expires_at"), change.now)
    before = key = await key_to_change(change, authority, key_id, if_version)
    if "limits" in wanted:
        wanted = {**wanted, "limits": Limits(wanted["limits"], max(0, before.limits.resets))}
    after = replace(before, **wanted)
    if before.limits != after.limits:
        authority.check_own_limits(before)
    authority.check_grant(_given(before, after))
    if _is_more(before, after):
        authority.check_addresses(after.allow)
        authority.check_limits(after.limits)
    if _is_longer(before, after):
        authority.check_longer_life(before)
    if _takes_away(before, after):
        authority.check_own(before, force=force)
    changed = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    if changed:
        detail = {name: {"old": _plain(getattr(before, name)), "new": _plain(changed[name])} for name in changed}
        columns = dict(changed)
        if "permissions" in columns:
            columns["permissions"] = joined(sorted(columns["permissions"]))
        if "allow" in columns:
            columns["allow"] = networks_text(columns["allow"])
        if "limits" in columns:
            columns["limits"] = stored_limits(columns["limits"])
        await change.update_key(after, columns, detail)
        key = await change.read_key(key_id)
    return before, key, bool(changed)


def _given(before: APIKey, after: APIKey) -> frozenset[str]:
    """The permissions that an edit hands out: those added, and all where what the key has is to be worth more."""
    return after.permissions if _is_wider(before, after) else after.permissions - before.permissions


def _is_more(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do anything that it may not do now."""
    return not after.permissions <= before.permissions or _is_wider(before, after)


def _is_wider(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key be used longer, from more places, or more often."""
    is_within = covers(before.allow, after.allow) and at_most(after.limits, before.limits)
    return _is_longer(before, after) or not is_within


def _is_longer(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key live longer."""
    return before.expires_at is not None and (after.expires_at is None or after.expires_at > before.expires_at)


def _takes_away(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do less, for a shorter time, or from fewer places; or other limits hold for it, and
    are to hold everywhere."""
    if before.limits != after.limits:
        return True
    if not before.permissions <= after.permissions or not covers(after.allow, before.allow):
        return True
    return after.expires_at is not None and (before.expires_at is None or after.expires_at < before.expires_at)


def _plain(value: Any) -> Any:
    """A value of a key as JSON has it."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Limits):
        return [*map(limit_as_json, value)]
    return value.isoformat() if isinstance(value, datetime) else value


def edited(key: APIKey, propagation: Propagation) -> EditedKey:
    return EditedKey(**{each.name: getattr(key, each.name) for each in fields(key)}, propagation=propagation)
