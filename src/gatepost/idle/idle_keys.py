"""`IdleKeys`: in each process that has it, and at work in one of them at a time.

    look ──> another's turn? sleep ──> take the turn, for `every` seconds ──> switch off what is idle ──> look

Nobody renews or gives up a turn: whoever takes it does the work once, and until it has run out nobody begins again. A
process that dies in the middle leaves the rest to the next turn; two that work at once would change nothing twice.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from gatepost.base import BadInputError, ConfigurationError, StillSpreadingError, UnavailableError
from gatepost.keys import APIKeys

logger = logging.getLogger("gatepost.policies")

EVERY_MIN, EVERY_MAX = 60.0, 7 * 86400.0
"""Seconds from one look for idle keys to the next."""

LOOK_SECONDS = 300.0
"""From one look at whose turn it is to the next, at the longest."""

JITTER = 0.2
"""Part of each delay that is random, so that processes that start together do not look together."""


class IdleKeys:
    """Switches off keys that nobody has used for as many days as their policy says (`keys.policies.set(idle_days=)`):
    an ordinary deactivation in the log, by "gatepost policies". Nothing is done for policies that were set less than 7
    days ago, nor before uses have been counted for as long.

        async with keys, IdleKeys(keys):
            ...

    `every`: seconds from one look to the next, whichever process does it: a minute to a week. Every worker may have
    this. All that serve these keys must count usage: one that does not would let keys seem idle that are not. Opens the
    keys unless somebody has. Raises `BadInputError`, and `ConfigurationError` for keys with `usage=False`.
    """

    def __init__(self, keys: APIKeys, *, every: float = 3600.0) -> None:
        is_number = isinstance(every, int | float) and not isinstance(every, bool)
        if not is_number or not EVERY_MIN <= every <= EVERY_MAX:
            raise BadInputError(
                f"every must be seconds, {EVERY_MIN:.0f} to {EVERY_MAX:.0f}, not {every!r:.50}", "every"
            )
        if not keys.counts_usage:
            raise ConfigurationError("Without usage every key seems idle: leave out usage=False, or IdleKeys")
        self._keys = keys
        self._every = float(every)
        self._holder = uuid.uuid4().hex
        self._opened_keys = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Begin. Raises as `APIKeys.open` does, and `ConfigurationError` where it has begun already."""
        if self._task is not None:
            raise ConfigurationError("This IdleKeys is open already")
        self._opened_keys = await self._keys.open()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End. What is being switched off is, or is not, as a whole change."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._opened_keys:
            self._opened_keys = False
            await self._keys.close()

    async def run(self) -> None:
        """Be open until cancelled, for a process that does nothing else."""
        async with self:
            await asyncio.Event().wait()

    async def sweep(self) -> Sequence[str] | None:
        """Take the turn and switch off what is idle; answers the ids, `None` = it is another's turn. Raises as
        `deactivate` does."""
        return None if await self._keys.policies.take_turn(self._holder, self._every) else await self._switch_off()

    async def _switch_off(self) -> Sequence[str]:
        found = await self._keys.policies.switch_off_idle()
        if found:
            logger.warning("Switched off %d keys that nobody uses, as their policies have it", len(found))
        return found

    async def _run(self) -> None:
        while True:
            left = LOOK_SECONDS
            try:
                left = await self._keys.policies.take_turn(self._holder, self._every)
                if not left:
                    await self._switch_off()
            except (UnavailableError, StillSpreadingError) as failure:
                logger.warning("Looking for idle keys: %s", failure)
            except Exception:  # a fault of ours must not end it for good
                logger.exception("Looking for idle keys failed, and is tried again")
            await asyncio.sleep(min(left or self._every, LOOK_SECONDS) * random.uniform(1, 1 + JITTER))  # noqa: S311
