"""Among how many processes a limit is shared that nobody counts for all of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gatepost.base import Clock, UnavailableError

logger = logging.getLogger("gatepost.limits")

KNOWN_SECONDS = 5.0
"""For so long the number is taken as it was read: as long as workers take to notice that one has gone, or less."""


class Members:
    """How many workers there are. `read`: asks the database for it. `number`: as last read, this one at least; 0 = not
    known yet."""

    def __init__(self, read: Callable[[], Awaitable[int]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._due_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self.number = 0

    def __call__(self) -> int:
        """The number. Where it is old it is read anew, for the next one to ask."""
        if self._clock() >= self._due_at:
            self._begin()
        return self.known

    @property
    def known(self) -> int:
        """The number as it was last read, this one at least. Nothing is read for it."""
        return max(1, self.number)

    async def learn(self) -> None:
        """Return when the number is known. One statement, the first time."""
        if not self.number:
            await asyncio.shield(self._begin())

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    def _begin(self) -> "asyncio.Task[None]":
        self._due_at = self._clock() + KNOWN_SECONDS
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._learn())
        return self._reading

    async def _learn(self) -> None:
        before = self.number
        try:
            self.number = max(1, await self._read())
            if self.number != before and self.number > 1:
                logger.warning(
                    "Rates and slots of limits are counted by each of %d workers for itself, a part of each limit: no "
                    "Redis counts for all of them",
                    self.number,
                )
        except UnavailableError as failure:
            logger.info("%s; limits are shared among %d", failure, max(1, self.number))
            self.number = max(1, self.number)
