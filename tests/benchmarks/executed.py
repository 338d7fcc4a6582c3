"""What Python executes for a call, counted and not timed: the same at every run, on every machine of one Python."""

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from types import FrameType
from typing import Any


def calls(call: Callable[[], object]) -> Counter[str]:
    """Functions called by `call()`, by name: Python's own and those written in C. `call` itself is not among them."""
    profile = Profile()
    with nothing_collected():
        profile.runcall(call)
    counts: Counter[str] = Counter()
    for entry in profile.getstats():
        name = entry.code if isinstance(entry.code, str) else entry.code.co_qualname
        counts[name] += entry.callcount
    del counts[getattr(call, "__qualname__", "")], counts["<method 'disable' of '_lsprof.Profiler' objects>"]
    return +counts


def bytecodes(call: Callable[[], object]) -> int:
    """Bytecode instructions executed by `call()`, in all the Python functions that it calls."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    with nothing_collected():
        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(before)
    return count


@contextmanager
def nothing_collected() -> Iterator[None]:
    """No garbage of other tests is collected meanwhile: what is called for it would be counted too."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
