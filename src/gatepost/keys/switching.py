"""Switching keys on and off."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gatepost.base import Actor, APIKey, Receipt
from gatepost.keys.changing import Patience, change_keys
from gatepost.keys.given import Selection, Wait
from gatepost.keys.parts import Parts
from gatepost.keys.policies import Asked, keys_to_count
from gatepost.rules import UNNAMED, Authority

if TYPE_CHECKING:
    from gatepost.database import Change, Standing


async def activate(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    preview: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "commit",
    timeout: float | None = None,
) -> Receipt:
    """`APIKeys.activate`, which tells of it in full."""
    patience = Patience.of(wait, timeout, parts.clock)
    asked: list[Asked] = []

    async def read(change: "Change", known: Sequence[str]) -> "Mapping[str, APIKey | Standing] | None":
        asked.clear()  # it may be made anew
        counting = await keys_to_count(change, known)
        if counting is None:
            return None
        asked.append(counting[0])
        return counting[1]

    def judge(authority: Authority, key: "APIKey | Standing") -> bool:
        if key.active:
            return False
        authority.check_hand_out(key)
        if isinstance(key, APIKey) and key.template is None:
            asked[0].count(key, replace(key, active=True))
        return True

    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        judge=judge,
        apply=lambda change, found: change.set_active(found, True),
        read=read,
        preview=preview,
    )


async def deactivate(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    preview: bool = False,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Receipt:
    """`APIKeys.deactivate`, which tells of it in full."""
    patience = Patience.of(wait, timeout, parts.clock)
    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        judge=lambda authority, key: _to_deactivate(authority, key, force=force),
        apply=lambda change, found: change.set_active(found, False),
        preview=preview,
    )


def _to_deactivate(authority: Authority, key: "Standing", *, force: bool) -> bool:
    if not key.active:
        return False
    authority.check_own(key, force=force)
    return True
