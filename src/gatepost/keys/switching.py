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
    """Switch one key or many on. As `deactivate`, but it does not wait for other workers unless told to: until they
    know of it, they refuse the key. An actor needs every permission of the key. Raises
    `PolicyError` for a key that its owner may not have more of, and names such ones of many in the receipt."""
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
        if isinstance(key, APIKey):
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
    """Switch one key or many off, in one transaction: those with these ids, or a `Selection`, which is made in that
    transaction, of keys that the actor reaches. `preview`: tell what would become of each, and change nothing. When the
    call returns, no worker anywhere lets a request in with them that begins later. Within milliseconds where Redis or
    PostgreSQL passes the word on, a tenth of a second on SQLite, else within `poll_interval`; where a worker is dead or
    cut off, after its `max_staleness`: by then it believes nothing from before.

    `wait="commit"`: do not wait; the receipt tells by when it will be true. `timeout`: seconds from the call after
    which to stop waiting, with `StillSpreadingError`: the change is committed then, and its message tells by when
    it holds; `None` = wait for as long as it takes. Either way this process itself applies the change first: a
    poll, and the one under way if there is one.

    A single unknown id raises `KeyNotFoundError`; of many, the unknown ones are named in the receipt, as are those
    that the actor may not change: its own key, unless `force` is said. A key that was off already is waited for
    too. Raises `UnavailableError` where the database failed and nothing was changed,
    `UncertainCommitError` where it went away in the commit. A call that is cancelled while it waits has changed the
    keys: the cancellation carries a note that says so.
    """
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
