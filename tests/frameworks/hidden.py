"""Looks for a secret where a reporter of errors would find it: in the variables of every frame that runs or waits."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import greenlet  # type: ignore[import-untyped]
from sqlalchemy import event
from sqlalchemy.engine import Engine

import gatepost

TESTS = f"{Path(__file__).parents[1]}{os.sep}"
"""The tests' own frames hold the secret, as a client does."""

OURS = f"{Path(gatepost.__file__).parent}{os.sep}"
"""Not what has the name in its path otherwise: a clone's environment."""


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
    around = greenlet.getcurrent().parent  # SQLAlchemy runs the driver in one of its own
    while frame is not None:
        yield frame
        frame = frame.f_back
        if frame is None and around is not None:
            frame, around = around.gr_frame, around.parent


def frames() -> list[FrameType]:
    """All that run or wait now, but the tests' own."""
    found = {id(frame): frame for frame in _running()}
    for task in asyncio.all_tasks():
        found |= {id(frame): frame for frame in _waiting(task)}
    return [frame for frame in found.values() if not frame.f_code.co_filename.startswith(TESTS)]


def places_of(secret: str) -> list[str]:
    """The function and variable of each place that shows the secret."""
    return [
        f"{frame.f_code.co_qualname}: {name}"
        for frame in frames()
        for name, value in list(frame.f_locals.items())
        if secret in repr(value)
    ]


class Watch:
    """Keeps what the variables of gatepost's frames show at each statement. `names`: of the functions."""

    def __init__(self) -> None:
        self._shown: set[tuple[str, str]] = set()
        self.names: set[str] = set()

    def look(self, *_: Any) -> None:
        """Look around now."""
        for frame in frames():
            if frame.f_code.co_filename.startswith(OURS):
                self.names.add(frame.f_code.co_qualname)
                for name, value in list(frame.f_locals.items()):
                    self._shown.add((f"{frame.f_code.co_qualname}: {name}", repr(value)))

    def places_of(self, text: str) -> set[str]:
        """The function and variable of each place that showed it."""
        return {place for place, shown in self._shown if text in shown}


@contextmanager
def watching() -> Iterator[Watch]:
    """Look around at each statement of the database's."""
    watch = Watch()
    event.listen(Engine, "before_cursor_execute", watch.look)
    try:
        yield watch
    finally:
        event.remove(Engine, "before_cursor_execute", watch.look)
