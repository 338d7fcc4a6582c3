"""Coroutines that never wait, run without an event loop: what is timed is their own work."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def drive(call: Awaitable[T]) -> T:
    """What the coroutine returns. Raises `RuntimeError` where it waits for something."""
    send = cast("Callable[[Any], Any]", call.send)  # type: ignore[attr-defined]  # a coroutine, if its type says less
    try:
        send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise RuntimeError("it was not to wait for anything, but did")
