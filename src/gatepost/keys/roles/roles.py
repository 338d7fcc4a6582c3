"""The verbs for roles: `await keys.roles.update("editor", permissions=[...])`.

    role edit ──> one transaction: the role's row, and the permissions of each key that holds it, with an event for each
                  of its secrets ──> every worker ──> return

What a key has by its roles stands in its own row, so a lookup is as it is without roles (docs/decisions/0059).
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Unpack

from gatepost.base import (
    AccessDeniedError,
    Actor,
    APIKey,
    BadInputError,
    ForceNeededError,
    Propagation,
    RoleNotFoundError,
    checked_resources,
    covers_permission,
    within_resources,
)
from gatepost.keys.changing import (
    ROLES_MAX,
    Patience,
    add_nearest,
    changed_by,
    check_edit,
    granted,
    key_edit,
    limited_by_roles,
    own_permissions,
    settled,
    takes_away,
)
from gatepost.keys.given import Options
from gatepost.keys.parts import Parts
from gatepost.keys.policies import Asked
from gatepost.rules import (
    UNNAMED,
    UNSET,
    Authority,
    Catalogue,
    Role,
    RoleChange,
    Unset,
    checked_actor,
    checked_description,
    checked_project,
    checked_role,
)

if TYPE_CHECKING:
    from gatepost.database import Change, KeyEdit

HOLDERS_MAX = 100_000
"""Most keys that may hold a role while it is edited: one transaction of some seconds."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Roles:
    """What can be done with roles. A role of a project is for its keys; a company-wide one (`project=None`) for all.
    No two that one key could hold have the same name."""

    parts: Parts

    async def create(
        self,
        name: str,
        permissions: Iterable[str] = (),
        *,
        project: str | Unset | None = UNSET,
        description: str = "",
        resources: Iterable[str] | None = None,
        actor: str | Actor = UNNAMED,
    ) -> Role:
        """Make a role, which nobody holds yet. `name`: 1 to 64 ASCII letters, digits and `. _ : -`. `permissions`:
        names of the catalogue, or how some begin, `FILE_*`, which stands for those that there are now. `description`:
        at most 200 characters, may be empty. `project`: `None` = every one; left out = the actor's. `resources`: those
        that these permissions hold on; `None` = every one, empty = none. `actor`: who asks; left out = the app itself.
        Raises `BadInputError`, also where there is one of this name, and `UnknownPermissionError`, `AccessDeniedError`,
        `UnavailableError`. One transaction."""
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        of = actor.project if isinstance(project, Unset) else checked_project(project)
        granted_by, patterns = _written(self.parts.settings.catalogue, permissions)
        role = Role(
            name=checked_role(name, "name"),
            project=of,
            description=_described(description),
            permissions=granted_by,
            patterns=patterns,
            resources=checked_resources(resources),
            created_at=_NEVER,
            updated_at=_NEVER,
        )

        async def make(change: "Change", authority: Authority) -> Role:
            authority.check_project(role.project)
            authority.check_grant(role.permissions)
            others = await change.roles.read([role.name])
            if any(other is None or role.project is None or other == role.project for other, _ in others):
                raise BadInputError(f"there is a role {role.name!r} already that the same keys could hold", "name")
            return await change.roles.add(role)

        _, made = await changed_by(self.parts, actor, make)
        return made

    async def get(self, name: str, *, project: str | None = None, actor: str | Actor = UNNAMED) -> Role:
        """The role of that `name`, of a `project`; `None` = company-wide. `actor`: who asks; left out = the app itself.
        Raises `RoleNotFoundError`, `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round trip; two where
        there is none."""
        name, project = checked_role(name, "name"), checked_project(project)
        for role in await self._read(project, actor, name):
            if role.project == project:
                return role
        unknown = RoleNotFoundError(name, project)
        add_nearest(unknown, [role.name for role in await self._read(project, actor) if role.project == project])
        raise unknown

    async def list(self, *, project: str | None = None, actor: str | Actor = UNNAMED) -> Sequence[Role]:
        """The roles that keys of a `project` can hold, or with `None` all that the actor reaches, by name: its
        project's and the company-wide ones. 1,000 at most. `actor`: who asks; left out = the app itself. Raises
        `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round trip."""
        return await self._read(checked_project(project), actor)

    async def _read(self, project: str | None, actor: str | Actor, name: str | None = None) -> "Sequence[Role]":
        """As `list`; `name`: those that are called so."""
        from gatepost.database import list_roles  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        authority = Authority(checked_actor(actor))
        authority.check_look()
        bound = authority.bounds.get("project")
        if bound is not None and project not in (None, bound):
            return []
        wanted = bound if project is None else project
        projects = None if wanted is None else (None, wanted)
        return await self.parts.with_database(
            lambda database: database.ask(
                "Listing roles", partial(list_roles, projects=projects, most=ROLES_MAX, name=name)
            )
        )

    async def update(
        self,
        name: str,
        *,
        project: str | None = None,
        permissions: Iterable[str] | Unset = UNSET,
        description: str | Unset = UNSET,
        resources: Iterable[str] | Unset | None = UNSET,
        preview: bool = False,
        force: bool = False,
        **how: Unpack[Options],
    ) -> RoleChange:
        """Edit the role `name` of a `project`, `None` = the company-wide one; what is not named stays as it is: its
        `description`, too. `permissions`: all of them from now on; no key that holds the role has others by it in any
        worker once the call returns; what is only given is there soon after. `resources`: as for `create`. `preview`:
        change nothing, and tell which keys would gain and lose what. `force`: also where it weakens the key that the
        actor uses.

        Who edits must hold what it adds, and manage every key that holds the role. `actor`: who asks; left out = the
        app itself. `wait`, `timeout`: as for `APIKeys.deactivate`. Raises `RoleNotFoundError`, `BadInputError`,
        `UnknownPermissionError`, `PolicyError`, `AccessDeniedError`, `ForceNeededError`, `UnavailableError`,
        `StillSpreadingError`. One transaction.
        """
        if all(isinstance(given, Unset) for given in (permissions, description, resources)):
            raise BadInputError("nothing to update: name permissions, description or resources")
        written = None if isinstance(permissions, Unset) else _written(self.parts.settings.catalogue, permissions)
        told = None if isinstance(description, Unset) else _described(description)
        on = resources if isinstance(resources, Unset) else checked_resources(resources)

        def edited(role: Role) -> Role:
            role = role if told is None else replace(role, description=told)
            role = role if isinstance(on, Unset) else replace(role, resources=on)
            return role if written is None else replace(role, permissions=written[0], patterns=written[1])

        can_take = written is not None or not isinstance(on, Unset)
        return await self._change(name, project, edited, can_take=can_take, preview=preview, force=force, how=how)

    async def delete(
        self,
        name: str,
        *,
        project: str | None = None,
        preview: bool = False,
        force: bool = False,
        **how: Unpack[Options],
    ) -> RoleChange:
        """Remove a role, and take what it gave from the keys that hold it. Arguments, and what it raises: as for
        `update`."""
        return await self._change(name, project, lambda _: None, can_take=True, preview=preview, force=force, how=how)

    async def _change(
        self,
        name: str,
        project: str | None,
        edit: "Edit",
        *,
        can_take: bool,
        preview: bool,
        force: bool,
        how: Options,
    ) -> RoleChange:
        patience = Patience.of(how.get("wait", "everywhere"), how.get("timeout"), self.parts.clock)
        actor = checked_actor(how.get("actor", UNNAMED))
        Authority(actor).check_manage()
        if not isinstance(preview, bool):
            raise BadInputError(f"preview must be True or False, not {preview!r:.50}", "preview")
        place = (checked_project(project), checked_role(name, "name"))
        with_terms = await self.parts.database.terms_are_current()

        async def make(change: "Change", authority: Authority) -> "_Made":
            return await _edited(change, authority, place, edit, with_terms=with_terms, force=force, preview=preview)

        change, made = await changed_by(self.parts, actor, make)
        if preview:
            return made.told(None, Propagation(complete=False, holds_from=None, seconds=0.0), is_preview=True)
        if not (made.takes or (can_take and made.stands)):
            patience = replace(patience, everywhere=False)
        return await settled(
            self.parts,
            change,
            patience,
            lambda spread: made.told(change.seq if made.is_changed else None, spread),
            changed=made.is_changed,
        )


