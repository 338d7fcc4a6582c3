"""What each route does: calls one verb, and tells what that answered. The docstrings are the document's."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from gatepost.admin.api.shapes import (
    Call,
    Counting,
    EventFilter,
    Forcing,
    Idempotency,
    IfMatch,
    IfNoneMatch,
    KeyChanges,
    KeyEventFilter,
    KeyFilter,
    KeyIds,
    LimitsLeft,
    ManyUsageFilter,
    NewKey,
    Nothing,
    Paging,
    ProjectPaging,
    Reply,
    Rotation,
    SelectedChanges,
    SelectedKeys,
    UsageFilter,
    Waiting,
    answers,
    arguments_of,
    chosen,
    given,
    settled,
)
from gatepost.base import APIKey


async def list_keys(call: Call[KeyFilter, Nothing, Nothing]) -> Reply:
    """List keys, page by page.

    Only those of the caller's own project, where it has one.
    """
    page = await call.keys.list(**chosen(call.query), actor=call.actor)
    return Reply(answers.Keys([answers.Key.of(key) for key in page.items], page.next, page.previous))


async def count_keys(call: Call[Counting, Nothing, Nothing]) -> Reply:
    """Count keys.

    At most 10,000 are looked at. Only those of the caller's own project, where it has one.
    """
    total = await call.keys.count(**chosen(call.query), actor=call.actor)
    return Reply(answers.Total(total.number, total.exact))


async def list_projects(call: Call[ProjectPaging, Nothing, Nothing]) -> Reply:
    """List the projects that have keys, by name.

    Only the caller's own project, where it has one.
    """
    page = await call.keys.projects(**given(call.query), actor=call.actor)
    return Reply(answers.Projects(page.items, page.next))


async def read_usage(call: Call[UsageFilter, Nothing, Nothing]) -> Reply:
    """Read how often a key was used.

    Refusals are included. Up to a minute behind. Also of a key that was deleted, for callers of no project.
    """
    lines = await call.keys.usage(call.key_id, **call.query.choice, actor=call.actor)
    return Reply(answers.Usage([answers.UsageLine.of(line) for line in lines]))


async def read_many_usage(call: Call[ManyUsageFilter, Nothing, Nothing]) -> Reply:
    """Read how often the keys of an owner, for an environment, or with some metadata, were used, all together.

    Without any of these: what came without the secret of any key, for callers of no project.
    """
    lines = await call.keys.usage(None, **call.query.choice, actor=call.actor)
    return Reply(answers.Usage([answers.UsageLine.of(line) for line in lines]))


async def create_key(call: Call[Nothing, Idempotency, NewKey]) -> Reply:
    """Make a key.

    Nobody grants a permission that they do not hold. The secret is told in the answer, and never again.
    """
    issued = await call.keys.create(**arguments_of(call.body), **given(call.headers), actor=call.actor)
    location = f"{call.root}/keys/{issued.key.id}"
    return Reply(answers.NewSecret.of(issued), HTTPStatus.CREATED, {"Location": location, "ETag": etag(issued.key)})


async def read_key(call: Call[Nothing, IfNoneMatch, Nothing]) -> Reply:
    """Read a key."""
    return await _told_key(call, call.key_id)


async def read_caller(call: Call[Nothing, IfNoneMatch, Nothing]) -> Reply:
    """Read the key that this call uses.

    Needs no permission.
    """
    return await _told_key(call, call.caller_id)


async def update_key(call: Call[Forcing, IfMatch, KeyChanges]) -> Reply:
    """Change a key's description, permissions, expiry, owner, metadata, where it may be used from, or how much.

    Where that takes something away, the answer comes once every worker acts on it.
    """
    edit = call.keys.update(
        call.key_id,
        **arguments_of(call.body),
        **given(call.query),
        if_version=call.headers.version,
        actor=call.actor,
    )
    key, status = await settled(edit)
    return Reply(answers.ChangedKey.of_edit(key), status, {"ETag": etag(key)})


async def read_limits(call: Call[Nothing, Nothing, Nothing]) -> Reply:
    """Read what is left of a key's limits.

    Of quotas, what no worker has leased.
    """
    return Reply(LimitsLeft.of(await call.keys.limits(call.key_id, actor=call.actor)))


async def reset_limits(call: Call[Waiting, IfMatch, Nothing]) -> Reply:
    """Count anew for all limits of a key.

    A key cannot do it for itself. The answer comes once every worker acts on it.
    """
    reset = call.keys.reset_limits(call.key_id, **given(call.query), if_version=call.headers.version, actor=call.actor)
    key, status = await settled(reset)
    return Reply(answers.ChangedKey.of_edit(key), status, {"ETag": etag(key)})


async def delete_key(call: Call[Forcing, IfMatch, Nothing]) -> Reply:
    """Delete a key for good.

    The answer comes once every worker refuses it.
    """
    deletion = call.keys.delete(call.key_id, **given(call.query), if_version=call.headers.version, actor=call.actor)
    receipt, status = await settled(deletion)
    return Reply(answers.Changes.of(receipt, [call.key_id]), status)


async def rotate_key(call: Call[Forcing, IfMatch, Rotation]) -> Reply:
    """Give a key a new secret.

    The one before goes on working for `grace` seconds, and is told as `old_secret` until then. The new secret is told
    in the answer, and never again.
    """
    rotation = call.keys.rotate(
        call.key_id, **given(call.body), **given(call.query), if_version=call.headers.version, actor=call.actor
    )
    issued, status = await settled(rotation)
    return Reply(answers.NewSecret.of(issued), status, {"ETag": etag(issued.key)})


async def reveal_key(call: Call[Nothing, Nothing, Nothing]) -> Reply:
    """Tell a key's secret again.

    Only where secrets are also stored encrypted. It is noted in the audit log.
    """
    return Reply(answers.Secret(await call.keys.reveal(call.key_id, actor=call.actor)))


async def activate_keys(call: Call[Waiting, Nothing, KeyIds]) -> Reply:
    """Switch keys on, all in one transaction.

    Nobody switches on a key that holds a permission which they do not hold.
    """
    return await _changed(call, call.keys.activate)


async def deactivate_keys(call: Call[Forcing, Nothing, KeyIds]) -> Reply:
    """Switch keys off, all in one transaction.

    The answer comes once every worker refuses them.
    """
    return await _changed(call, call.keys.deactivate)


async def end_grace(call: Call[Forcing, Nothing, KeyIds]) -> Reply:
    """End the older secrets that rotations left working for a while, all in one transaction.

    The current ones stay. The answer comes once every worker refuses the older ones.
    """
    return await _changed(call, call.keys.end_grace)


async def activate_selected(call: Call[Waiting, Nothing, SelectedKeys]) -> Reply:
    """Switch on all keys that fit, at most 10,000, in one transaction; or tell what that would do."""
    return await _changed(call, call.keys.activate)


async def deactivate_selected(call: Call[Forcing, Nothing, SelectedKeys]) -> Reply:
    """Switch off all keys that fit, at most 10,000, in one transaction; or tell what that would do.

    The answer comes once every worker refuses them.
    """
    return await _changed(call, call.keys.deactivate)


async def end_grace_selected(call: Call[Forcing, Nothing, SelectedKeys]) -> Reply:
    """End the older secrets of all keys that fit, at most 10,000, in one transaction; or tell what that would do.

    The current ones stay. The answer comes once every worker refuses the older ones.
    """
    return await _changed(call, call.keys.end_grace)


async def delete_selected(call: Call[Forcing, Nothing, SelectedKeys]) -> Reply:
    """Delete all keys that fit for good, at most 10,000, in one transaction; or tell what that would do.

    The answer comes once every worker refuses them.
    """
    return await _changed(call, call.keys.delete)


async def update_selected(call: Call[Forcing, Nothing, SelectedChanges]) -> Reply:
    """Give all keys that fit, at most 10,000, the same, in one transaction; or tell what that would do.

    Where that takes something away, the answer comes once every worker acts on it.
    """
    return await _changed(call, call.keys.update, **arguments_of(call.body.changes))


async def list_made_keys(call: Call[Paging, Nothing, Nothing]) -> Reply:
    """List the keys that a key made, those that these made, and so on.

    What is left of a key that leaked, newest first; it may be deleted itself.
    """
    page = await call.keys.made_by(call.key_id, **given(call.query), actor=call.actor)
    return Reply(answers.Keys([answers.Key.of(key) for key in page.items], page.next, page.previous))


async def list_key_events(call: Call[KeyEventFilter, Nothing, Nothing]) -> Reply:
    """Read the audit log of one key, newest first."""
    page = await call.keys.events(call.key_id, **call.query.choice, actor=call.actor)
    return Reply(answers.Events([answers.Event.of(event) for event in page.items], page.next))


async def list_events(call: Call[EventFilter, Nothing, Nothing]) -> Reply:
    """Read the audit log, newest first.

    Only what happened to keys of the caller's own project, where it has one.
    """
    page = await call.keys.events(**call.query.choice, actor=call.actor)
    return Reply(answers.Events([answers.Event.of(event) for event in page.items], page.next))


async def list_permissions(call: Call[Nothing, Nothing, Nothing]) -> Reply:
    """List the permissions that exist.

    Needs no permission.
    """
    return Reply(answers.Permissions([answers.Permission(str(name), name.sentence) for name in call.keys.catalogue]))


def etag(key: APIKey) -> str:
    """The entity tag of a key: strong, its version (RFC 9110, section 8.8.3)."""
    return f'"{key.version}"'


async def _told_key(call: Call[Nothing, IfNoneMatch, Nothing], key_id: str) -> Reply:
    """The key, or that the caller knows it already."""
    key = await call.keys.get(key_id, actor=call.actor)
    headers = {"ETag": etag(key)}
    if call.headers.matches(etag(key)):
        return Reply(None, HTTPStatus.NOT_MODIFIED, headers)
    return Reply(answers.Key.of(key), HTTPStatus.OK, headers)


async def _changed(
    call: Call[Any, Nothing, KeyIds] | Call[Any, Nothing, SelectedKeys] | Call[Any, Nothing, SelectedChanges],
    verb: Callable[..., Awaitable[Any]],
    **changes: Any,
) -> Reply:
    """What a verb did to the keys that the body names by their ids, or by what they are."""
    body, how = call.body, {**changes, **given(call.query), "actor": call.actor}
    if isinstance(body, KeyIds):
        receipt, status = await settled(verb(body.ids, **how))
        return Reply(answers.Changes.of(receipt, body.ids), status)
    receipt, status = await settled(verb(body.selection.selection, preview=body.preview, **how))
    return Reply(answers.Changes.of(receipt), status)
