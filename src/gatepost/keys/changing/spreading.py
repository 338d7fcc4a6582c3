"""From a committed change to one that every worker acts on: what a verb waits for, and what it answers then."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from gatepost.base import (
    AccessDeniedError,
    Actor,
    BadInputError,
    Clock,
    ConfigurationError,
    Propagation,
    StillSpreadingError,
)
from gatepost.keys.given import Wait
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, checked_actor

if TYPE_CHECKING:
    from gatepost.database import Change

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a verb waits. `everywhere`: for every worker. `begun`: own clock at the call. `until`: own clock after
    which not to wait any longer, `None` = no limit."""

    everywhere: bool
    begun: float
    until: float | None

    @classmethod
    def of(cls, wait: str, timeout: float | None, clock: Clock) -> Self:
        """What the arguments of a verb say, at the call. Raises `BadInputError`."""
        if wait not in ("everywhere", "commit"):
            raise BadInputError(f'wait must be "everywhere" or "commit", not {wait!r}')
        if timeout is not None and not 0 <= timeout < math.inf:
            raise BadInputError(f"timeout must be a number of seconds, 0 or more, or None, not {timeout!r}")
        begun = clock()
        return cls(wait == "everywhere", begun, None if timeout is None else begun + timeout)


async def settled(
    parts: Parts,
    change: "Change",
    patience: "Patience",
    result: Callable[[Propagation], T],
    *,
    changed: bool = True,
    known: bool = True,
) -> T:
    """What a verb answers once its change is committed, and every worker acts on it if that is wanted. A key found
    as it was wanted may have been changed by another a moment ago, so what came before is waited for all the same,
    unless no key was `known`."""
    from gatepost.freshness import Spread  # noqa: PLC0415

    now = parts.clock()
    seq = change.seq if changed else change.seq - 1
    spread = Spread(seq, now, change.now + timedelta(seconds=now - patience.begun))
    waits = patience.everywhere and known
    until = patience.until if waits else now
    try:
        opened = parts.opened()
        await opened.announcements.announce(change.digests)
        own = opened.freshness.worker
        propagation = await opened.propagations.follow(spread, own, until=until)
    except (asyncio.CancelledError, ConfigurationError) as ended:  # the latter: the keys were closed meanwhile
        ended.add_note(f"gatepost: change {seq} is committed; nobody has seen whether every worker acts on it")
        raise
    answer = result(propagation)
    if waits and not propagation.complete:
        raise StillSpreadingError(_still_spreading(seq, propagation), answer)
    return answer


async def announce(parts: Parts, change: "Change") -> None:
    """Let every worker know of a committed change that gives: nobody is waited for. A cancellation carries a note that
    it is committed."""
    try:
        await parts.opened().announcements.announce(change.digests)
    except (asyncio.CancelledError, ConfigurationError) as ended:
        ended.add_note(f"gatepost: change {change.seq} is committed")
        raise


async def invalidate(
    parts: Parts, *, actor: str | Actor = UNNAMED, wait: Wait = "everywhere", timeout: float | None = None
) -> Propagation:
    """`APIKeys.invalidate`, which tells of it in full."""
    patience = Patience.of(wait, timeout, parts.clock)
    actor = checked_actor(actor)
    if Authority(actor).is_limited:
        raise AccessDeniedError("Only an operator can have all workers forget what they remember")
    change, _ = await parts.database.change(None if actor is UNNAMED else actor, lambda change: change.invalidate())
    return await settled(parts, change, patience, lambda spread: spread)


def _still_spreading(seq: int, propagation: Propagation) -> str:
    waiting = ", ".join(worker.name for worker in propagation.waiting) or "they could not be read"
    by = "" if propagation.holds_from is None else f"; it holds everywhere from {propagation.holds_from.isoformat()} on"
    return (
        f"Change {seq} is committed, but after {propagation.seconds:.1f} s not every worker has confirmed it "
        f"({waiting}){by}"
    )
