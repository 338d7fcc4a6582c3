"""Switching keys on and off."""

from collections.abc import Iterable

from gatepost.base import Actor, Receipt
from gatepost.keys.arguments import Wait
from gatepost.keys.change import change_keys
from gatepost.keys.parts import Parts
from gatepost.keys.spreading import Patience
from gatepost.rules import UNNAMED


async def activate(
    parts: Parts,
    ids: str | Iterable[str],
    *,
    actor: str | Actor = UNNAMED,
    wait: Wait = "commit",
    timeout: float | None = None,
) -> Receipt:
    """Switch one key or many on. As `deactivate`, but it does not wait for other workers unless told to: until they
    know of it, they refuse the key. An actor needs every permission of the key."""
    patience = Patience.of(wait, timeout, parts.clock)
    return await change_keys(
        parts,
        ids,
        actor,
        patience,
        check=lambda authority, key: authority.check_hand_out(key),
        apply=lambda change, found: change.set_active(found, True),
        skip=lambda key: key.active,
    )


async def deactivate(
    parts: Parts,
    ids: str | Iterable[str],
    *,
    force: bool = False,
    actor: str | Actor = UNNAMED,
    wait: Wait = "everywhere",
    timeout: float | None = None,
) -> Receipt:
    """Switch one key or many off, in one transaction. When the call returns, no worker anywhere lets a request in
    with them that begins later. Within milliseconds where Redis or PostgreSQL passes the word on, a tenth of a second
    on SQLite, else within `poll_interval`; where a worker is dead or cut off, after its `max_staleness`:
    by then it believes nothing from before.

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
        check=lambda authority, key: authority.check_own(key, force=force),
        apply=lambda change, found: change.set_active(found, False),
        skip=lambda key: not key.active,
    )
