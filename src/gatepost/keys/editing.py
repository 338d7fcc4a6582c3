"""Editing a key, and what an edit gives and takes away."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatepost.base import (
    NO_LIMITS,
    Actor,
    APIKey,
    BadInputError,
    EditedKey,
    Limit,
    Limits,
    Propagation,
    Receipt,
    at_most,
    checked_limits,
    checked_metadata,
    checked_networks,
    covers,
    limit_as_json,
    metadata_of,
    metadata_text,
    networks_text,
    stored_limits,
)
from gatepost.keys.changing import Patience, change_keys, changed_by, key_to_change, settled
from gatepost.keys.given import Selection, Wait, joined
from gatepost.keys.parts import Parts
from gatepost.keys.policies import Asked
from gatepost.limits import buckets_of
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
    checked_owner,
)

if TYPE_CHECKING:
    from gatepost.database import Change, KeyEdit


async def update(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    description: str | None = None,
    permissions: Iterable[str] | None = None,
    expires_at: datetime | Unset | None = UNSET,
    allow: Iterable[str] | Unset | None = UNSET,
    limits: Iterable[Limit] | Unset = UNSET,
    owner: str | Unset | None = UNSET,
    metadata: Mapping[str, Any] | Unset = UNSET,
    if_version: str | None = None,
    force: bool = False,
    preview: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> EditedKey | Receipt:
    """Edit a key; what is not named stays as it is. `expires_at=None`: never. `allow`: the networks that it may be used
    from; `None` = anywhere, empty = nowhere. `limits`: how much it may be used. A quota that keeps its name goes on
    from what it has counted, a rate that is another begins anew. `owner`: `None` = nobody is named. `metadata`: all of
    it; empty = none. The key that the actor uses cannot change its own limits, owner and metadata. `if_version`: only
    while the key's `version` is still that one. `force`: also where it weakens the key that the actor uses. That key's
    own life is not made longer by it.

    Of many keys, or a `Selection`, each is given the same, in one transaction; the answer is a `Receipt`. `preview`:
    tell what would become of each, and change nothing; a `Receipt` too.

    An edit of limits, owner or metadata, and one that takes a permission or an address away or lets the key expire
    earlier, waits as `deactivate` does; `wait` and `timeout` are as there. Raises `KeyNotFoundError`, `BadInputError`,
    `PolicyError` for what is new of it, `UnknownPermissionError`, `StaleKeyError`, `AccessDeniedError`,
    `ForceNeededError`, `UnavailableError`, `StillSpreadingError`. One transaction.
    """
    patience = Patience.of(wait, timeout, parts.clock)
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    given = {
        "description": UNSET if description is None else description,
        "permissions": UNSET if permissions is None else permissions,
        "expires_at": expires_at,
        "allow": allow,
        "limits": limits,
        "owner": owner,
        "metadata": metadata,
    }
    checks: Mapping[str, Callable[[Any], Any]] = {**_CHECKS, "permissions": parts.settings.catalogue.check}
    wanted = {name: checks[name](value) for name, value in given.items() if not isinstance(value, Unset)}
    if not wanted:
        raise BadInputError(
            "nothing to update: name description, permissions, expires_at, allow, limits, owner or metadata"
        )
    edit = _Wanted(wanted, force=force)
    if not isinstance(ids, str) or preview:
        patience = patience if edit.takes else replace(patience, everywhere=False)
        return await _edit_many(parts, ids, edit, actor, patience, if_version=if_version, preview=preview)
    check_id(ids)
    change, (before, key, changed) = await changed_by(
        parts, actor, lambda change, authority: _edit(change, authority, ids, edit, if_version)
    )
    if not (_takes_away(before, key) or (edit.takes and not changed)):  # what a call did that nobody waited for
        patience = replace(patience, everywhere=False)
    return await settled(parts, change, patience, lambda spread: edited(key, spread), changed=changed)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked of keys. `values`: by the names of `APIKey`'s fields."""

    values: Mapping[str, Any]
    force: bool

    @property
    def takes(self) -> bool:
        """Whether it may take something away from some key."""
        named = {"permissions", "limits", "owner", "metadata"} & self.values.keys()
        return bool(named) or any(self.values.get(name) is not None for name in ("expires_at", "allow"))

    def after(self, before: APIKey) -> APIKey:
        """The key as it is to be."""
        values = self.values
        if "limits" in values:
            values = {**values, "limits": Limits(values["limits"], max(0, before.limits.resets))}
        return replace(before, **values)

    async def asked(self, change: "Change", keys: Iterable[APIKey]) -> Asked:
        """What policies ask of the edits of these keys."""
        found = [*keys]
        owners = [*(key.owner for key in found), self.values.get("owner")] if self.may_count else ()
        return await Asked.of(change, [key.project for key in found], owners)

    @property
    def may_count(self) -> bool:
        """Whether an owner may have more keys that work by it."""
        return not {"owner", "expires_at"}.isdisjoint(self.values)

    def check(self, authority: Authority, before: APIKey, after: APIKey) -> None:
        """Raise `AccessDeniedError`, `ForceNeededError` where the actor may not do it."""
        for name in _new(before, after, _TERMS):
            authority.check_terms(before, name)
        authority.check_grant(_given(before, after))
        if _is_more(before, after):
            authority.check_addresses(after.allow)
            authority.check_limits(after.limits)
        if _is_longer(before, after):
            authority.check_longer_life(before)
        if _takes_away(before, after):
            authority.check_own(before, force=self.force)


