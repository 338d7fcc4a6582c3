"""Keys that nobody uses are switched off where a policy says so: not before, not by mistake, and by one process."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gatepost import APIKeys, BadInputError, ConfigurationError, IdleKeys
from gatepost.database.connecting.engine import changing
from gatepost.database.schema import keys as key_table
from gatepost.database.schema import last_used, leases, policies, usage
from gatepost.keys.policies import idle

LONG_AGO = 400


def ago(days: float) -> datetime:
    """A moment so many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


async def by_hand(keys: APIKeys, *statements: Any) -> None:
    """Change tables past the library."""
    async with changing(keys._database.engine) as connection:
        for statement in statements:
            await connection.execute(statement)
        await connection.commit()


async def old_key(
    keys: APIKeys, *, made: float = LONG_AGO, changed: float | None = None, used: float | None = None, **more: Any
) -> str:
    """The id of a key that was made, changed and used so many days ago."""
    key_id = (await keys.create("a key", **more)).key.id
    of_key = update(key_table).where(key_table.c.id == key_id)
    statements: list[Any] = [of_key.values(created_at=ago(made), updated_at=ago(made if changed is None else changed))]
    if used is not None:
        statements.append(update(last_used).where(last_used.c.key_id == key_id).values(last_at=ago(used)))
    await by_hand(keys, *statements)
    return key_id


async def count_since(keys: APIKeys, days: float, *, by_month: bool = False) -> None:
    """As if some use had been counted so many days ago."""
    row = {"key_id": "", "secret": "", "route": "", "outcome": "key_invalid", "uses": 1, "by_month": by_month}
    await by_hand(keys, insert(usage).values(row | {"day": ago(days).date(), "last_at": ago(days)}))


async def let_notice_pass(keys: APIKeys) -> None:
    """As if the policies had been set long ago."""
    await by_hand(keys, update(policies).where(policies.c.idle_from.is_not(None)).values(idle_from=ago(1)))


async def set_long_ago(keys: APIKeys, project: str | None = None, *, days: int) -> None:
    """A policy that is heeded."""
    await keys.policies.set(project, idle_days=days)
    await let_notice_pass(keys)


async def active(keys: APIKeys) -> set[str]:
    """The ids of the keys that are switched on."""
    return {key.id for key in (await keys.list(active=True)).items}


async def test_what_nobody_has_used_for_longer_than_its_policy_says_is_switched_off_and_told(keys: APIKeys) -> None:
    idle_ids = {await old_key(keys, used=31), await old_key(keys), await old_key(keys, project="acme", used=31)}
    good = {
        await old_key(keys, used=29),
        await old_key(keys, used=30.02),  # within the hour in which uses may come late
        await old_key(keys, made=20),
        await old_key(keys, changed=20),  # somebody has looked after it
        (await keys.create("new")).key.id,
    }
    await count_since(keys, 60)
    await set_long_ago(keys, days=30)
    assert set(await keys.policies.switch_off_idle()) == idle_ids
    assert await active(keys) == good
    for key_id in idle_ids:
        event = (await keys.events(key_id)).items[0]
        assert (event.kind, event.actor, event.detail) == (
            "deactivated",
            "gatepost policies",
            {"active": {"old": True, "new": False}},
        )
    assert await keys.policies.switch_off_idle() == []
    some = next(iter(idle_ids))
    await keys.activate(some)
    assert await keys.policies.switch_off_idle() == [], "who switches it on again is heeded"


async def test_a_projects_policy_and_the_company_wide_one_both_hold(keys: APIKeys) -> None:
    short, long = await old_key(keys, project="acme", used=20), await old_key(keys, project="other", used=20)
    both = await old_key(keys, project="acme", used=100)
    await count_since(keys, 200)
    await set_long_ago(keys, "acme", days=10)
    assert set(await keys.policies.switch_off_idle()) == {short, both}
    await set_long_ago(keys, days=15)
    assert await keys.policies.switch_off_idle() == [long]


