"""What is measured: a file a scenario, each with an async `measure(plan)` that answers tables.

Its docstring's first line is what people read in the list. Order: from what every request costs to what is rare.
"""

import ast
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.measured import Table
from benchmarks.rounds import Plan

Measure = Callable[[Plan], Awaitable[Sequence[Table]]]

NAMES = (
    "memory_hit",
    "bounded_hit",
    "temporary",
    "limited",
    "budget",
    "budget_served",
    "permission_check",
    "usage",
    "metrics",
    "requests",
    "connections",
    "servers",
    "websocket",
    "redis_hit",
    "cold",
    "stampede",
    "refused",
    "outage",
    "mixed",
    "creates",
    "role_edit",
    "selection",
    "deactivate",
    "deactivate_alone",
    "growth",
    "footprint",
    "startup",
)


def told(name: str) -> str:
    """All that a scenario says of itself: its docstring, read and not imported, so that no package need be there."""
    return ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_bytes())) or ""


def about(name: str) -> str:
    """What a scenario measures, in a line."""
    return told(name).partition("\n")[0]


def load(name: str) -> Measure:
    """How a scenario is measured. Imported only now: some need packages that others do not."""
    measure: Measure = import_module(f"{__name__}.{name}").measure
    return measure
