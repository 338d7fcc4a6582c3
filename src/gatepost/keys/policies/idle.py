"""Switching off keys that nobody uses, as their policies have it: each is an ordinary change, looked at anew in its own
transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gatepost.base import Actor, APIKey, Receipt
from gatepost.keys.changing import Patience, change_keys
from gatepost.keys.parts import Parts
from gatepost.keys.policies.asking import Asked

if TYPE_CHECKING:
    from gatepost.database import Change

IDLE_ACTOR = "gatepost policies"
"""Who switches idle keys off, in the log."""

MARGIN = timedelta(hours=1)
"""By so much longer than its policy says nobody must have used a key: uses are told up to a minute late, and later
where the database was away."""


async def switch_off(parts: Parts, ids: Sequence[str]) -> Receipt:
    """Switch those of the keys off that nobody has used, or changed, for longer than a policy allows, once that may be
    heeded. A key that has been used meanwhile, or that a policy no longer speaks of, is left. Raises as `deactivate`
    does. One transaction, three reads."""
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
