"""Looking at usage."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from gatepost.base import USAGE_GROUPS, Actor, BadInputError, KeyNotFoundError, Usage
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
    actor: str | Actor = UNNAMED,
) -> Sequence[Usage]:
    """How often a key was used, refusals included: a line for each group, newest day first, then the most used; at most
    10,000. Up to a minute behind, by what workers have not written yet (`flush_usage`).

    `key_id`: also of a key that was deleted; `None` = of no key: what came without a secret, or with one that nobody
    has made; or with `owner`, `environment` or both, of all such keys that there are now, together. `since`, `until`:
    days in UTC; from the one on, before the other; a month that was rolled up counts as its first day. `by`: what to
    tell apart, any of `day`, `route`, `outcome`, `secret`; none = one line for all. Raises `KeyNotFoundError` for a key
    that there is not and that has no usage, `AccessDeniedError`, `BadInputError`, `UnavailableError`. Two round trips,
    three by secret; as many rows are read as there are groups and days."""
    from gatepost.database import UsagePage  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    authority = Authority(checked_actor(actor))
    authority.check_look(key_id)
    asked = {"owner": checked_owner(owner), "environment": checked_environment(environment)}
    among = {name: value for name, value in asked.items() if value is not None}
    if among and key_id is not None:
        raise BadInputError(f"{next(iter(among))} is for the usage of many keys: leave out the id", next(iter(among)))
    if any(among.get(name, own) != own for name, own in authority.bounds.items()):
        return ()
    page = UsagePage(
        key_id=None if among else key_id or "",
        among={**among, **authority.bounds} if among else {},
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
    if authority.bounds and key_id is None and not among:
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
    """How often each of these keys was used on each of the last `days` days (1 to 366), the last one today, in UTC; by
    the key's id, of those that were used at all. For a small chart beside each key of a list, so `ids` are those of
    keys that the actor was shown; others are left out. Raises `BadInputError`, `UnavailableError`. One round trip."""
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
