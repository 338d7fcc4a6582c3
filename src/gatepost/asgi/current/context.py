"""The request being served, for code that is not handed it."""

import asyncio
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from gatepost.asgi.sources import Scope
from gatepost.base import Outcome

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from gatepost.asgi.log import RefusalLog
    from gatepost.asgi.responses import Problem
    from gatepost.base import Quota, Rate
    from gatepost.keys import APIKeys
    from gatepost.rules import Catalogue


class Judge(Protocol):
    """The middleware that let a request in. `keys`: those that it asks. `refusal_log`: is told of what is refused later
    on."""

    keys: "APIKeys"
    refusal_log: "RefusalLog"

    @property
    def catalogue(self) -> "type[Catalogue]":
        """Which permissions its keys can have."""

    @property
    def loop(self) -> "AbstractEventLoop":
        """The event loop that `renew` must run in. Raises `ConfigurationError` while the keys are closed."""

    async def renew(self, digest: bytes, *scopes: Scope) -> "Problem | None":
        """Judge the caller anew on the database's word: the refusal, or `None` once the scopes tell of them as they are
        now. One round trip."""

    async def spend(self, scope: Scope, limit: "Rate | Quota | None", cost: int) -> "Problem | None":
        """Take what a route costs: the refusal, or `None`."""


Served = list[Any]
"""[scope, `Judge`, the secret's digest (32 bytes) or `None`, …]: one request that the middleware let in. What follows
is the middleware's own. A plain list: it is made for every request, and an object with names costs three times as much.
Empty once the request is over: contexts are copied, and their copies may outlive it by far. Where a memory hit is
compiled it is an object that does what is asked of this list.
"""

OUTCOME = "gatepost.outcome"
"""Where a scope tells that a request was refused after it had been let in: an `Outcome`, for who counts."""

served_variable: ContextVar[Served | None] = ContextVar("gatepost_served", default=None)
"""Holds the request that is being served, for the two functions below and for compiled code."""

serving = served_variable.get
"""The request that the middleware let in: how `requires` finds it where a handler takes no request. `None` or empty
where there is none."""

set_serving = served_variable.set
"""Let that be the request from now on. Not reset after it, which costs as much again: it is emptied, and only where one
is served within another that one is put back. Bound once: Python looks a method of a global object up each time."""


def note_refusal(outcome: Outcome) -> None:
    """The request that is being served is refused after all."""
    served = serving()
    if served:
        refuse_late(served[0], outcome, served[1].keys)


def refuse_late(scope: Scope, outcome: Outcome, keys: "APIKeys") -> None:
    """Note that a request which was let in is refused after all: for who counts, and who watches."""
    scope[OUTCOME] = outcome
    if keys.watch is not None:
        key = scope.get("api_key")
        keys.watch.refused(outcome, None if key is None else key.id, scope)


if sys.version_info >= (3, 12):
    task_of = asyncio.current_task
else:
    task_of = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]  # noqa: SLF001 - as its `current_task` does
"""The task that runs in an event loop now. In CPython 3.11, which only gets security fixes, the public function is
Python code around a dict, and takes four times as long as the dict: 0.1 µs of every request."""
