"""Switching off keys that nobody uses, as their policies have it.

policies with idle days ─> heeded already? counted for as long? ─> lists by last use ─> 500 keys at a time:
one change, in which each is judged anew, by the policies and the last use as they are then
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from gatepost.base import Actor, APIKey, Receipt
from gatepost.keys.changing import Patience, change_keys
from gatepost.keys.given import Selection
from gatepost.keys.parts import Parts
from gatepost.keys.policies.asking import Asked
from gatepost.rules import Policy, policy_of

if TYPE_CHECKING:
    from gatepost.database import Change

logger = logging.getLogger("gatepost.policies")

IDLE_ACTOR = "gatepost policies"
"""Who switches idle keys off, in the log."""

MARGIN = timedelta(hours=1)
"""By so much longer than its policy says nobody must have used a key: uses are written up to a minute late, and later
where the database was away."""

AT_ONCE = 500
"""Keys of a change."""


async def switch_off_idle(parts: Parts) -> Sequence[str]:
    """Switch off the keys that nobody has used, or changed, for longer than a policy allows; answers their ids. Not
    before the policy may be heeded (`Policy.idle_from`), nor before uses have been counted for as long: else every key
    would seem idle. Raises as `deactivate` does; what was done until then stays done. Some reads, and a change for each
    500 keys that were listed as idle."""
    tables = parts.database.policies
    found: list[str] = []
    place: str | None = None
    counted, now = await tables.counted_since(), await tables.database_now()
    while stored := await tables.list(after=place, limit=AT_ONCE):
        for policy in (policy_of(*each) for each in stored):
            if policy.idle_days is not None and _may_begin(policy, counted, now):
                found += await _of_policy(parts, policy, policy.idle_days)
        place = stored[-1].project or ""
    return found


def _may_begin(policy: Policy, counted: date | None, now: datetime) -> bool:
    if policy.idle_days is None or policy.idle_from is None or policy.idle_from > now:
        return False
    if counted is not None and counted < latest_use(policy.idle_days, now).date():
        return True
    logger.info(
        "%s switches nothing off yet: uses are counted since %s, and idle are keys after %d days",
        policy.name.capitalize(),
        counted or "now",
        policy.idle_days,
    )
    return False


async def _of_policy(parts: Parts, policy: Policy, idle_days: int) -> Sequence[str]:
    from gatepost.database import Listing, Place, Sort  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    seconds = (timedelta(days=idle_days) + MARGIN).total_seconds()
    wanted = Selection(project=policy.project, active=True, unused_for=seconds).checked(parts.settings.catalogue)
    order, following, found = Sort("last_used", descending=False), None, list[str]()
    while True:
        place = None if following is None else Place.parse(following, order)
        listing = Listing(filter=wanted, sort=order, place=place, limit=AT_ONCE, backwards=False)
        keys, following, _ = await parts.database.list_keys(listing)
        if keys:
            found += (await switch_off(parts, [key.id for key in keys])).changed
        if following is None:
            return found


async def switch_off(parts: Parts, ids: Sequence[str]) -> Receipt:
    """Switch those of the keys off that are idle. One that has been used or changed meanwhile, or that a policy no
    longer speaks of, is left. One transaction, three reads."""
    asked: list[Asked] = []

    async def read(change: "Change", known: Sequence[str]) -> Mapping[str, APIKey]:
        found = await change.read_keys(known)
        asked[:] = [await Asked.of(change, [key.project for key in found.values()])]
        return found

    return await change_keys(
        parts,
        ids,
        Actor(IDLE_ACTOR, operator=True),
        Patience.of("everywhere", None, parts.clock),
        judge=lambda _authority, key: _is_idle(asked[0], key),
        apply=lambda change, found: change.set_active(found, False),
        read=read,
    )


def _is_idle(asked: Asked, key: APIKey) -> bool:
    if not key.active:
        return False
    used = max(key.updated_at, key.last_used_at or key.created_at)
    return any(
        policy.idle_days is not None
        and policy.idle_from is not None
        and policy.idle_from <= asked.now
        and used <= latest_use(policy.idle_days, asked.now)
        for policy in asked.of_project(key.project).policies
    )


def latest_use(idle_days: int, now: datetime) -> datetime:
    """Whoever was used after this is not idle."""
    return now - timedelta(days=idle_days) - MARGIN