async def _edit(
    change: "Change", authority: Authority, key_id: str, wanted: _Wanted, if_version: str | None
) -> tuple[APIKey, APIKey, bool]:
    """The key before the edit and after it, and whether anything of it is new."""
    check_in_future(wanted.values.get("expires_at"), change.now)
    before = key = await key_to_change(change, authority, key_id, if_version)
    after = wanted.after(before)
    wanted.check(authority, before, after)
    edit = _key_edit(before, after)
    if edit.values:
        (await wanted.asked(change, [before])).check_edit(before, after)
        await change.update_keys([edit])
        key = await change.read_key(key_id)
    return before, key, bool(edit.values)


async def _edit_many(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    wanted: _Wanted,
    actor: Actor,
    patience: Patience,
    *,
    if_version: str | None,
    preview: bool,
) -> Receipt:
    edits: dict[str, KeyEdit] = {}
    asked: list[Asked] = []

    async def read(change: "Change", known: Sequence[str]) -> Mapping[str, APIKey]:
        edits.clear()  # it may be made anew
        check_in_future(wanted.values.get("expires_at"), change.now)
        found = await change.read_keys(known)
        asked[:] = [await wanted.asked(change, found.values())]
        return found

    def judge(authority: Authority, before: APIKey) -> bool:
        after = wanted.after(before)
        edit = _key_edit(before, after)
        if edit.values:
            wanted.check(authority, before, after)
            asked[0].check_edit(before, after)
            edits[before.id] = edit
        return bool(edit.values)

    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        judge=judge,
        apply=lambda change, changed: change.update_keys([edits[key_id] for key_id in changed]),
        read=read,
        if_version=if_version,
        preview=preview,
    )


def _key_edit(before: APIKey, after: APIKey) -> "KeyEdit":
    """What is new: columns, and what the event tells."""
    from gatepost.database import KeyEdit  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    new = _new(before, after, _EDITED)
    detail = {name: {"old": _plain(getattr(before, name)), "new": _plain(getattr(after, name))} for name in new}
    return KeyEdit(before, after, {name: _stored(after, name) for name in new}, detail)


def _new(before: APIKey, after: APIKey, names: Sequence[str]) -> Sequence[str]:
    """What is stored otherwise than before: to Python 1, 1.0 and True are equal, in JSON they are not."""
    return [name for name in names if _stored(before, name) != _stored(after, name)]


def _stored(key: APIKey, name: str) -> Any:
    value = getattr(key, name)
    return _COLUMNS[name](value) if name in _COLUMNS else value


_TERMS = ("limits", "owner", "metadata")
"""What a key cannot change of itself: how much it may be used, who is charged for it, what the app believes of it."""

_EDITED = ("description", "permissions", "expires_at", "allow", *_TERMS)

_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "description": checked_description,
    "expires_at": checked_moment,
    "allow": lambda networks: checked_networks("allow", networks),
    "limits": checked_limits,
    "owner": checked_owner,
    "metadata": lambda metadata: metadata_of(checked_metadata(metadata)),
}
"""What makes of an argument what a key may have; the catalogue does it for permissions."""

_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "permissions": lambda names: joined(sorted(names)),
    "allow": networks_text,
    "limits": stored_limits,
    "metadata": metadata_text,
}
"""What is stored of a field, where that is something else."""


def _given(before: APIKey, after: APIKey) -> frozenset[str]:
    """The permissions that an edit hands out: those added, and all where what the key has is to be worth more."""
    return after.permissions if _is_wider(before, after) else after.permissions - before.permissions


def _is_more(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do anything that it may not do now."""
    return not after.permissions <= before.permissions or _is_wider(before, after)


def _is_wider(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key be used longer, from more places, or more often."""
    is_within = covers(before.allow, after.allow) and _goes_on(before, after)
    return _is_longer(before, after) or not is_within


def _goes_on(before: APIKey, after: APIKey) -> bool:
    """Whether each limit of a key binds it still, as strictly, with all that it has counted: by another name, or as
    another rate, it begins anew. A stricter rate is put beside it."""
    kept = {bucket.name: Limits([bucket.limit]) for bucket in buckets_of("key", after.id, after.limits)}
    of_before = buckets_of("key", before.id, before.limits)
    return at_most(after.limits, before.limits) and all(
        at_most(kept.get(bucket.name, NO_LIMITS), Limits([bucket.limit])) for bucket in of_before
    )


def _is_longer(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key live longer."""
    return before.expires_at is not None and (after.expires_at is None or after.expires_at > before.expires_at)


def _takes_away(before: APIKey, after: APIKey) -> bool:
    """Whether an edit lets a key do less, for a shorter time, or from fewer places; or other terms hold for it, and
    are to hold everywhere."""
    if _new(before, after, _TERMS):
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
