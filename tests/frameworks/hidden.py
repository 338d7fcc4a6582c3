"""Looks for a secret where a reporter of errors would find it: in the variables of every frame that runs or waits."""

import asyncio
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

TESTS = "/tests/"
"""The tests' own frames hold the secret, as a client does."""


def _waiting(task: "asyncio.Task[Any]") -> Iterator[FrameType]:
    """The frames of a task that waits, from its coroutine down to what it waits for."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)


def _running() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def frames() -> list[FrameType]:
    """All that run or wait now, but the tests' own."""
    found = {id(frame): frame for frame in _running()}
    for task in asyncio.all_tasks():
        found |= {id(frame): frame for frame in _waiting(task)}
    return [frame for frame in found.values() if TESTS not in frame.f_code.co_filename]


def places_of(secret: str) -> list[str]:
    """The function and variable of each place that shows the secret."""
    return [
        f"{frame.f_code.co_qualname}: {name}"
        for frame in frames()
        for name, value in list(frame.f_locals.items())
        if secret in repr(value)
    ]
