"""From finds to what is done about them: every source brings its finds here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gatepost.base import Actor, Issued, Leak, LeakResponse, StillSpreadingError, boot_clock
from gatepost.keys import APIKeys
from gatepost.leaks.finds import Find

logger = logging.getLogger("gatepost.leaks")

Deliver = Callable[[Issued], Awaitable[None]]
"""Brings the new secret of a key that was rotated to whom it belongs."""

SPREAD_SECONDS = 10.0
"""How long an answer waits for every worker to act on what was done, however many finds there are: GitHub waits 10 to
30 seconds for it."""

AT_ONCE = 100
"""Finds whose changes share a transaction."""


class Desk:
    """Does what each source wants done. `deliver`: as for `Leaks`."""

    def __init__(self, keys: APIKeys, deliver: Deliver | None) -> None:
        self.keys = keys
        self._deliver = deliver

    async def take(
        self, finds: Sequence[Find], *, by: str, response: LeakResponse, address: str | None, once: bool
    ) -> None:
        """Tell of each find that is ours in the audit log, and do what is to be done. `by`: who told. `once`: as for
        `report_leak`. Raises `UnavailableError`, `UncertainCommitError`: then the same may be told again, and
        nothing is done twice."""
        unique = {(find.digest, find.place, find.source): find for find in finds if find.is_ours}
        ours = list(unique.values())
        actor = Actor(by, operator=True, address=address)
        until = boot_clock() + SPREAD_SECONDS
        for start in range(0, len(ours), AT_ONCE):
            reports = (
                self._report(find, by=by, response=response, actor=actor, once=once, until=until)
                for find in ours[start : start + AT_ONCE]
            )
            done = await asyncio.gather(*reports, return_exceptions=True)
            for failure in done:
                if isinstance(failure, BaseException):
                    raise failure

    async def _report(
        self, find: Find, *, by: str, response: LeakResponse, actor: Actor, once: bool, until: float
    ) -> None:
        source = by if find.source is None else f"{by}: {find.source}"
        try:
            leak = await self.keys.report_leak(
                find.claims or find.digest,
                source=source,
                place=find.place,
                response=response,
                once=once,
                actor=actor,
                timeout=max(0.0, until - boot_clock()),
            )
        except StillSpreadingError as late:
            logger.warning("A leaked secret is ended, but not every worker has confirmed it yet: %s", late)
            leak = late.result if isinstance(late.result, Leak) else None
        if leak is None:
            return
        logger.warning("A secret of key %s was found in the open (%s): %s", leak.key_id, source, leak.done)
        if leak.issued is not None and self._deliver is not None:
            await self._bring(leak.issued)

    async def _bring(self, issued: Issued) -> None:
        try:
            await self._deliver(issued)  # type: ignore[misc]
        except Exception as failure:  # noqa: BLE001 - the host app's, which must not have it all told again
            logger.error(  # noqa: TRY400 - the frames of a traceback have the secret
                "The new secret of key %s could not be delivered (%s): rotate the key again",
                issued.key.id,
                type(failure).__name__,
            )