from collections.abc import Callable  # noqa: E402

Edit = Callable[[Role], Role | None]


@dataclass(frozen=True, slots=True)
class _Made:
    """What an edit of a role has made. `edits`: of the keys that are another now."""

    role: Role | None
    is_changed: bool
    holders: Sequence[str]
    edits: Sequence["KeyEdit"]

    @property
    def stands(self) -> bool:
        """Whether the keys are as they were: an earlier call may have taken something that nobody waited for."""
        return not self.is_changed or (bool(self.holders) and not self.edits)

    @property
    def takes(self) -> bool:
        return any(takes_away(edit.before, edit.after) for edit in self.edits)

    @property
    def gains(self) -> Mapping[str, Sequence[str]]:
        return self._by_permission(lambda edit: _more(edit.after, edit.before))

    @property
    def loses(self) -> Mapping[str, Sequence[str]]:
        return self._by_permission(lambda edit: _more(edit.before, edit.after))

    def _by_permission(self, names: "Callable[[KeyEdit], Iterable[str]]") -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for edit in self.edits:
            for permission in names(edit):
                found.setdefault(permission, []).extend(edit.ids)
        return {permission: found[permission] for permission in sorted(found)}

    def told(self, seq: int | None, spread: Propagation, *, is_preview: bool = False) -> RoleChange:
        return RoleChange(
            role=self.role,
            seq=seq,
            keys=self.holders,
            gains=self.gains,
            loses=self.loses,
            propagation=spread,
            is_preview=is_preview,
        )


