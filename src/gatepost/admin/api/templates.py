"""Templates and temporary secrets: what calls give, what each does, what it answers. The docstrings are the
document's."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.admin.api.endpoints import etag
from gatepost.admin.api.shapes import (
    Call,
    Changes,
    Forcing,
    IfMatch,
    IfNoneMatch,
    Key,
    KeyChanges,
    KeyFilter,
    KeyLimits,
    Moment,
    NewKey,
    Nothing,
    PermissionName,
    Reply,
    Resources,
    Waiting,
    arguments_of,
    chosen,
    given,
    key_members,
    settled,
)
from gatepost.base import NETWORKS_MAX
from gatepost.temporary import LIFETIME_MAX, ORIGINS_MAX, SUBJECT_BYTES_MAX, TemporarySecret
from gatepost.temporary import Template as Made

_Lifetime = Annotated[
    int,
    Meta(ge=1, le=LIFETIME_MAX, description="Most seconds that what is issued lives; so long unless told otherwise."),
]
_Origins = Annotated[
    list[Annotated[str, Meta(max_length=200, examples=["https://www.example.org"])]],
    Meta(
        min_length=1,
        max_length=ORIGINS_MAX,
        description="Of the web pages that may use what is issued; null: `Origin` is not asked.",
    ),
]
_Public = Annotated[bool, Meta(description="Whether anybody who knows the id gets one, where the app hands them out.")]


class NewTemplate(NewKey, forbid_unknown_fields=True):
    """A template to be made."""

    lifetime: _Lifetime | UnsetType = UNSET
    origins: _Origins | UnsetType | None = UNSET
    public: _Public | UnsetType = UNSET


class TemplateChanges(KeyChanges, forbid_unknown_fields=True):
    """What shall be different about a template: at least one member. What is left out stays."""

    lifetime: _Lifetime | UnsetType = UNSET
    origins: _Origins | UnsetType | None = UNSET
    public: _Public | UnsetType = UNSET


class Narrowed(Struct, forbid_unknown_fields=True):
    """What a temporary secret is narrowed to. What is left out is as of its parent."""

    permissions: Annotated[list[PermissionName], Meta(description="Of those of its parent.")] | UnsetType = UNSET
    allow: (
        Annotated[
            list[Annotated[str, Meta(max_length=50)]],
            Meta(max_length=NETWORKS_MAX, description="Networks within its parent's; empty: nowhere."),
        ]
        | UnsetType
        | None
    ) = UNSET
    limits: KeyLimits | UnsetType = UNSET
    lifetime: (
        Annotated[int, Meta(ge=1, le=LIFETIME_MAX, description="Seconds; at most the template's.")] | UnsetType
    ) = UNSET
    subject: (
        Annotated[str, Meta(min_length=1, max_length=SUBJECT_BYTES_MAX, description="Whom the app must confirm.")]
        | UnsetType
        | None
    ) = UNSET
    resources: Resources | UnsetType | None = UNSET


class Template(Key):
    """A template of temporary secrets. `lifetime`, `origins`, `public`: null and false where nobody can read them."""

    lifetime: Annotated[int | None, Meta(description="Most seconds that what is issued lives.")]
    origins: Annotated[Sequence[str] | None, Meta(description="Of the pages that may use it; null: any.")]
    public: bool

    @classmethod
    def told(cls, made: Made) -> Self:
        """The template, told."""
        terms = made.terms
        lifetime, origins = (None, None) if terms is None else (terms.lifetime, terms.origins)
        return cls(
            **key_members(made.key), lifetime=lifetime, origins=origins, public=terms is not None and terms.public
        )


class Templates(Struct):
    """One page of templates. `next`, `previous`: as for keys."""

    items: Sequence[Template]
    next: str | None
    previous: str | None


class Issued(Struct):
    """A temporary secret, which is told only here and only now. `key_id`: of what it was made from."""

    id: Annotated[str, Meta(description="Tells it from others; nobody keeps it.")]
    secret: str
    key_id: str
    expires_at: Moment
    permissions: Sequence[str]
    subject: str | None
    resources: Sequence[str] | None

    @classmethod
    def of(cls, made: TemporarySecret) -> Self:
        """The secret, told."""
        told = (
            made.id,
            made.secret,
            made.key_id,
            made.expires_at,
            sorted(made.permissions),
            made.subject,
            made.resources,
        )
        return cls(*told)


async def list_templates(call: Call[KeyFilter, Nothing, Nothing]) -> Reply:
    """List templates, page by page.

    Only those of the caller's own project, where it has one.
    """
    page = await call.keys.templates.list(**chosen(call.query), actor=call.actor)
    return Reply(Templates([Template.told(each) for each in page.items], page.next, page.previous))


async def create_template(call: Call[Nothing, Nothing, NewTemplate]) -> Reply:
    """Make a template.

    Nobody grants a permission that they do not hold.
    """
    made = await call.keys.templates.create(**arguments_of(call.body), actor=call.actor)
    headers = {"Location": f"{call.root}/templates/{made.id}", "ETag": etag(made.key)}
    return Reply(Template.told(made), HTTPStatus.CREATED, headers)


async def read_template(call: Call[Nothing, IfNoneMatch, Nothing]) -> Reply:
    """Read a template."""
    made = await call.keys.templates.get(call.key_id, actor=call.actor)
    headers = {"ETag": etag(made.key)}
    if call.headers.matches(etag(made.key)):
        return Reply(None, HTTPStatus.NOT_MODIFIED, headers)
    return Reply(Template.told(made), HTTPStatus.OK, headers)


async def update_template(call: Call[Forcing, IfMatch, TemplateChanges]) -> Reply:
    """Change a template.

    Where that takes something away, the answer comes once every worker acts on it: also for what was issued.
    """
    edit = call.keys.templates.update(
        call.key_id,
        **arguments_of(call.body),
        **given(call.query),
        if_version=call.headers.version,
        actor=call.actor,
    )
    return await _told(edit)


async def delete_template(call: Call[Waiting, IfMatch, Nothing]) -> Reply:
    """Delete a template for good.

    The answer comes once every worker refuses what was issued of it.
    """
    deletion = call.keys.templates.delete(
        call.key_id, if_version=call.headers.version, **given(call.query), actor=call.actor
    )
    receipt, status = await settled(deletion)
    return Reply(Changes.of(receipt, [call.key_id]), status)


async def rotate_template(call: Call[Waiting, IfMatch, Nothing]) -> Reply:
    """End all temporary secrets that were issued of a template so far.

    Those that are issued from now on work.
    """
    rotation = call.keys.templates.rotate(
        call.key_id, if_version=call.headers.version, **given(call.query), actor=call.actor
    )
    return await _told(rotation)


async def activate_template(call: Call[Waiting, Nothing, Nothing]) -> Reply:
    """Switch a template on."""
    switch = call.keys.templates.activate(call.key_id, **given(call.query), actor=call.actor)
    receipt, status = await settled(switch)
    return Reply(Changes.of(receipt, [call.key_id]), status)


async def deactivate_template(call: Call[Waiting, Nothing, Nothing]) -> Reply:
    """Switch a template off.

    The answer comes once every worker refuses what was issued of it.
    """
    switch = call.keys.templates.deactivate(call.key_id, **given(call.query), actor=call.actor)
    receipt, status = await settled(switch)
    return Reply(Changes.of(receipt, [call.key_id]), status)


async def issue_of_template(call: Call[Nothing, Nothing, Narrowed]) -> Reply:
    """Issue a temporary secret of a template.

    The caller needs every permission of the template.
    """
    await call.keys.templates.get(call.key_id, actor=call.actor)
    return await issue_of_key(call)


async def issue_of_key(call: Call[Nothing, Nothing, Narrowed]) -> Reply:
    """Issue a temporary secret of a key.

    The caller needs every permission of the key.
    """
    issued = await call.keys.issue_temporary(call.key_id, **arguments_of(call.body), actor=call.actor)
    return Reply(Issued.of(issued), HTTPStatus.CREATED)


async def _told(change: Any) -> Reply:
    made, status = await settled(change)
    template = made if isinstance(made, Made) else Made.of(made)
    return Reply(Template.told(template), status, {"ETag": etag(template.key)})
