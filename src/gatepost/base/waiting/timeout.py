"""A timeout whose time goes on only while the event loop runs.

    tick ─ on time: it counts ─> tick ─ late: the loop was blocked, so it hardly counts ─> tick ─ ... all counted: over

`asyncio.timeout` takes a server for dead because this process was busy: a handler that does not await, a garbage
collection, a thousand requests in one turn. The time runs out although the answer has long been in the socket. Here a
timer that fires late tells that nobody could have read an answer meanwhile, and the wait goes on (docs/decisions/0014).
"""

import asyncio
import time
from types import TracebackType

TICKS = 20
"""Into so many parts a timeout is divided at least: how exactly it is known when the loop was blocked."""

TICK_SECONDS_MAX = 0.05

LATE_SECONDS = max(0.002, 2 * time.get_clock_info("monotonic").resolution)
"""A timer of a loop that waits for nothing else fires as late, where timers are rounded to milliseconds (uvloop)."""

LATE_PART = 0.2
"""Of a tick: what one counts that fired late. Not nothing, so that a loop that never rests does not wait for ever; a
fifth leaves an exchange a hundred turns of the loop, and opening a connection takes some dozens."""

ROUNDING_SECONDS = 1e-6


class Timeout:
    """As `asyncio.timeout(seconds)`: raises `TimeoutError`, with a text for people, where the block takes longer.

    By the clock that may be later, by about as much as the loop was blocked. For one use. Costs a timer, and no more
    where the block ends before the first tick.
    """

    __slots__ = ("_due", "_left", "_loop", "_part", "_seconds", "_tick", "_timeout", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds
        self._tick = min(seconds / TICKS, TICK_SECONDS_MAX)
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        try:
            await self._timeout.__aexit__(kind, failure, trace)
        except TimeoutError as over:
            raise TimeoutError(f"no answer within {self._seconds:g} s") from over.__cause__

    def _wait(self) -> None:
        self._part = max(0.0, min(self._tick, self._left))
        self._due = self._loop.time() + self._part
        self._timer = self._loop.call_at(self._due, self._count)

    def _count(self) -> None:
        is_late = self._loop.time() - self._due > max(self._tick, LATE_SECONDS)
        self._left -= min(self._part, self._tick * LATE_PART) if is_late else self._part
        if self._left > ROUNDING_SECONDS:
            self._wait()
        else:
            self._timeout.reschedule(self._loop.time())