def _more(one: APIKey, other: APIKey) -> Iterable[str]:
    """The permissions of one that the other has not, or not on all that the one has them on."""
    of_one, of_other = one.granted, other.granted
    return (name for name in one.permissions if not covers_permission(of_other, of_one, name))


async def _edited(
    change: "Change",
    authority: Authority,
    place: tuple[str | None, str],
    edit: Edit,
    *,
    with_terms: bool,
    force: bool,
    preview: bool,
) -> _Made:
    """Edit the role, and the keys that hold it."""
    from gatepost.database import EITHER_KIND, Filter  # noqa: PLC0415 - SQLAlchemy likewise

    project, name = place
    role = (await change.roles.read([name])).get(place)
    bound = authority.bounds.get("project")
    if role is None or (bound is not None and project not in (None, bound)):
        raise RoleNotFoundError(name, project)
    authority.check_project(project)
    after = edit(role)
    given = _given(role, after)
    authority.check_grant(given)
    if after == role:
        return _Made(role, False, (), ())
    wanted = Filter(role=name, project=project, kind=EITHER_KIND)
    holders = await change.alike(wanted, HOLDERS_MAX, with_terms=with_terms)
    edits: list[KeyEdit] = []
    if after is None or (after.permissions, after.resources) != (role.permissions, role.resources):
        known = dict(await change.roles.read({each for key, _ in holders.kinds for each in key.roles}))
        if after is None:
            known.pop(place, None)  # of a role that nobody holds it has none
        else:
            known[place] = after
        asked = await Asked.of(change, [key.project for key, _ in holders.kinds])
        for before, ids in holders.kinds:
            key = _regranted(before, known, name if after is None else None)
            _check(authority, before, key, ids, by_role=given, force=force)
            asked.check_edit(before, key)
            edits.append(key_edit(before, key, role=name, ids=ids))
    edits = [each for each in edits if each.values]
    if not preview:
        if after is None:
            await change.roles.remove(role)
        else:
            after = await change.roles.set(role, after)
        if edits:
            await change.update_keys(edits)
    return _Made(after, True, holders.ids, edits)


def _given(before: Role, after: Role | None) -> Set[str]:
    """The permissions that an edit of a role hands out: those added, and all where they are to hold on more."""
    if after is None:
        return frozenset()
    is_wider = not within_resources(after.resources, before.resources)
    return after.permissions if is_wider else after.permissions - before.permissions


def _regranted(before: APIKey, known: Mapping[tuple[str | None, str], Role], gone: str | None) -> APIKey:
    """The key with what its roles give it now. `gone`: a role that it does not hold any more."""
    own = own_permissions(before)
    roles = tuple(each for each in before.roles if each != gone)
    return replace(
        before,
        roles=roles,
        permissions=granted(own, roles, before.project, known),
        own_permissions=own if roles else None,
        role_resources=limited_by_roles(own, roles, before.project, known),
    )


def _check(
    authority: Authority, before: APIKey, after: APIKey, ids: Sequence[str], *, by_role: Set[str], force: bool
) -> None:
    """Raise `AccessDeniedError`, `ForceNeededError` where the actor may not make this of keys that hold the role: of
    one that it does not reach it is told no more than that there is one. `before`: one of them; `ids`: of all."""
    if (own := authority.actor.key_id) is not None and own in ids:
        before, after = replace(before, id=own), replace(after, id=own)
    if not authority.reaches(before):
        raise AccessDeniedError("Keys that you do not manage hold this role")
    try:
        check_edit(authority, before, after, by_role=by_role, force=force)
    except (AccessDeniedError, ForceNeededError) as refusal:
        refusal.args = (f"Key {before.id} holds this role. {refusal}",)
        raise


def _written(catalogue: type[Catalogue], names: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    permissions, patterns = catalogue.expand(names)
    return permissions, tuple(patterns)


def _described(description: str) -> str:
    return checked_description(description) if description else ""
