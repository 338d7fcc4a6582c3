"""Editing a key, and what an edit gives and takes away."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
    Receipt,
    checked_limits,
    checked_metadata,
    checked_networks,
    checked_resources,
    metadata_of,
)
from gatepost.keys.changing import (
    Patience,
    change_keys,
    changed_by,
    check_edit,
    granted,
    key_edit,
    key_to_change,
    limited_by_roles,
    own_permissions,
    settled,
    takes_away,
)
from gatepost.keys.given import Selection, Wait
from gatepost.keys.parts import Parts
from gatepost.keys.policies import Asked
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
    checked_roles,
)
from gatepost.temporary import Terms

if TYPE_CHECKING:
    from gatepost.database import Change, KeyEdit, Known


async def update(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    description: str | None = None,
    permissions: Iterable[str] | None = None,
    roles: Iterable[str] | Unset = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    allow: Iterable[str] | Unset | None = UNSET,
    limits: Iterable[Limit] | Unset = UNSET,
    owner: str | Unset | None = UNSET,
    metadata: Mapping[str, Any] | Unset = UNSET,
    template: Terms | Unset = UNSET,
    resources: Iterable[str] | Unset | None = UNSET,
    if_version: str | None = None,
    force: bool = False,
    preview: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> EditedKey | Receipt:
    """`APIKeys.update`, which tells of it in full."""
    patience = Patience.of(wait, timeout, parts.clock)
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    given = {
        "description": UNSET if description is None else description,
        "permissions": UNSET if permissions is None else permissions,
        "roles": roles,
        "expires_at": expires_at,
        "allow": allow,
        "limits": limits,
        "owner": owner,
        "metadata": metadata,
        "template": template,
        "resources": resources,
    }
    checks: Mapping[str, Callable[[Any], Any]] = {**_CHECKS, "permissions": parts.settings.catalogue.check}
    wanted = {name: checks[name](value) for name, value in given.items() if not isinstance(value, Unset)}
    if not wanted:
        raise BadInputError(
            "nothing to update: name description, permissions, roles, resources, expires_at, allow, limits, owner or "
            "metadata"
        )
    edit = _Wanted(wanted, force=force)
    if not isinstance(ids, str) or preview:
        patience = patience if edit.takes else replace(patience, everywhere=False)
        return await _edit_many(parts, ids, edit, actor, patience, if_version=if_version, preview=preview)
    check_id(ids)
    change, (before, key, changed) = await changed_by(
        parts, actor, lambda change, authority: _edit(change, authority, ids, edit, if_version)
    )
    gives = takes_away(key, before)  # where it does neither, an earlier call may have taken it that nobody waited for
    if not (takes_away(before, key) or (edit.takes and not gives)):
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
        named = {"permissions", "roles", "limits", "owner", "metadata", "template"} & self.values.keys()
        return bool(named) or any(self.values.get(name) is not None for name in ("expires_at", "allow", "resources"))

    async def known(self, change: "Change", keys: Iterable[APIKey]) -> "Known":
        """The roles that the keys hold, or are to hold, where that matters."""
        if not {"permissions", "roles"} & self.values.keys():
            return {}
        held = {name for key in keys for name in key.roles}
        return await change.roles.read(self.values.get("roles", held))

    def after(self, before: APIKey, known: "Known") -> APIKey:
        """The key as it is to be. Raises `BadInputError` for a role that it cannot hold."""
        values = dict(self.values)
        if "limits" in values:
            values["limits"] = Limits(values["limits"], max(0, before.limits.resets))
        if "template" in values and before.template is None:
            raise BadInputError(f"key {before.id} is no template: make one with keys.templates.create", "template")
        if {"permissions", "roles"} & values.keys():
            own, roles = values.get("permissions", own_permissions(before)), values.get("roles", before.roles)
            values["permissions"] = granted(own, roles, before.project, known)
            values["own_permissions"] = own if roles else None
            values["role_resources"] = limited_by_roles(own, roles, before.project, known)
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


def _check(authority: Authority, before: APIKey, after: APIKey, known: "Known", *, force: bool) -> None:
    """As `check_edit`; who gives a key a role must hold all that the role gives, whatever the key has already."""
    new = sorted({*after.roles} - {*before.roles})
    check_edit(authority, before, after, by_role=granted((), new, before.project, known), force=force)


async def _edit(
    change: "Change", authority: Authority, key_id: str, wanted: _Wanted, if_version: str | None
) -> tuple[APIKey, APIKey, bool]:
    """The key before the edit and after it, and whether anything of it is new."""
    check_in_future(wanted.values.get("expires_at"), change.now)
    before = key = await key_to_change(change, authority, key_id, if_version)
    known = await wanted.known(change, [before])
    after = wanted.after(before, known)
    _check(authority, before, after, known, force=wanted.force)
    edit = key_edit(before, after)
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
    roles: Known = {}
    asked: list[Asked] = []

    async def read(change: "Change", ids: Sequence[str]) -> Mapping[str, APIKey]:
        nonlocal roles
        edits.clear()  # it may be made anew
        check_in_future(wanted.values.get("expires_at"), change.now)
        keys = await change.read_keys(ids)
        roles = await wanted.known(change, keys.values())
        asked[:] = [await wanted.asked(change, keys.values())]
        return keys

    def judge(authority: Authority, before: APIKey) -> bool:
        after = wanted.after(before, roles)
        edit = key_edit(before, after)
        if edit.values:
            _check(authority, before, after, roles, force=wanted.force)
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


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "description": checked_description,
    "roles": checked_roles,
    "expires_at": checked_moment,
    "allow": lambda networks: checked_networks("allow", networks),
    "limits": checked_limits,
    "owner": checked_owner,
    "resources": checked_resources,
    "metadata": lambda metadata: metadata_of(checked_metadata(metadata)),
    "template": lambda terms: _checked_terms(terms).text,
}
"""What makes of an argument what a key may have; the catalogue does it for permissions."""


def _checked_terms(terms: Any) -> Terms:
    if not isinstance(terms, Terms):
        raise BadInputError(f"template must be Terms(...), not {terms!r:.50}", "template")
    return Terms.checked(terms.lifetime, terms.origins, terms.public)


def edited(key: APIKey, propagation: Propagation) -> EditedKey:
    return EditedKey(**{each.name: getattr(key, each.name) for each in fields(key)}, propagation=propagation)
