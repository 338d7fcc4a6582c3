"""Coroutines that never wait, run without an event loop: what is timed is their own work."""

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


def drive(call: Awaitable[T]) -> T:
    """What the coroutine returns. Raises `RuntimeError` where it waits for something."""
    try:
        call.send(None)  # type: ignore[attr-defined]  # a coroutine, if its type says less
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what a coroutine returns is the exception's value
    raise RuntimeError("it was not to wait for anything, but did")
