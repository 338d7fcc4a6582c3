"""Ctrl-C and SIGTERM: what is being measured is cancelled, through its ends, so that no server outlives it."""

import asyncio
import signal
from collections.abc import Awaitable
from types import FrameType
from typing import TypeVar

Answer = TypeVar("Answer")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(measuring: Awaitable[Answer]) -> Answer:
    """`asyncio.run`. A signal raises `KeyboardInterrupt`, once all that was begun has ended; a second one at once.

    Ctrl-C reaches the servers that were started too, and ends may fail when these are gone: such failures are not told.
    """
    interruption = _Interruption()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        answer = asyncio.run(interruption.guard(measuring))
    except (Exception, asyncio.CancelledError):
        if interruption.came:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interruption.came:
        raise KeyboardInterrupt
    return answer


class _Interruption:
    def __init__(self) -> None:
        self.came = False

    async def guard(self, measuring: Awaitable[Answer]) -> Answer:
        """Measure, and let the first signal cancel it."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.came:
                raise KeyboardInterrupt
            self.came = True
            loop.call_soon_threadsafe(task.cancel)

        for number in SIGNALS:
            signal.signal(number, interrupt)
        return await measuring
