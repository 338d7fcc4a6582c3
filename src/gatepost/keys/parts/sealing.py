"""A worker seals the audit log now and then, a few seconds behind the changes, so that none waits for it."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from gatepost.base import UnavailableError

if TYPE_CHECKING:
    from gatepost.base.trail import Links
    from gatepost.database import Chain

logger = logging.getLogger("gatepost.sealing")

PAUSE_SECONDS = 5.0, 15.0
"""Between two looks, drawn at random: of many workers one seals, and the others see that it is done."""

LINES = 200
"""Of a transaction."""

REST_SECONDS = 0.05
"""Between two transactions, where there is much to seal: after an upgrade, the whole log."""


class Sealing:
    """Seals in the background, once begun. `applied`: the last change that this worker knows of."""

    def __init__(self, chain: "Chain", links: "Links", applied: Callable[[], int]) -> None:
        self._chain = chain
        self._applied = applied
        self._sealed_to = -1
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        self.links = links

    def begin(self) -> None:
        """Seal from now on, in the background. Nothing where that was begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_sealing())

    async def close(self) -> None:
        """Seal no more. What is not sealed another worker seals."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        """Seal what this worker knows of, unless it is. No I/O without news; one or two rows where another has. Raises
        `UnavailableError`."""
        applied = self._applied()
        if applied == self._sealed_to:
            return
        while await self._chain.sealed_to() < applied:
            if not await self._chain.seal(self.links, LINES):  # another does it just now
                break
            await asyncio.sleep(REST_SECONDS)
        self._sealed_to = applied

    async def _keep_sealing(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - spreads load, no secret
            try:
                await self.look()
            except UnavailableError as failure:
                if not self._failed:
                    logger.warning("The audit log is not sealed now: %s", failure)
                self._failed = True
            except Exception:  # the task must outlive a fault of ours
                logger.exception("Sealing the audit log failed")
            else:
                self._failed = False
