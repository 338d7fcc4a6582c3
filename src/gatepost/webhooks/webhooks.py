"""`Webhooks`: the face. Opens and closes this process's deliverer; looks at, and sends again, what was given up."""

import asyncio
import logging
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from gatepost.base import (
    APIKey,
    BadInputError,
    ConfigurationError,
    MissingExtraError,
    Page,
    TargetStatus,
    UnavailableError,
    UncertainCommitError,
    boot_clock,
)
from gatepost.database import Delivery, Wanted
from gatepost.keys import APIKeys
from gatepost.rules import checked_limit
from gatepost.webhooks.deliverer import Deliverer
from gatepost.webhooks.messages import EVENT_TYPES
from gatepost.webhooks.sending import HTTPDestination
from gatepost.webhooks.targets import Destination, LogTarget, Target

logger = logging.getLogger("gatepost.webhooks")

EXPIRING_DAYS = (30, 14, 7, 1)
"""How many days before its end a key is told of, unless told otherwise."""

_PLACE = re.compile(r"([a-z0-9_-]{1,50})\.([0-9]{1,18})\Z")


class Webhooks:
    """Tells targets what happens to `keys`: at least once, of each key in order, by one process among all that have
    this.

        async with keys, Webhooks(keys, targets=[Target("siem", "https://…", secret="whsec_…")]):
            ...

    `targets`: from the app's configuration alone. `expiring_days`: how long before its expiry a key is told of, once
    each. `poll_interval`: seconds between two looks at the change log. Opens the keys unless somebody has, and nothing
    else before `async with` or `open`. Never in the way of a request. Raises `BadInputError`, `MissingExtraError`.
    """

    def __init__(
        self,
        keys: APIKeys,
        targets: Sequence[Target | LogTarget],
        *,
        expiring_days: Sequence[int] = EXPIRING_DAYS,
        poll_interval: float = 1.0,
    ) -> None:
        given = list(targets)
        if not given or not all(isinstance(each, Target | LogTarget) for each in given):
            raise BadInputError("targets must be a list of Target(...) and LogTarget(...)", "targets")
        names = [each.name for each in given]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadInputError(f"targets has two of the name {twice!r}: give each its own", "targets")
        days = tuple(expiring_days)
        if not all(type(each) is int and 1 <= each <= 3650 for each in days):  # noqa: PLR2004 - ten years
            raise BadInputError(
                f"expiring_days must be whole numbers of days, 1 to 3650, not {days!r:.60}", "expiring_days"
            )
        if not 0 < poll_interval <= 60:  # noqa: PLR2004 - a minute
            raise BadInputError(f"poll_interval must be seconds, at most 60, not {poll_interval!r}", "poll_interval")
        self._keys = keys
        self._targets = given
        self._days = days
        self._poll_interval = poll_interval
        self._opened_keys = False
        self._destinations: Sequence[Destination] = ()
        self._deliverer: Deliverer | None = None
        self._task: asyncio.Task[None] | None = None
        if any(isinstance(each, Target) for each in given):
            import_client()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def delivers(self) -> bool:
        """Whether it is this process that delivers now."""
        return self._deliverer is not None and self._deliverer.delivers

    async def open(self) -> None:
        """Begin. Raises as `APIKeys.open` does, and `ConfigurationError` where it has begun already."""
        if self._task is not None:
            raise ConfigurationError("These webhooks are open already")
        self._opened_keys = await self._keys.open()
        self._destinations = [HTTPDestination(each) if isinstance(each, Target) else each for each in self._targets]
        self._deliverer = Deliverer(
            self._keys.deliveries, self._destinations, self._wanted(), boot_clock, self._poll_interval
        )
        self._task = asyncio.get_running_loop().create_task(self._deliverer.run())
        self._task.add_done_callback(_tell_of_end)

    async def close(self) -> None:
        """End: what is under way is broken off, and comes again. Another process takes over at once. Raises
        `UnavailableError`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        deliverer, self._deliverer = self._deliverer, None
        for each in self._destinations:
            await each.close()
        if deliverer is not None and self._keys.is_open:
            await deliverer.release()
        if self._opened_keys:
            self._opened_keys = False
            await self._keys.close()

    async def run(self) -> None:
        """Deliver until cancelled, in a process that does nothing else. Raises as `open` does."""
        async with self:
            if self._task is not None:
                await self._task

    async def signed_in(self, key: APIKey) -> None:
        """Tell that somebody has signed in to the page with this `key`: `Admin(keys, on_sign_in=webhooks.signed_in)`.
        One transaction; where the database does not answer the log says so, and nobody is kept out. Raises nothing."""
        if not any(each.types is None or "sign_in" in each.types for each in self._targets):
            return
        try:
            await self._keys.deliveries.note("sign_in", key.id, key.project)
        except (UnavailableError, UncertainCommitError) as failure:
            logger.warning("A sign-in with key %s is not told: %s", key.id, failure)

    async def status(self) -> Sequence[TargetStatus]:
        """How each target does that was ever delivered to. Two statements. Raises `UnavailableError`."""
        return await self._keys.deliveries.read_states()

    async def dead(self, target: str | None = None, *, after: str | None = None, limit: int = 50) -> Page[Delivery]:
        """One page of the messages that were given up, for all targets, `None`, or the `target` of that name, the
        oldest first. `after`: the `next` of the page before. `limit`: 1 to 500. Raises `BadInputError`,
        `UnavailableError`."""
        return await read_dead(self._keys, target, after=after, limit=limit)

    async def send_again(self, target: str, ids: Sequence[str] | None = None) -> int:
        """Send messages of the `target` of that name that were given up again, from their first attempt on: those with
        these `ids`; `None` = all. Answers how many. Later ones of their keys may have arrived meanwhile. Raises
        `UnavailableError`."""
        return await self._keys.deliveries.revive(target, ids)

    async def resume(self, target: str) -> bool:
        """Send to the `target` of that name again, which answered 410. Answers whether there is such a target. Raises
        `UnavailableError`."""
        return await self._keys.deliveries.stop(target, None)

    def _wanted(self) -> Wanted:
        told = {each for target in self._targets for each in (EVENT_TYPES if target.types is None else target.types)}
        return Wanted(
            expiring_days=self._days if "key.expiring" in told else (),
            expired="key.expired" in told,
            limits="limit.reached" in told,
        )


async def read_dead(keys: APIKeys, target: str | None, *, after: str | None, limit: int) -> Page[Delivery]:
    """One page of the messages that were given up. Raises `BadInputError`, `UnavailableError`."""
    place = None if after is None else _PLACE.match(after)
    if after is not None and place is None:
        raise BadInputError(f"after={after!r:.50} is not the `next` of an earlier page", "after")
    found = await keys.deliveries.read_dead(
        target, None if place is None else (place[1], int(place[2])), checked_limit(limit) + 1
    )
    items = tuple(delivery for _, delivery in found[:limit])
    last = found[limit - 1] if len(found) > limit else None
    return Page(items, None if last is None else f"{last[1].target}.{last[0]}")


def import_client() -> None:
    """Raise `MissingExtraError` without what sends."""
    try:
        import httpx2  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtraError("httpx2", "webhooks") from None


def _tell_of_end(task: asyncio.Task[None]) -> None:
    """A deliverer that ends by a fault of ours must not end in silence."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("Nothing is delivered any more", exc_info=task.exception())
