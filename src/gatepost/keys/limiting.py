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
    """What is left of each limit of a key, in their order.

    Of quotas what no worker has leased. Rates and slots as Redis counts them; where there is none only a process that
    is the only worker knows, and of others `left` is `None`. Raises `KeyNotFoundError`, `AccessDeniedError`,
    `UnavailableError`. Three round trips, and one for each quota.
    """
    key = await get_key(parts, key_id, actor=actor)
    opened = parts.opened()
    now = (await opened.database.read_position()).now
    buckets = buckets_of("key", key.id, key.limits)
    return await opened.limiter.look(buckets, now, serving=opened.freshness.started)


async def reset_limits(
    parts: Parts, key_id: str, *, if_version: str | None = None, **how: Unpack["Options"]
) -> EditedKey:
    """Begin to count anew, in all limits of a key but slots, which are free when their requests end. The key that the
    actor uses cannot do it for itself.

    A change as any other: in the audit log, and true everywhere when the call returns. Waits and raises as `update`
    does; nothing to do for a key without limits. One transaction.
    """
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
        await change.update_keys([KeyEdit(key, key, {"limits": stored_limits(anew)}, detail)])
        return await change.read_key(key_id), True

    change, (key, changed) = await changed_by(parts, actor, make)
    return await settled(parts, change, patience, lambda spread: edited(key, spread), changed=changed)
