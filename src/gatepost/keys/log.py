"""Looking at the audit log: what was done, and which keys a key has made."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gatepost.base import (
    ACTOR_ID_MAX,
    EVENT_KINDS,
    Actor,
    ActorKind,
    APIKey,
    BadInputError,
    ChangeEvent,
    Page,
    checked_members,
)
from gatepost.keys.listing import get_key
from gatepost.keys.parts import Parts
from gatepost.rules import (
    UNNAMED,
    Authority,
    check_id,
    checked_actor,
    checked_bound,
    checked_choice,
    checked_environment,
    checked_limit,
    checked_owner,
    checked_project,
    checked_text,
)

_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})\Z")
"""Seq and number, within what the columns hold."""


READING = "Reading the audit log"


async def list_events(
    parts: Parts,
    key_id: str | None = None,
    *,
    kind: str | None = None,
    project: str | None = None,
    owner: str | None = None,
    environment: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    by_kind: str | None = None,
    by_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
    actor: str | Actor = UNNAMED,
) -> Page[ChangeEvent]:
    """`APIKeys.events`, which tells of it in full."""
    from gatepost.database import HasMember, LogPage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    authority = Authority(checked_actor(actor))
    authority.check_look(key_id)
    if key_id is not None:
        check_id(key_id)
    asked: dict[str, Any] = {"project": checked_project(project), "environment": checked_environment(environment)}
    members = [] if metadata is None else HasMember.each_of(checked_members(metadata))
    bounds = authority.bounds
    log = LogPage(
        key_id=key_id,
        owner=checked_owner(owner),
        **{**asked, **bounds},
        kind=checked_choice("kind", kind, EVENT_KINDS),
        by_kind=checked_choice("by_kind", by_kind, tuple(ActorKind)),
        by_id=None if by_id is None else checked_text("by_id", by_id, ACTOR_ID_MAX),
        since=checked_bound("since", since),
        until=checked_bound("until", until),
        members=members,
        with_terms=bool(members) and await parts.database.terms_are_current(),
        place=None if after is None else _parse_place(after),
        limit=checked_limit(limit) + 1,
    )
    if any(asked[name] not in (None, own) for name, own in bounds.items()):
        return Page((), None)
    found = await parts.database.ask(READING, log.read)
    if key_id is not None and not found:
        await _check_known(parts, key_id, authority)
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else f"{last.seq}.{last.n}")


async def list_made(
    parts: Parts, key_id: str, *, after: str | None = None, limit: int = 50, actor: str | Actor = UNNAMED
) -> Page[APIKey]:
    """`APIKeys.made_by`, which tells of it in full."""
    from gatepost.database import NEWEST, MadePage, Place  # noqa: PLC0415 - SQLAlchemy

    authority = Authority(checked_actor(actor))
    authority.check_look()
    check_id(key_id)
    made = MadePage(
        key_id=key_id,
        project=authority.actor.project,
        environment=authority.bounds.get("environment"),
        place=None if after is None else Place.parse(after, NEWEST),
        limit=checked_limit(limit),
    )
    found, following = await parts.database.ask(READING, made.read)
    if not found:
        await _check_known(parts, key_id, authority)
    return Page(found, following)


async def _check_known(parts: Parts, key_id: str, authority: Authority) -> None:
    """Raise `KeyNotFoundError` where, as far as the actor can tell, there has never been such a key."""
    from gatepost.database import LogPage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    bounds: dict[str, Any] = {**authority.bounds}
    if not await parts.database.ask(READING, LogPage(key_id=key_id, **bounds, limit=1).read):
        await get_key(parts, key_id, actor=authority.actor)


def _parse_place(after: str) -> tuple[int, int]:
    """The place in the audit log that `after` tells."""
    found = _PLACE.match(after) if isinstance(after, str) else None
    if found is None:
        raise BadInputError(f"after={after!r:.50} is not the `next` of an earlier page", "after")
    return int(found[1]), int(found[2])
