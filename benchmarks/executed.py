"""What Python executes for a call, counted and not timed: the same at every run, on every machine of one Python."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(call: Callable[[], object]) -> Counter[str]:
    """Functions called by `call()`, by name: Python's own and those written in C. `call` itself is not among them."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            counts[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            counts[getattr(argument, "__qualname__", repr(argument))] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    own = getattr(call, "__qualname__", "")
    return Counter({name: count for name, count in counts.items() if name not in {own, "setprofile"}})


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
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
