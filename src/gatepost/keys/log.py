"""Looking at the audit log: what was done, and which keys a key has made."""

import re
from datetime import datetime
from typing import Any

from gatepost.base import ACTOR_ID_MAX, EVENT_KINDS, Actor, ActorKind, APIKey, BadInputError, ChangeEvent, Page
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
    by_kind: str | None = None,
    by_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
    actor: str | Actor = UNNAMED,
) -> Page[ChangeEvent]:
    """One page of the audit log, newest first: of one key, also a deleted one, or of all that the actor reaches.
    Filters of `None` do not filter.

    `kind`: what was done (`EVENT_KINDS`). `project`: to keys of this project. `owner`, `environment`: to
    keys that were of this owner then, and that are for this environment. `by_kind`: by whom, a value of
    `ActorKind`; `by_id`: by whoever has this `actor_id`: a key's id, a person's (with `by_kind="key"` also what is
    from before kinds were kept and has that key's name). `since`, `until`: aware; from the one on, before the
    other, by the database's clock. `after`, `limit` as for `list`. Raises `KeyNotFoundError` for a key that there
    has never been, `BadInputError`, `UnavailableError`. One round trip, two by time; milliseconds with one filter;
    with more, what fits the narrowest is looked at until the page is full.
    """
    from gatepost.database import LogPage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    authority = Authority(checked_actor(actor))
    authority.check_look(key_id)
    if key_id is not None:
        check_id(key_id)
    asked: dict[str, Any] = {"project": checked_project(project), "environment": checked_environment(environment)}
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
    """One page of the keys that a key made (created or imported), those that these made, and so on, as far as there
    still are any; newest first. The key itself may be deleted. What an intruder with it has left, to be switched
    off: `await keys.deactivate([key.id for key in page.items])`. Whose secrets it was told otherwise tells the
    audit log: `events(kind="rotated", by_id=key_id)`, and `"revealed"`.

    Events from before gatepost kept who acted count by their name. `after`, `limit` as for `list`. Raises
    `KeyNotFoundError` for a key that there has never been, `BadInputError`, `UnavailableError`. One round trip, an
    index probe for each key made.
    """
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
