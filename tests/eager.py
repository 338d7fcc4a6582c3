"""`eager`: a task factory that takes a task's first step within `create_task`, as apps may set for their loop."""

import asyncio
import sys
import types
from collections.abc import Generator
from typing import Any


def begun_at_once(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """Imitates `asyncio.eager_task_factory`, which came with CPython 3.12: the first step is taken at once."""
    waits_for = coroutine.send(None)

    @types.coroutine
    def remaining() -> Generator[Any, Any, Any]:
        yield waits_for
        return (yield from coroutine)

    async def rest() -> Any:
        return await remaining()

    return asyncio.Task(rest(), loop=loop, **options)


if sys.version_info >= (3, 12):
    eager = asyncio.eager_task_factory
else:
    eager = begun_at_once
