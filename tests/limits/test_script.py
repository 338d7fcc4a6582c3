"""`limits.lua` on a real Redis: what the reference says, digit by digit, and what is kept for how long."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis import Redis

from gatepost.base import Rate, Slots
from gatepost.limits import Bucket, Limiter, Members, SharedCounts
from gatepost.limits.leases import Leases
from gatepost.redis import RedisTier
from gatepost.redis.scripts import LIMITS
from tests.limits.reference import Counts
from tests.servers.redis_cluster import RedisCluster

SETTABLE = LIMITS.text.replace(b"redis.call('TIME')", b"{table.remove(ARGV, 1), table.remove(ARGV, 1)}").replace(
    b" / 1000) + 1", b" / 1000) + 60000"
)
"""The script with a clock that is told to it, seconds and microseconds. Redis, whose own clock goes on, keeps all for
a minute more."""

BEGIN = 1_795_908_114_767_123
"""Microseconds since the epoch: all sixteen digits count."""

NAMES = [b"a", b"b", b"c"]
RATES = [Rate(100, per=60, burst=20), Rate(7, per=1), Rate(999_983, per=86_400), Rate(1, per=86_400), Rate(50, per=1)]


def rate_words(kind: bytes) -> st.SearchStrategy[tuple[bytes, int, int, bytes | int]]:
    return st.builds(
        lambda rate, cost: (kind, rate.interval, rate.burst, cost),
        st.sampled_from(RATES),
        st.integers(-5 if kind == b"charge" else 0, 25),
    )


slot_names = st.sampled_from([b"x", b"y", b"z"])
lives = st.sampled_from([0, 1_000_000, 30_000_000])
asked = st.one_of(
    st.tuples(st.sampled_from([b"r1", b"r2"]), st.one_of(rate_words(b"rate"), rate_words(b"charge"))),
    st.tuples(
        st.sampled_from([b"s1", b"s2"]),
        st.one_of(
            st.tuples(st.just(b"slots"), st.integers(1, 3), lives, slot_names),
            st.tuples(st.just(b"keep"), st.just(0), st.just(30_000_000), slot_names),
            st.tuples(st.just(b"free"), st.just(0), st.just(0), slot_names),
        ),
    ),
)
slot_kinds = {b"slots", b"keep", b"free"}


@st.composite
def whole_requests(draw: st.DrawFn) -> tuple[int, list[tuple[bytes, tuple[Any, ...]]]]:
    """How often it is made, and what it asks."""
    listed = draw(st.lists(asked, min_size=1, max_size=3, unique_by=lambda each: each[0]))
    once = any(four[0] in slot_kinds for _, four in listed)
    return 1 if once else draw(st.sampled_from([1, 1, 2, 3, 30])), listed


requests = whole_requests()
calls = st.lists(
    st.tuples(st.integers(-5_000_000, 100_000_000), st.lists(requests, min_size=1, max_size=4)), min_size=1, max_size=8
)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@given(calls)
@settings(
    deadline=None,
    max_examples=200,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_script_answers_what_the_reference_does_whatever_is_asked_and_however_its_clock_steps(
    client: Redis, calls: list[tuple[int, list[tuple[int, list[tuple[bytes, tuple[Any, ...]]]]]]]
) -> None:
    client.flushdb()
    reference = Counts(BEGIN)
    for step, together in calls:
        reference.now += step
        buckets = [bucket for _, request in together for bucket, _ in request]
        words: list[Any] = []
        for times, request in together:
            words += [len(request), times]
            for _, four in request:
                words += four
        clock = divmod(reference.now, 1_000_000)
        told = client.eval(SETTABLE.decode(), len(buckets), *buckets, *clock, *words)
        assert told == reference.count(buckets, words)
    for bucket, back in reference.rates.items():
        if back > reference.now:
            assert int(client.get(bucket) or 0) == back


def test_all_that_is_kept_has_an_end(client: Redis) -> None:
    client.eval(
        LIMITS.text.decode(), 3, b"r", b"s", b"c",
        1, 1, b"rate", 600_000, 20, 3, 1, 1, b"slots", 5, 30_000_000, b"name", 1, 1, b"charge", 600_000, 20, 100,
    )  # fmt: skip
    assert 1_000 <= client.pttl(b"r") <= 1_802
    assert 29_000 <= client.pttl(b"s") <= 30_002
    assert 20_000 <= client.pttl(b"c") <= 24_002


async def opened(redis: str) -> RedisTier:
    tier = RedisTier(redis, ttl=60.0, timeout=10.0)
    await tier.open(b"s" * 32)
    return tier


async def test_requests_of_one_turn_are_one_round_trip_and_never_more_than_the_rate(
    redis_url: str, client: Redis
) -> None:
    tier = await opened(redis_url)
    shared = SharedCounts(tier)
    bucket = Bucket("key/a/minute/0", Rate(10, per=3600))
    await shared.take([(bucket, 0)], None)  # loads the script
    before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    answers = await asyncio.gather(*(shared.take([(bucket, 1)], None) for _ in range(64)))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    assert sum(taken is not None and taken.let_in for taken in answers) == 10
    refused = next(taken for taken in answers if taken is not None and not taken.let_in)
    assert 0 < refused.retry_after <= 360
    await shared.close()
    await tier.close()


async def test_a_redis_that_has_forgotten_the_script_is_told_it_again(redis_url: str, client: Redis) -> None:
    tier = await opened(redis_url)
    shared = SharedCounts(tier)
    bucket = Bucket("key/a/minute/0", Rate(10, per=3600))
    for left in (9, 8):
        client.script_flush()
        taken = await shared.take([(bucket, 1)], None)
        assert taken is not None
        assert taken.let_in
        assert taken.states[0].left == left
    await shared.close()
    await tier.close()


async def test_in_a_cluster_all_limits_of_a_request_are_taken_or_none(redis_cluster: RedisCluster) -> None:
    tier = await opened(redis_cluster.url)
    shared = SharedCounts(tier)
    buckets = [(Bucket(f"key/{number}/minute/0", Rate(2 + number, per=3600)), 1) for number in range(6)]
    lets_in = []
    for _ in range(4):
        taken = await shared.take(buckets, None)
        assert taken is not None
        lets_in.append(taken.let_in)
    assert lets_in == [True, True, False, False]
    assert taken is not None
    assert [state.left for state in taken.states] == [0, 1, 2, 3, 4, 5]
    assert [state.limit.units for state in taken.violated] == [2]
    await shared.close()
    await tier.close()


async def test_slots_are_free_when_their_requests_are_over_and_with_the_clock_when_a_worker_dies(
    redis_url: str, client: Redis
) -> None:
    tier = await opened(redis_url)
    shared = SharedCounts(tier)
    bucket = Bucket("key/a/slots/0", Slots(2))
    names = [shared.new_slot() for _ in range(3)]
    taken = [await shared.take([(bucket, 1)], name) for name in names]
    assert [each is not None and each.let_in for each in taken] == [True, True, False]
    shared.free(names[0])
    again = await shared.take([(bucket, 1)], names[2])
    assert again is not None
    assert again.let_in
    assert again.states[0].left == 0
    await shared.close()
    await tier.close()
    (name,) = [bytes(each) for each in client.scan_iter(b"gatepost:{*")]
    later = int((time.time() + 31) * 1e6)
    assert client.zcount(name, int(time.time() * 1e6), later) == client.zcard(name) == 2


async def test_a_redis_that_is_full_refuses_to_count_and_each_limit_says_what_then(
    redis_url: str, client: Redis
) -> None:
    tier = await opened(redis_url)
    limiter = limiter_over(SharedCounts(tier))
    bucket = Bucket("key/a/minute/0", Rate(10, per=3600))
    client.config_set("maxmemory", 1)
    try:
        taken = await limiter.take([(bucket, 1)])
        assert taken.let_in
        assert tier.healthy
        assert tier.limits_refusal is not None
    finally:
        client.config_set("maxmemory", 0)
    await limiter.close()
    await tier.close()


def limiter_over(shared: SharedCounts | None) -> Limiter:
    async def two() -> int:
        return 2

    return Limiter(Leases(None, time.time, time.monotonic), shared, Members(two, time.monotonic))  # type: ignore[arg-type]