async def test_nothing_is_switched_off_in_the_first_week_or_before_uses_are_counted_for_long_enough(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = sqlite_keys
    key_id = await old_key(keys)
    policy = await keys.policies.set(idle_days=30)
    assert policy.idle_from is not None
    assert timedelta(days=6.9) < policy.idle_from - datetime.now(UTC) < timedelta(days=7.1)
    await count_since(keys, 200)
    assert await keys.policies.switch_off_idle() == []
    await let_notice_pass(keys)
    longer = await keys.policies.set(idle_days=40)
    assert longer.idle_from is not None
    assert longer.idle_from < datetime.now(UTC), "who may be idle for longer needs no notice"
    shorter = await keys.policies.set(idle_days=35)
    assert shorter.idle_from is not None
    assert shorter.idle_from > datetime.now(UTC)
    await keys.policies.set(longest_grace=60.0)
    assert (await keys.policies.get()) is not None
    await let_notice_pass(keys)
    for since, by_month in ((None, False), (34, False), (35, False), (50, True)):
        await by_hand(keys, usage.delete())
        if since is not None:
            await count_since(keys, since, by_month=by_month)
        if by_month:
            first = ago(20).date().replace(day=1)  # the month after it may have begun to count on any of its days
            await by_hand(keys, update(usage).values(day=first))
        assert await keys.policies.switch_off_idle() == [], since
    assert await active(keys) == {key_id}
    await by_hand(keys, usage.delete())
    await count_since(keys, 37)
    assert await keys.policies.switch_off_idle() == [key_id]


async def test_a_key_that_is_used_while_it_is_looked_for_is_not_switched_off(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, kept, gone = [await old_key(keys, project=name, used=50) for name in ("acme", "other", "acme")]
    await count_since(keys, 100)
    await set_long_ago(keys, "acme", days=30)
    await set_long_ago(keys, "other", days=30)
    switch_off = idle.switch_off

    async def late(parts: Any, ids: Sequence[str]) -> Any:
        await by_hand(keys, update(last_used).where(last_used.c.key_id == used).values(last_at=ago(0)))
        await keys.policies.set("other", idle_days=None)
        return await switch_off(parts, ids)

    monkeypatch.setattr(idle, "switch_off", late)
    assert await keys.policies.switch_off_idle() == [gone]
    assert await active(keys) == {used, kept}


async def test_very_many_idle_keys_are_switched_off_some_at_a_time(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "AT_ONCE", 3)
    ids = {await old_key(sqlite_keys, used=50 + n) for n in range(8)}
    await count_since(sqlite_keys, 100)
    await set_long_ago(sqlite_keys, days=30)
    assert set(await sqlite_keys.policies.switch_off_idle()) == ids
    seqs = {event.seq for event in (await sqlite_keys.events(kind="deactivated")).items}
    assert len(seqs) == 3


async def test_of_two_processes_one_looks_in_each_interval(keys: APIKeys, ready_url: str) -> None:
    async with APIKeys(ready_url, poll_interval=0.1) as others:
        await asyncio.gather(*(each.ping() for each in (keys, others)))
        sweepers = [IdleKeys(each, every=3600) for each in (keys, others) for _ in range(3)]
        answers = await asyncio.gather(*(each.sweep() for each in sweepers))
        assert (answers.count([]), answers.count(None)) == (1, 5)
        assert [await each.sweep() for each in sweepers] == [None] * 6, "not the holder either, until its turn is over"
        left = await others.policies.take_turn("x" * 32, 3600)
        assert 3500 < left <= 3600
        await by_hand(keys, update(leases).values(until=0.0))
        assert (await asyncio.gather(*(each.sweep() for each in sweepers))).count([]) == 1


async def test_it_works_by_itself_while_it_is_open(sqlite_keys: APIKeys) -> None:
    key_id = await old_key(sqlite_keys, used=50)
    await count_since(sqlite_keys, 100)
    await set_long_ago(sqlite_keys, days=30)
    sweeper = IdleKeys(sqlite_keys)
    async with sweeper:
        with pytest.raises(ConfigurationError):
            await sweeper.open()
        for _ in range(3000):
            if not await active(sqlite_keys):
                break
            await asyncio.sleep(0.01)
    assert not (await sqlite_keys.get(key_id)).active
    assert sqlite_keys.is_open
    async with changing(sqlite_keys._database.engine) as connection:
        assert await connection.scalar(select(leases.c.holder)) == sweeper._holder


async def test_it_opens_and_closes_keys_that_nobody_has_opened(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    async with IdleKeys(keys):
        assert keys.is_open
    assert not keys.is_open


async def test_without_usage_it_does_not_begin(ready_sqlite_url: str) -> None:
    with pytest.raises(ConfigurationError, match="usage"):
        IdleKeys(APIKeys(ready_sqlite_url, usage=False))
    for every in (0, 59, 1e9, True, "3600", float("nan")):
        with pytest.raises(BadInputError, match="every"):
            IdleKeys(APIKeys(ready_sqlite_url), every=every)  # type: ignore[arg-type]
