"""How much of a key's limits is left, and setting back what was counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from gatepost.base import Actor, APIKey, EditedKey, stored_limits
from gatepost.keys.changing import Patience, changed_by, key_to_change, settled
from gatepost.keys.editing import edited
from gatepost.keys.listing import get_key
from gatepost.keys.parts import Parts
from gatepost.limits import LimitState, buckets_of
from gatepost.rules import UNNAMED, Authority, check_id, checked_actor

if TYPE_CHECKING:
    from gatepost.database import Change
    from gatepost.keys.given import Options


async def limits(parts: Parts, key_id: str, *, actor: str | Actor = UNNAMED) -> Sequence[LimitState]:
    """`APIKeys.limits`, which tells of it in full."""
    key = await get_key(parts, key_id, actor=actor)
    opened = parts.opened()
    now = (await opened.database.read_position()).now
    buckets = buckets_of("key", key.id, key.limits)
    return await opened.limiter.look(buckets, now, serving=opened.freshness.started)


async def reset_limits(
    parts: Parts, key_id: str, *, if_version: str | None = None, **how: Unpack["Options"]
) -> EditedKey:
    """`APIKeys.reset_limits`, which tells of it in full."""
    patience = Patience.of(how.get("wait", "everywhere"), how.get("timeout"), parts.clock)
    actor = checked_actor(how.get("actor", UNNAMED))
    Authority(actor).check_manage()
    check_id(key_id)

    from gatepost.database import KeyEdit  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    async def make(change: "Change", authority: Authority) -> tuple[APIKey, bool]:
        key = await key_to_change(change, authority, key_id, if_version)
        authority.check_terms(key)
        authority.check_hand_out(key)
        if not key.limits:
            return key, False
        anew = key.limits.reset()
        detail = {"limit_resets": {"old": key.limits.resets, "new": anew.resets}}
        await change.update_keys([KeyEdit([key.id], key, key, {"limits": stored_limits(anew)}, detail)])
        return await change.read_key(key_id), True

    change, (key, changed) = await changed_by(parts, actor, make)
    return await settled(parts, change, patience, lambda spread: edited(key, spread), changed=changed)
