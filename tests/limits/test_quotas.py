"""Quotas in a real database: never exceeded by any number of workers, and one statement for each lease."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from gatepost.base import Quota, Rate, Slots
from gatepost.database import Database
from gatepost.database.quotas.quotas import REST_PART
from gatepost.database.schema import quotas
from gatepost.limits import Bucket, Leases, Limiter, Members
from gatepost.limits.leases import LEASE_PART, USED_UP_SECONDS
from gatepost.limits.periods import period_at

PLAN = Quota(1_000, per="month", name="plan")
BUCKET = Bucket("key/a/plan/0", PLAN)

Connect = Callable[[], Any]


@pytest.fixture
async def connect(ready_url: str) -> AsyncIterator[Connect]:
    """`await connect()`: a worker's database."""
    async with AsyncExitStack() as stack:

        async def open_database() -> Database:
            database = Database(ready_url, timeout=30.0)
            await database.open()
            stack.push_async_callback(database.close)
            return database

        yield open_database


async def two() -> int:
    return 2


def limiter_on(database: Database, clock: Callable[[], float] = time.monotonic) -> Limiter:
    return Limiter(Leases(database.quotas, time.time, clock), None, Members(two, time.monotonic))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    told: list[str] = []

    def tell(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        told.append(statement.split(maxsplit=1)[0])

    event.listen(database.engine.sync_engine, "before_cursor_execute", tell)
    yield told
    event.remove(database.engine.sync_engine, "before_cursor_execute", tell)


async def used_of(database: Database, bucket: Bucket = BUCKET) -> int:
    assert isinstance(bucket.limit, Quota)
    (used,) = await database.quotas.read_used([(bucket.name, period_at(time.time(), bucket.limit.per).begins)])
    return used


async def test_three_workers_at_once_spend_a_quota_to_the_last_unit_and_none_more(connect: Connect) -> None:
    limiters = [limiter_on(await connect()) for _ in range(3)]

    async def spend(limiter: Limiter) -> int:
        let_in = 0
        while (limiter.take_at_once([(BUCKET, 1)]) or await limiter.take([(BUCKET, 1)])).let_in:
            let_in += 1
        return let_in

    assert sum(await asyncio.gather(*map(spend, limiters))) == 1_000


async def test_a_lease_is_one_statement_and_a_request_none(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    await limiter.take([(BUCKET, 1)])  # makes the row
    with statements(database) as told:
        for _ in range(99):
            taken = limiter.take_at_once([(BUCKET, 1)]) or await limiter.take([(BUCKET, 1)])
            assert taken.let_in
    assert told == ["UPDATE"] * 9
    assert taken.states[0].left == 900
    assert await used_of(database) == 100


async def test_who_comes_near_the_end_leases_a_part_of_what_is_left(connect: Connect) -> None:
    database = await connect()
    period = period_at(time.time(), PLAN.per)
    lease = partial(database.quotas.lease, BUCKET.name, period, units=1_000)
    assert (await lease(wanted=900, least=900)).units == 900
    assert (await lease(wanted=10, least=1)).units == 100 // REST_PART
    assert (await lease(wanted=50, least=50)).units == 50, "what one request costs"
    used = [(await lease(wanted=10, least=1)).used for _ in range(40)]
    assert used[-1] == 1_000, "to the last unit"
    assert (await lease(wanted=1, least=1)).units == 0, "and none more"


async def test_a_worker_that_leaves_gives_back_what_it_did_not_spend(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    await limiter.take([(BUCKET, 3)])
    assert await used_of(database) == 1_000 // LEASE_PART
    await limiter.close()
    assert await used_of(database) == 3


async def test_what_many_leases_have_left_is_given_back_in_one_call(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    buckets = [Bucket(f"key/{number}/plan/0", PLAN) for number in range(20)]
    for bucket in reversed(buckets):
        await limiter.take([(bucket, 3)])
    with statements(database) as told:
        await limiter.close()
    assert told == ["UPDATE"], "one call, and one round trip where the driver knows how"
    assert [await used_of(database, bucket) for bucket in buckets] == [3] * 20


async def test_a_charge_begins_a_period_too_and_a_quota_that_was_lowered_stays_where_it_is(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    await limiter.charge([(BUCKET, 30)])
    assert await used_of(database) == 30
    lower = Bucket(BUCKET.name, Quota(20, per="month", name="plan"))
    await limiter.charge([(lower, 5)])
    assert await used_of(database) == 30
    await limiter.close()
    assert await used_of(database) == 30


async def test_a_worker_that_dies_takes_its_lease_with_it(connect: Connect) -> None:
    database = await connect()
    await limiter_on(database).take([(BUCKET, 1)])
    other = limiter_on(database)
    let_in = 0
    while (other.take_at_once([(BUCKET, 1)]) or await other.take([(BUCKET, 1)])).let_in:
        let_in += 1
    assert let_in == 1_000 - 1_000 // LEASE_PART


async def test_what_is_used_up_is_asked_for_once_a_second_and_told_until_when(connect: Connect) -> None:
    database = await connect()
    now = 100.0
    limiter = limiter_on(database, lambda: now)
    small = Bucket("key/a/small/0", Quota(2, per="day", name="small"))
    for _ in range(2):
        assert (await limiter.take([(small, 1)])).let_in
    for _ in range(3):
        with statements(database) as told:
            for _ in range(20):
                refused = limiter.take_at_once([(small, 1)]) or await limiter.take([(small, 1)])
                assert not refused.let_in
        assert told == ["UPDATE", "SELECT"], "one try to lease, and a look at why not"
        now += USED_UP_SECONDS
    assert [state.limit.name for state in refused.violated] == ["small"]
    assert 0 < refused.retry_after <= 86_400


async def test_an_edited_quota_is_leased_anew_and_a_lower_one_binds_at_once(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    for _ in range(5):
        assert (await limiter.take([(BUCKET, 1)])).let_in
    lower = Bucket(BUCKET.name, Quota(6, per="month", name="plan"))
    lets_in = [(await limiter.take([(lower, 1)])).let_in for _ in range(3)]
    assert lets_in == [True, False, False]
    higher = Bucket(BUCKET.name, Quota(8, per="month", name="plan"))
    lets_in = [(await limiter.take([(higher, 1)])).let_in for _ in range(3)]
    assert lets_in == [True, True, False]


async def test_a_period_that_is_over_by_the_databases_clock_gives_nothing(connect: Connect) -> None:
    database = await connect()
    begins, ends = period_at(time.time() - 86_400 * 40, "month")
    leased = await database.quotas.lease("key/a/plan/0", (begins, ends), units=10, wanted=1, least=1)
    assert (leased.units, leased.is_open) == (0, False)


async def test_an_app_may_charge_afterwards_down_to_nothing(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    await limiter.take([(BUCKET, 1)])
    with statements(database) as told:
        await limiter.charge([(BUCKET, 700)])
    assert told == ["UPDATE"]
    (state,) = await limiter.look([BUCKET], time.time(), serving=True)
    assert state.left == 299
    await limiter.charge([(BUCKET, 5_000)])
    assert await used_of(database) == 1_000
    await limiter.charge([(BUCKET, 5_000)])
    assert not (await limiter.take([(BUCKET, 1)])).let_in
    assert await used_of(database) == 1_000


async def test_a_use_is_no_change(connect: Connect) -> None:
    database = await connect()
    before = await database.read_position()
    await limiter_on(database).take([(BUCKET, 1)])
    after = await database.read_position()
    assert (after.seq, after.nonce) == (before.seq, before.nonce)


async def test_all_or_nothing_without_redis_too(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    rate, slots = Bucket("key/a/r/0", Rate(4, per=3600, name="r")), Bucket("key/a/s/0", Slots(2, name="s"))
    asked = [(BUCKET, 1), (rate, 1), (slots, 1)]
    first = await limiter.take(asked)  # of two workers each has two units, and one slot
    assert first.let_in
    refused = await limiter.take(asked)
    assert [state.limit.name for state in refused.violated] == ["s"]
    limiter.free(first)
    second = await limiter.take(asked)
    assert second.let_in
    assert [state.left for state in second.states] == [998, 0, 0]
    limiter.free(second)
    refused = await limiter.take(asked)
    assert [state.limit.name for state in refused.violated] == ["r"]
    await limiter.close()
    assert await used_of(database) == 2


async def test_what_temporary_secrets_have_spent_goes_when_they_have_ended(connect: Connect) -> None:
    database = await connect()
    limiter = limiter_on(database)
    now = int(time.time())
    period = period_at(now, "month")
    ends = (now - 4_000, now - 90_000, now - 1_000, now + 600)
    spent = [f"temporary/{each}.{number:016x}/q/0" for number, each in enumerate(ends)]
    async with database.engine.begin() as connection:
        rows = [{"bucket": name, "period": period.begins, "ends": period.ends, "used": 3} for name in spent]
        await connection.execute(insert(quotas), rows)
    kept = [BUCKET, Bucket("temporary/0123456789abcdef/q/0", PLAN), Bucket("key/1000000000.a/q/0", PLAN)]
    kept.append(
        Bucket(f"temporary/{now - 7_200}.ff/q/0", PLAN)
    )  # asked for however late: its row is not cleared at once
    for bucket in kept:
        assert (await limiter.take([(bucket, 1)])).let_in
    async with database.engine.connect() as connection:
        left = set((await connection.execute(select(quotas.c.bucket))).scalars())
    assert left == {*spent[2:], *(bucket.name for bucket in kept)}
