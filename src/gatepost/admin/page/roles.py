"""Roles: the list of them, making one; and editing or deleting one, which tells first who gains and loses what."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from gatepost.admin.page.banner import Banner, spread_text
from gatepost.admin.page.names import NAMED_MAX, names_of
from gatepost.admin.page.picker import picker, pressed
from gatepost.admin.page.projects import Projects, projects_of
from gatepost.admin.page.roles_known import roles_of
from gatepost.admin.page.told import REFUSALS, refusal_status, sentence
from gatepost.admin.page.typed import RoleForm, resources_word
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.base import ForceNeededError, StillSpreadingError
from gatepost.rules import UNSET, Authority, Role, RoleChange


async def show_roles(visit: Visit) -> Response:
    """The list."""
    Authority(visit.actor).check_look()
    return await _list(visit)


async def show_new(visit: Visit) -> Response:
    """The form for a new role."""
    Authority(visit.actor).check_manage()
    return await _form(visit, RoleForm())


async def create(visit: Visit) -> Response:
    """Make a role, which nobody holds yet."""
    form = RoleForm.typed(visit.fields)
    if "choose" in visit.fields or visit.is_shown_again:
        return await _form(visit, replace(form, permissions=pressed(visit, form.permissions)))
    try:
        role = await visit.keys.roles.create(
            form.name,
            sorted(form.permissions),
            project=(form.project or None) if visit.actor.project is None else UNSET,
            description=form.description,
            resources=form.reach.resources,
            actor=visit.actor,
        )
    except REFUSALS as refusal:
        return await _form(visit, form.with_error(refusal), refusal_status(refusal))
    return await _list(visit, Banner("success", "Role made", "No key holds it yet.", role.name))


async def show_edit(visit: Visit) -> Response:
    """The form for an edit."""
    Authority(visit.actor).check_manage()
    role = await _role(visit)
    return await _form(visit, RoleForm.of(role), role=role)


async def edit(visit: Visit) -> Response:
    """Tell what an edit would do; and do it, once that was told."""
    role = await _role(visit)
    form = replace(RoleForm.typed(visit.fields), name=role.name, project=role.project or "")
    if "choose" in visit.fields or "back_to_form" in visit.fields or visit.is_shown_again:
        return await _form(visit, replace(form, permissions=pressed(visit, form.permissions)), role=role)
    changes: dict[str, Any] = {}
    if form.description != role.description:
        changes["description"] = form.description
    if form.permissions != role.permissions:
        changes["permissions"] = sorted(form.permissions)
    try:
        if form.reach.differs(role.resources):  # an older form may not have asked
            changes["resources"] = form.reach.resources
        if not changes:
            return await _list(visit, Banner("success", "Nothing was changed", subject=role.name))
        return await _told_first(visit, role, form, changes)
    except REFUSALS as refusal:
        return await _form(visit, form.with_error(refusal), refusal_status(refusal), role=role)


async def show_delete(visit: Visit) -> Response:
    """Tell what a deletion would do, and ask whether to."""
    Authority(visit.actor).check_manage()
    role = await _role(visit)
    return await _told_first(visit, role, RoleForm.of(role), None)


async def delete(visit: Visit) -> Response:
    """Do it, if it does still what was told."""
    role = await _role(visit)
    form = RoleForm.typed(visit.fields)
    return await _told_first(visit, role, replace(form, seen="") if visit.is_shown_again else form, None)


async def _told_first(visit: Visit, role: Role, form: RoleForm, changes: Mapping[str, Any] | None) -> Response:
    """Edit the role, or delete it without `changes`, where the form was sent from the question that tells what would
    come of it now; else ask that. Raises `REFUSALS` of an edit that cannot be made at all."""
    preview = await _change(visit, role, changes, preview=True, force=True)
    if form.seen != _digest(role, preview):
        return await _question(visit, role, form, changes, preview)
    try:
        change = await _change(visit, role, changes, force=form.force)
    except StillSpreadingError as spreading:
        change = spreading.result
    except ForceNeededError as refusal:
        return await _question(visit, role, form, changes, preview, refusal)
    word = "Role edited" if changes is not None else "Role deleted"
    kind = "success" if change.propagation.complete or not change.loses else "warning"
    spread = spread_text(change.propagation, "In force everywhere") if change.loses else ""
    return await _list(visit, Banner(kind, word, spread, role.name))  # type: ignore[arg-type]


async def _change(
    visit: Visit, role: Role, changes: Mapping[str, Any] | None, *, preview: bool = False, force: bool
) -> RoleChange:
    how = {"project": role.project, "preview": preview, "force": force, "actor": visit.actor, "timeout": WAIT_SECONDS}
    if changes is None:
        return await visit.keys.roles.delete(role.name, **how)  # type: ignore[arg-type]
    return await visit.keys.roles.update(role.name, **changes, **how)  # type: ignore[arg-type]


async def _role(visit: Visit) -> Role:
    """The role that the path names. Raises `RoleNotFoundError`."""
    of = visit.fields if visit.request.method == "POST" else visit.request.query_params
    project = str(of.get("project", "")) or None
    return await visit.keys.roles.get(visit.request.path_params["name"], project=project, actor=visit.actor)


def _digest(role: Role, preview: RoleChange) -> str:
    """What tells one preview from another: who would gain and lose what, and what the role is until then."""
    told: list[Any] = [role.description, sorted(role.permissions), role.resources, sorted(preview.keys)]
    told += [{name: sorted(ids) for name, ids in of.items()} for of in (preview.gains, preview.loses)]
    after = preview.role
    told += [None if after is None else [after.description, sorted(after.permissions), after.resources]]
    return blake2b(orjson.dumps(told), digest_size=16).hexdigest()


async def _list(visit: Visit, banner: Banner | None = None) -> Response:
    return visit.render("roles.html", roles=await roles_of(visit), banner=banner, link=_link, at="roles")


async def _question(  # noqa: PLR0917 - what was asked, what would come of it, what stands against it
    visit: Visit,
    role: Role,
    form: RoleForm,
    changes: Mapping[str, Any] | None,
    preview: RoleChange,
    refusal: ForceNeededError | None = None,
) -> Response:
    """Ask. It is said that things have changed where another preview was seen."""
    told = _digest(role, preview)
    ids = dict.fromkeys(each for of in (preview.loses, preview.gains) for names in of.values() for each in names)
    return visit.render(
        "role_change.html",
        200 if refusal is None else refusal_status(refusal),
        role=role,
        form=form,
        is_edit=changes is not None,
        preview=preview,
        reaches=_reaches(role, preview),
        told=told,
        has_changed=bool(form.seen) and form.seen != told,
        names=await names_of(visit, list(ids)),
        named=NAMED_MAX,
        is_own=visit.actor.key_id in {each for of in preview.loses.values() for each in of},
        path=f"roles/{role.name}/{'delete' if changes is None else 'edit'}",
        error=None if refusal is None else sentence(refusal),
    )


def _reaches(role: Role, preview: RoleChange) -> tuple[str, str] | None:
    """What the permissions of a role hold on now, and would then; `None` where that is the same, or it goes."""
    after = preview.role
    if after is None or after.resources == role.resources:
        return None
    return resources_word(role.resources), resources_word(after.resources)


async def _form(visit: Visit, form: RoleForm, status_code: int = 200, *, role: Role | None = None) -> Response:
    had = frozenset[str]() if role is None else role.permissions
    return visit.render(
        "role_form.html",
        status_code,
        form=form,
        role=role,
        subject="role",
        projects=await projects_of(visit) if role is None else Projects((), is_all=True),
        **picker(visit, form.permissions, had),
    )


def _link(role: Role, verb: str) -> str:
    """The path of a task, below the page's root."""
    return f"roles/{role.name}/{verb}" + (f"?project={quote(role.project, safe='')}" if role.project else "")
