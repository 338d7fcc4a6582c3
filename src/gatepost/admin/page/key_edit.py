"""Making a key, and editing one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from gatepost.admin.page.banner import Banner, spread_banner
from gatepost.admin.page.key_secret import secret_response
from gatepost.admin.page.key_view import show_back
from gatepost.admin.page.picker import picker, pressed
from gatepost.admin.page.projects import Projects, projects_of
from gatepost.admin.page.roles_known import roles_of
from gatepost.admin.page.told import REFUSALS, date, full, refusal_status
from gatepost.admin.page.typed import (
    ANYWHERE,
    KEEP,
    LISTED,
    NEVER,
    NOWHERE,
    ON_DATE,
    SPANS,
    KeyForm,
    new_idempotency_key,
    own_permissions,
    resources_word,
)
from gatepost.admin.page.visit import WAIT_SECONDS, Visit
from gatepost.base import (
    APIKey,
    BadInputError,
    EditedKey,
    IdempotencyError,
    StaleKeyError,
    StillSpreadingError,
    limit_text,
    metadata_text,
)
from gatepost.rules import UNSET, Authority


async def show_new(visit: Visit) -> Response:
    """The form for a new key."""
    Authority(visit.actor).check_manage()
    return await _form(visit, KeyForm.blank())


async def create(visit: Visit) -> Response:
    """Make a key, and tell its secret."""
    form = KeyForm.typed(visit.fields)
    if "choose" in visit.fields or visit.is_shown_again:
        return await _form(visit, replace(form, permissions=pressed(visit, form.permissions)))
    try:
        issued = await visit.keys.create(
            form.description,
            sorted(form.permissions),
            roles=form.roles or (),
            project=(form.project or None) if visit.actor.project is None else UNSET,
            expires_at=form.expires_at(visit.now),
            allow=form.allow,
            resources=form.reach.resources,
            limits=form.limits or (),
            owner=form.owner or None,
            environment=form.environment or UNSET,
            metadata=form.metadata or {},
            idempotency_key=form.idempotency_key,
            actor=visit.actor,
        )
    except IdempotencyError:
        again = replace(form, idempotency_key=new_idempotency_key())
        return await _form(
            visit, again.with_message("This form has made a key already. To make another, send it again."), 409
        )
    except REFUSALS as refusal:
        return await _form(visit, form.with_error(refusal), refusal_status(refusal))
    return secret_response(visit, issued.key, issued.secret, "created")


async def show_edit(visit: Visit) -> Response:
    """The form for an edit."""
    Authority(visit.actor).check_manage()
    key = await visit.keys.get(visit.request.path_params["key_id"], actor=visit.actor)
    return await _form(visit, KeyForm.of(key), key=key)


async def edit(visit: Visit) -> Response:
    """Change what was typed otherwise, unless somebody else has changed the key since."""
    key = await visit.keys.get(visit.request.path_params["key_id"], actor=visit.actor)
    form = KeyForm.typed(visit.fields)
    if "choose" in visit.fields or visit.is_shown_again:
        return await _form(visit, replace(form, permissions=pressed(visit, form.permissions)), key=key)
    try:
        edited = await _update(visit, form, key)
    except StillSpreadingError as spreading:
        edited = spreading.result
    except StaleKeyError as stale:
        again = replace(form, version=stale.key.version)
        return await _form(visit, again, 409, key=stale.key, theirs=_both(form, stale.key))
    except REFUSALS as refusal:
        return await _form(visit, form.with_error(refusal), refusal_status(refusal), key=key)
    if edited is None:
        return await show_back(visit, Banner("success", "Nothing was changed", subject=key.description))
    banner = spread_banner(edited.description, "Saved", edited.propagation, "In force everywhere")
    return await show_back(visit, banner)


async def _update(visit: Visit, form: KeyForm, key: APIKey) -> EditedKey | None:
    """Change what differs from how the key is now; `None` where nothing does."""
    changes: dict[str, Any] = {}
    if form.description != key.description:
        changes["description"] = form.description
    if form.permissions != own_permissions(key):
        changes["permissions"] = sorted(form.permissions)
    if form.roles is not None and form.roles != key.roles:
        changes["roles"] = form.roles
    expires_at = form.expires_at(visit.now, key.expires_at)
    if expires_at != key.expires_at:
        changes["expires_at"] = expires_at
    changes |= _bounds(form, key)
    limits = form.limits
    if limits is not None and limits != key.limits:
        changes["limits"] = limits
    if form.owner is not None and (form.owner or None) != key.owner:
        changes["owner"] = form.owner or None
    if form.metadata is not None and metadata_text(form.metadata) != metadata_text(key.metadata):
        changes["metadata"] = form.metadata
    if not changes:
        return None
    edited: EditedKey = await visit.keys.update(
        key.id, **changes, if_version=form.version, force=form.force, actor=visit.actor, timeout=WAIT_SECONDS
    )
    return edited


def _bounds(form: KeyForm, key: APIKey) -> Mapping[str, Any]:
    """What differs of where it may be used, and of what its permissions hold on; an older form may not have asked."""
    changes: dict[str, Any] = {}
    if form.places and form.allow != key.allow:
        changes["allow"] = form.allow
    if form.reach.differs(key.resources):
        changes["resources"] = form.reach.resources
    return changes


def _both(form: KeyForm, key: APIKey) -> Sequence[tuple[str, str, str]]:
    """What somebody else has made of the key, beside what was typed: label, now, typed."""
    expiry = "never" if key.expires_at is None else full(key.expires_at)
    typed_expiry = {NEVER: "never", KEEP: expiry, ON_DATE: form.date, **SPANS}.get(form.expires, "")
    typed_networks = ANYWHERE if form.places != LISTED else " ".join(form.networks.split()) or NOWHERE
    told = [
        ("Description", key.description, form.description),
        ("Permissions", ", ".join(sorted(own_permissions(key))), ", ".join(sorted(form.permissions))),
        ("Roles", ", ".join(key.roles), ", ".join(key.roles if form.roles is None else form.roles)),
        ("Expires", expiry, typed_expiry),
        ("May be used from", _allow_text(key.allow), typed_networks),
        ("Permissions hold on", resources_word(key.resources), _reach_typed(form, key)),
        ("Limits", " ".join(map(limit_text, key.limits)), " ".join((form.limits_typed or "").split())),
        ("Owner", key.owner or "", key.owner or "" if form.owner is None else form.owner),
        ("Metadata", metadata_text(key.metadata) or "", _metadata_typed(form, key)),
    ]
    return [(label, now or "none", typed or "none") for label, now, typed in told if now != typed]


def _metadata_typed(form: KeyForm, key: APIKey) -> str:
    try:
        typed = key.metadata if form.metadata is None else form.metadata
    except BadInputError:
        return form.metadata_typed or ""
    return metadata_text(typed) or ""


def _reach_typed(form: KeyForm, key: APIKey) -> str:
    return form.reach.word if form.reach.choice else resources_word(key.resources)


def _allow_text(allow: Sequence[str] | None) -> str:
    """The networks that a key may be used from."""
    return ANYWHERE if allow is None else " ".join(allow) or NOWHERE


async def _form(
    visit: Visit,
    form: KeyForm,
    status_code: int = 200,
    *,
    key: APIKey | None = None,
    theirs: Sequence[tuple[str, str, str]] | None = None,
) -> Response:
    """`key`: the one that is edited. `theirs`: what somebody else has made of it meanwhile."""
    had = frozenset[str]() if key is None else own_permissions(key)
    return visit.render(
        "key_form.html",
        status_code,
        form=form,
        key=key,
        theirs=theirs,
        roles=await roles_of(visit, key),
        projects=await projects_of(visit) if key is None else Projects((), is_all=True),
        **picker(visit, form.permissions, had),
        spans=_spans(visit.now),
        today=visit.now.date().isoformat(),
    )


def _spans(now: datetime) -> Mapping[str, str]:
    """The choices of an expiry, with the day that each means: `In 90 days: 27 Feb 2027`."""
    return {days: f"{label}: {date(now + timedelta(days=int(days)))}" for days, label in SPANS.items()}
