"""Pruning: old usage, old lines of the audit log, the rows of dead workers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict

from gatepost.base import AccessDeniedError, Actor, BadInputError
from gatepost.base.trail import Pruned, PrunedLog
from gatepost.keys.parts import Parts
from gatepost.keys.retention.workers import remove_dead, silent_workers
from gatepost.rules import UNNAMED, checked_actor, checked_bound

USAGE_DAYS = 92
"""Days that usage is kept by day, unless told otherwise: three months. Then it is kept by month."""

USAGE_MONTHS = 25
"""Months that usage is kept by month, unless told otherwise: two years, and the month that is not over."""

DAYS_MIN, DAYS_MAX = 1, 3660
MONTHS_MIN, MONTHS_MAX = 1, 1200

SILENT = timedelta(days=30)
"""After so long nobody sends a batch of counts again."""

LOG_DAYS_MIN = 2
"""Days of the audit log that stay in any case: auditors, deliverers and workers that were away for a night go on."""


class Kept(TypedDict, total=False):
    """What is pruned, and who does it. `days`, `months`: for how long usage is kept by day, and then by month.
    `events_before`, `dead_workers`: as for `prune`. `progress`: told after each transaction of the log's."""

    days: int
    months: int
    events_before: datetime | None
    dead_workers: bool
    preview: bool
    progress: Callable[[PrunedLog], Any] | None
    actor: str | Actor


async def prune(
    parts: Parts,
    *,
    days: int = USAGE_DAYS,
    months: int = USAGE_MONTHS,
    events_before: datetime | None = None,
    dead_workers: bool = False,
    preview: bool = False,
    progress: Callable[[PrunedLog], Any] | None = None,
    actor: str | Actor = UNNAMED,
) -> Pruned:
    """`APIKeys.prune`, which tells of it in full."""
    if not checked_actor(actor).operator:
        raise AccessDeniedError("Only an operator can prune")
    _check_number("days", days, DAYS_MIN, DAYS_MAX)
    _check_number("months", months, MONTHS_MIN, MONTHS_MAX)
    now = datetime.now(UTC)
    before = _checked_before(events_before, now)
    for name, value in (("dead_workers", dead_workers), ("preview", preview)):
        if not isinstance(value, bool):
            raise BadInputError(f"{name} must be True or False, not {value!r:.50}", name)
    oldest_day = (now.date() - timedelta(days=days)).replace(day=1)
    oldest_month = _months_before(now.date(), months)
    database = parts.database
    if preview:
        found = await database.usage.count_prunable(days_before=oldest_day, months_before=oldest_month)
        silent = tuple(row.worker for row in await silent_workers(parts)) if dead_workers else None
        log = None if before is None else await database.chain.preview(before)
        return replace(found, log=log, workers=silent)
    removed = tuple(await remove_dead(parts)) if dead_workers else None
    log = None if before is None else await database.chain.prune(parts.opened().sealing.links, before, progress)
    done = await parts.database.usage.prune(
        days_before=oldest_day, months_before=oldest_month, silent_since=now - SILENT
    )
    return replace(done, log=log, workers=removed)


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise BadInputError(f"{name} must be a whole number, {least} to {most}, not {value!r:.50}", name)


def _checked_before(moment: datetime | None, now: datetime) -> datetime | None:
    before = checked_bound("events_before", moment)
    if before is not None and before > now - timedelta(days=LOG_DAYS_MIN):
        raise BadInputError(
            f"events_before must be at least {LOG_DAYS_MIN} days ago: so much of the audit log stays, for those that "
            "follow it",
            "events_before",
        )
    return before


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(max(year, 1), month + 1, 1)
