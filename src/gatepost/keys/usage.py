"""Looking at usage."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gatepost.base import USAGE_GROUPS, Actor, BadInputError, KeyNotFoundError, Usage, checked_members
from gatepost.keys.listing import get_key
from gatepost.keys.parts import Parts
from gatepost.rules import UNNAMED, Authority, check_id, checked_actor, checked_environment, checked_ids, checked_owner

SPARK_DAYS_MAX = 366


async def read_usage(
    parts: Parts,
    key_id: str | None,
    *,
    since: date | None = None,
    until: date | None = None,
    by: str | Iterable[str] = ("day",),
    owner: str | None = None,
    environment: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    actor: str | Actor = UNNAMED,
) -> Sequence[Usage]:
    """`APIKeys.usage`, which tells of it in full."""
    from gatepost.database import HasMember, UsagePage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    authority = Authority(checked_actor(actor))
    authority.check_look(key_id)
    asked = {"owner": checked_owner(owner), "environment": checked_environment(environment)}
    among = {name: value for name, value in asked.items() if value is not None}
    members = [] if metadata is None else HasMember.each_of(checked_members(metadata))
    of_many = [*among, *(["metadata"] if members else [])]
    if of_many and key_id is not None:
        raise BadInputError(f"{of_many[0]} is for the usage of many keys: leave out the id", of_many[0])
    if any(among.get(name, own) != own for name, own in authority.bounds.items()):
        return ()
    page = UsagePage(
        key_id=None if of_many else key_id or "",
        among={**among, **authority.bounds} if of_many else {},
        members=members,
        with_terms=bool(members) and await parts.database.terms_are_current(),
        since=_checked_day("since", since),
        until=_checked_day("until", until),
        by=_checked_groups(by),
    )
    found: KeyNotFoundError | None = None
    if key_id is not None:
        check_id(key_id)
        try:
            await get_key(parts, key_id, actor=authority.actor)
        except KeyNotFoundError as missing:
            found = missing
    if authority.bounds and key_id is None and not of_many:
        return ()
    if authority.bounds and found is not None:
        raise found
    lines = await parts.database.usage.read(page)
    if found is not None and not lines:
        raise found
    return lines


async def read_days(
    parts: Parts, ids: Iterable[str], *, days: int = 30, actor: str | Actor = UNNAMED
) -> Mapping[str, Sequence[int]]:
    """`APIKeys.usage_by_day`, which tells of it in full."""
    authority = Authority(checked_actor(actor))
    authority.check_look()
    if type(days) is not int or not 1 <= days <= SPARK_DAYS_MAX:
        raise BadInputError(f"days must be a whole number, 1 to {SPARK_DAYS_MAX}, not {days!r:.50}", "days")
    first = datetime.now(UTC).date() - timedelta(days=days - 1)
    found = await parts.database.usage.read_days(checked_ids(ids), first, authority.bounds)
    return {
        key_id: [per_day.get(first + timedelta(days=number), 0) for number in range(days)]
        for key_id, per_day in found.items()
    }


def _checked_day(name: str, day: date | None) -> date | None:
    if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
        raise BadInputError(f"{name} must be a datetime.date, a day in UTC, not {day!r:.50}", name)
    return day


def _checked_groups(by: str | Iterable[str]) -> Sequence[str]:
    try:
        groups = tuple(dict.fromkeys((by,) if isinstance(by, str) else by))
    except TypeError:
        groups = (repr(by),)
    for each in groups:
        if each not in USAGE_GROUPS:
            raise BadInputError(f"by must be of {', '.join(USAGE_GROUPS)}, not {each!r:.50}", "by")
    return groups
