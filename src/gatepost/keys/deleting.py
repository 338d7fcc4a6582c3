"""Removing keys for good."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gatepost.base import Actor, Receipt
from gatepost.keys.changing import Patience, change_keys
from gatepost.keys.given import Selection, Wait
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority

if TYPE_CHECKING:
    from gatepost.database import Standing


async def delete(
    parts: Parts,
    ids: str | Iterable[str] | Selection,
    *,
    preview: bool = False,
    if_version: str | None = None,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Receipt:
    """`APIKeys.delete`, which tells of it in full."""

    def judge(authority: Authority, key: "Standing") -> bool:
        authority.check_own(key, force=force)
        return True

    patience = Patience.of(wait, timeout, parts.clock)
    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        judge=judge,
        apply=lambda change, found: change.delete_keys(found),
        preview=preview,
        if_version=if_version,
    )
