"""`Office`: keys beside the app's, on the same database, whose verbs any test may call, sync or async.

It has an event loop of its own, which runs while a verb does: right there, and where another one runs already in a
thread, for two do not run in one. It verifies nothing, so it is no worker that anybody waits for.
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gatepost.keys import APIKeys
from gatepost.testing.loop import loop_here

if TYPE_CHECKING:
    from gatepost.keys.parts import Parts, Settings
    from gatepost.testing.stand_in import StandIn

T = TypeVar("T")

VERB_SECONDS = 60.0
"""How long a verb may take, which needs milliseconds: ends a test that hangs."""


class Office:
    """`keys`: those of the app, whose settings count here too. `made`: what their parts are to be."""

    def __init__(self, keys: APIKeys, made: "Callable[[Settings], Parts]") -> None:
        self._keys = keys.alike(redis=None, usage=False)
        self._stack = ExitStack()
        self._parts = cast("StandIn", self._stack.enter_context(self._keys.with_parts(made)))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = ThreadPoolExecutor(1, "gatepost.testing")  # begun when it is needed
        self._lock = threading.Lock()

    def run(self, verb: Callable[[APIKeys], Awaitable[T]]) -> T:
        """What `verb` answers about these keys, or raise what it raises. Blocks until then."""

        async def call() -> T:
            async with asyncio.timeout(VERB_SECONDS):
                await self._keys.open()
                await self._parts.write_late_usage()
                return await verb(self._keys)

        return self._drive(call())

    def close(self) -> None:
        """End its loop and its thread."""
        if self._loop is not None:
            self._drive(self._keys.close())
            self._loop.close()
            self._loop = None
        self._threads.shutdown()
        self._stack.close()

    def _drive(self, call: Coroutine[Any, Any, T]) -> T:
        if loop_here() is None:
            return self._drive_here(call)
        return self._threads.submit(contextvars.copy_context().run, self._drive_here, call).result()

    def _drive_here(self, call: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.SelectorEventLoop()
            return self._loop.run_until_complete(call)
