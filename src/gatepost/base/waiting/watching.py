"""Who is told, while a process works, of what it waits for and whom it refuses. Nobody is, unless telemetry is turned
on: then what waits is wrapped, and what does not wait is as it was.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, ParamSpec, Protocol, TypeVar

logger = logging.getLogger("gatepost.telemetry")

P = ParamSpec("P")
T = TypeVar("T")

Ended = Callable[[BaseException | None], None]
"""Is told of the end of a wait, and what ended it; `None` = it got its answer."""


class Wait(StrEnum):
    """What is waited for. `redis`, `database`: a lookup, for what it asks of that tier, alone or with others. `limits`:
    Redis, which counts. `quota`: the database, which leases units of one. `poll`: the change log, read and applied.
    `change`: a verb's transaction. `propagation`: every worker, after one."""

    REDIS = "redis"
    DATABASE = "database"
    LIMITS = "limits"
    QUOTA = "quota"
    POLL = "poll"
    CHANGE = "change"
    PROPAGATION = "propagation"


class Listener(Protocol):
    """Who listens. Its methods are called in the event loop of the keys, `refused` in a sync handler's thread too: they
    do no I/O. What they raise is logged, the first time, and harms nobody else."""

    def begin(self, wait: Wait) -> Ended | None:
        """A wait begins, in the context of who waits; answers whom to tell of its end."""

    def refused(self, outcome: str, key_id: str | None, scope: Mapping[str, Any]) -> None:
        """The request of a scope is refused, in the context of its task. `key_id`: `None` = no key is known."""

    def closing(self) -> None:
        """The keys are about to be closed: what they have counted is gone after that."""


class Watch:
    """Tells each of its listeners."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._told_of_failure = False

    def add(self, listener: Listener) -> None:
        """Let it be told too, from now on."""
        self._listeners.append(listener)

    def around(self, wait: Wait, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """The function, with its waits told of."""

        def watched(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
            return self._over(wait, function(*args, **kwargs))

        return watched

    def refused(self, outcome: str, key_id: str | None, scope: Mapping[str, Any]) -> None:
        """The request of a scope is refused."""
        for listener in self._listeners:
            self._tell(listener.refused, outcome, key_id, scope)

    def closing(self) -> None:
        """The keys are about to be closed."""
        for listener in self._listeners:
            self._tell(listener.closing)

    async def _over(self, wait: Wait, answer: Awaitable[T]) -> T:
        ends = [end for listener in self._listeners if (end := self._tell(listener.begin, wait)) is not None]
        try:
            answered = await answer
        except BaseException as failure:
            for end in reversed(ends):
                self._tell(end, failure)
            raise
        for end in reversed(ends):
            self._tell(end, None)
        return answered

    def _tell(self, told: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What it answers; `None` where it fails: a full disk, where processes share their counts in files, say."""
        try:
            return told(*args, **kwargs)
        except Exception:
            if not self._told_of_failure:
                logger.exception("Telemetry failed, and is not complete from here on; requests are served all the same")
            self._told_of_failure = True
            return None
