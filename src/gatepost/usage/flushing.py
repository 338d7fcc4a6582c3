"""Writing the counts: some time after the first of them, at random, so that workers do not all write at once.

counts ──10 to 60 s──> batch, frozen ──> database ──committed──> the next one
                         └──failed, or nobody knows──> the same batch again, later
"""

import asyncio
import logging
import random
import uuid
from collections import deque
from datetime import UTC, datetime

from gatepost.base import UnavailableError, Use
from gatepost.database import UsageBatch, UsageTables
from gatepost.usage.counter import UsageCounter

logger = logging.getLogger("gatepost.usage")

FLUSH_SECONDS = (10.0, 60.0)
"""Least and most seconds from the first count to its being written: what a killed worker loses."""

BATCH_MAX = 2000
"""Most counts of a batch: one transaction, which others may have to wait for."""


class Flushing:
    """Writes what a counter has counted into the tables of usage. `counter` is to be set before anything is counted."""

    counter: UsageCounter

    def __init__(self, tables: UsageTables) -> None:
        self._tables = tables
        self._waiting: deque[Use] = deque()
        self._batch: UsageBatch | None = None
        self._before: str | None = None
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def wake(self, full: bool) -> None:
        """There is something to write, soon; at once where there is no more room."""
        if self._closed or self._loop.is_closed():
            return
        if not full:
            self._write_later()
        elif not self._failed and (self._task is None or self._task.done()):  # else each request would try it
            self._begin()

    async def flush(self) -> None:
        """Write all that was counted before this call. Raises `UnavailableError`; what was not written then is kept,
        and written later, once."""
        async with self._turn:
            self._stop_timer()
            try:
                await self._write_waiting()
                self._waiting.extend(self.counter.take())  # once: what is counted from here on has a timer of its own
                await self._write_waiting()
            except BaseException:
                if not self._closed:
                    self._write_later()
                raise

    async def close(self) -> None:
        """Write what is left, and write no more. Where that is not possible the log says how much is lost."""
        self._closed = True
        try:
            await self.flush()
        except UnavailableError as failure:
            lost = sum(use.count for use in (*self._waiting, *self.counter.take()))
            lost += sum(use.count for use in self._batch.uses) if self._batch is not None else 0
            logger.error("The usage of %d requests is lost: %s", lost, failure)  # noqa: TRY400 - an outage
        finally:
            self._stop_timer()
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)

    async def _write_waiting(self) -> None:
        while (batch := self._next_batch()) is not None:
            await self._write(batch)

    def _next_batch(self) -> UsageBatch | None:
        """What is to be written now: a batch of which it is not known whether it was; then what waits behind it."""
        if self._batch is None and self._waiting:
            uses = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            self._batch = UsageBatch(uuid.uuid4().hex, self._before, datetime.now(UTC), uses)
        return self._batch

    async def _write(self, batch: UsageBatch) -> None:
        await self._tables.write(batch)
        self._before, self._batch = batch.id, None
        if self._failed:
            self._failed = False
            logger.warning("Usage is written again")

    def _write_later(self) -> None:
        if self._timer is None:
            delay = random.uniform(*FLUSH_SECONDS)  # noqa: S311 - spreads load, no secret
            self._timer = self._loop.call_later(delay, self._begin)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._stop_timer()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._flush_in_background())
        else:  # it may have taken its counts already
            self._write_later()

    async def _flush_in_background(self) -> None:
        try:
            await self.flush()
        except UnavailableError as failure:
            if not self._failed:
                logger.warning("Usage cannot be written, and is kept: %s", failure)
            self._failed = True
        except Exception:  # a fault of ours must not end the counting
            logger.exception("Writing usage failed; it is kept")
