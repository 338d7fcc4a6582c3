"""Up to where the log may be pruned, so that nobody who is behind is harmed; and what pruning did."""

from collections.abc import Iterable
from dataclasses import dataclass

from gatepost.base import Worker

BEHIND = 100
"""So many changes before the last one that a worker has applied stay: it may just be reading them."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who still needs the log from somewhere on. `who`: for people. `seq`: it may be pruned up to there."""

    who: str
    seq: int


def hold_of_worker(name: str, acked_seq: int) -> Hold:
    """What a worker needs that has applied every change up to `acked_seq`."""
    return Hold(f"worker {name}", acked_seq - BEHIND)


def prunable_to(*, older: int, newest: int, holds: Iterable[Hold]) -> Hold:
    """The last change that may go, and who keeps the next one. `older`: the last one that is old enough. `newest`: of
    the log; it stays, since workers show by it that they are where the database is."""
    return min((Hold("", older), Hold("", newest - 1), *holds), key=lambda hold: hold.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedLog:
    """What became of old lines of the audit log. `removed`: lines that are gone. `kept`: lines of keys' making, which
    stay. `to`: the log is pruned up to this change; -1 = it is not. `held_by`: who still needs what was old enough to
    go, `None` = nobody."""

    removed: int = 0
    kept: int = 0
    to: int = -1
    held_by: str | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `APIKeys.prune` did, or would do where it `is_preview`. `rolled_up`: rows of usage by day that became parts
    of months. `removed`: rows of usage that are gone for good. `log`: what became of the audit log, `None` = nobody
    asked. `workers`: dead workers whose rows are gone, of a preview those that are silent; `None` = nobody asked."""

    rolled_up: int
    removed: int
    log: PrunedLog | None = None
    workers: tuple[Worker, ...] | None = None
    is_preview: bool = False
