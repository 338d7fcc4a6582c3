"""Removing keys for good."""

from collections.abc import Iterable

from gatepost.base import Actor, Receipt
from gatepost.keys.arguments import Wait
from gatepost.keys.change import change_keys
from gatepost.keys.parts import Parts
from gatepost.keys.spreading import Patience
from gatepost.rules import UNNAMED


async def delete(
    parts: Parts,
    ids: str | Iterable[str],
    *,
    if_version: str | None = None,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Receipt:
    """Remove one key or many for good, in one transaction; their secrets are unknown from then on. As `deactivate`
    otherwise. `if_version`: as for `update`, with a single id."""
    patience = Patience.of(wait, timeout, parts.clock)
    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        check=lambda authority, key: authority.check_own(key, force=force),
        apply=lambda change, found: change.delete_keys(found),
        if_version=if_version,
    )
