"""A Redis that is down, slow, full or gone costs nothing but speed."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gatepost import APIKeys, BadInputError, ConfigurationError, Outcome
from gatepost.redis.tier import RedisTier
from tests.conftest import started
from tests.freshness.conftest import MakeWorker, calls_of, counted_statements, settled
from tests.servers.redis import RedisServer, redis_server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that this test may stop and pause."""
    with started(redis_server) as server:
        yield server


async def cold_lookups(keys: APIKeys, count: int) -> int:
    """Have `count` lookups, one after another, of keys that no tier has seen. All must be right. Answers how many asked
    Redis, and so may have waited for it."""
    made = [await keys.create(f"key {n}") for n in range(count)]
    tier = keys._opened().redis
    asked = 0
    for issued in made:
        asked += tier is not None and tier.healthy
        assert (await keys.verify(issued.secret)).valid
    return asked


async def healthy_again(keys: APIKeys) -> None:
    """Wait until the breaker asks Redis again."""
    tier = keys._opened().redis
    assert tier is not None
    while not tier.healthy:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)


async def test_a_redis_that_is_down_at_the_start_delays_nothing_and_is_used_once_it_is_there(
    worker: MakeWorker, own_redis: RedisServer
) -> None:
    own_redis.stop()
    keys = await worker(own_redis.url, redis_timeout=10.0)
    assert await cold_lookups(keys, 10) == 0
    own_redis.start()
    await healthy_again(keys)
    before = (await calls_of(own_redis.url, "mget"))["mget"]
    await cold_lookups(keys, 1)
    await settled(keys)
    assert (await calls_of(own_redis.url, "mget"))["mget"] == before + 1


@pytest.mark.parametrize("fault", ["stopped", "paused"])
async def test_a_redis_that_goes_away_costs_one_timeout_at_most_and_no_wrong_answer(
    worker: MakeWorker, own_redis: RedisServer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await worker(own_redis.url, redis_timeout=3.0)  # a Redis that runs answers on a busy machine too
    await cold_lookups(keys, 3)
    remembered = await keys.create("remembered")
    await keys.verify(remembered.secret)
    await settled(keys)
    own_redis.stop() if fault == "stopped" else own_redis.pause()
    try:
        with caplog.at_level(logging.WARNING):
            assert await cold_lookups(keys, 20) <= 1, "a timeout was paid per request"
        assert caplog.text.count("going on without it") == 1
        await keys.deactivate(remembered.key.id)
        assert (await keys.verify(remembered.secret)).outcome is Outcome.DEACTIVATED
    finally:
        own_redis.start() if fault == "stopped" else own_redis.resume()
    assert (await keys.verify(remembered.secret)).outcome is Outcome.DEACTIVATED
    asked = 0
    while asked < 2:  # a connection of before may be found closed, and then it is probed once more
        await healthy_again(keys)
        before = (await calls_of(own_redis.url, "mget"))["mget"]
        await cold_lookups(keys, 2)
        asked = (await calls_of(own_redis.url, "mget"))["mget"] - before


async def test_concurrent_requests_share_the_one_timeout(
    worker: MakeWorker, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await worker(own_redis.url, redis_timeout=3.0)
    made = [await keys.create(f"key {n}") for n in range(50)]
    waits: list[BaseException] = []
    real = RedisTier._trip

    def trip(tier: RedisTier, fault: BaseException) -> None:
        waits.append(fault)
        real(tier, fault)

    monkeypatch.setattr(RedisTier, "_trip", trip)
    own_redis.pause()
    try:
        verdicts = await asyncio.gather(*(keys.verify(issued.secret) for issued in made))
        assert len(waits) == 1
        assert all(verdict.valid for verdict in verdicts)
    finally:
        own_redis.resume()


async def test_a_full_redis_still_answers_what_it_holds(
    worker: MakeWorker, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    first = await worker(own_redis.url)
    held = await first.create("held")
    await first.verify(held.secret)
    await settled(first)
    async with Redis.from_url(own_redis.url) as client:
        await client.config_set("maxmemory", "1")
        await client.config_set("maxmemory-policy", "noeviction")
    with caplog.at_level(logging.WARNING):
        assert await cold_lookups(first, 5) == 5
        await settled(first)
    assert "refuses to write" in caplog.text
    second = await worker(own_redis.url)
    with counted_statements(second) as counts:
        assert (await second.verify(held.secret)).valid
    assert counts["records"] == 0


async def test_a_redis_that_answers_but_refuses_lookups_is_skipped_without_flapping(
    worker: MakeWorker, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Redis.from_url(own_redis.url) as client:
        await client.execute_command("ACL", "SETUSER", "default", "-mget")  # type: ignore[no-untyped-call]
        with caplog.at_level(logging.WARNING):
            keys = await worker(own_redis.url)
            for _ in range(20):
                await cold_lookups(keys, 1)
                await asyncio.sleep(0.03)
        assert caplog.text.count("going on without it") == 1
        await client.execute_command("ACL", "SETUSER", "default", "+mget", "-publish")  # type: ignore[no-untyped-call]
        await healthy_again(keys)
        issued = await keys.create("a key")
        await keys.deactivate(issued.key.id)
        tier = keys._opened().redis
        assert tier is not None
        assert tier.healthy, "a nudge that is refused is no reason to skip lookups"


async def test_a_flushed_redis_is_filled_again(worker: MakeWorker, own_redis: RedisServer) -> None:
    keys = await worker(own_redis.url, memory_entries=0)
    issued = await keys.create("a key")
    for reads in (1, 2):
        async with Redis.from_url(own_redis.url) as client:
            await client.flushall()
        with counted_statements(keys) as counts:
            assert (await keys.verify(issued.secret)).valid
            await settled(keys)
            assert (await keys.verify(issued.secret)).valid
        assert counts["records"] == 1, reads


async def test_revocation_reaches_other_workers_by_polling_where_redis_is_down(
    worker: MakeWorker, own_redis: RedisServer
) -> None:
    here, there = await worker(own_redis.url), await worker(own_redis.url)
    issued = await here.create("a key")
    assert (await there.verify(issued.secret)).valid
    own_redis.stop()
    await here.deactivate(issued.key.id)
    while (await there.verify(issued.secret)).valid:  # noqa: ASYNC110 - asks as clients would
        await asyncio.sleep(0.01)


async def test_a_client_of_the_user_is_used_and_left_open(worker: MakeWorker, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        keys: APIKeys = await worker(client)
        issued = await keys.create("a key")
        await keys.verify(issued.secret)
        await settled(keys)
        await keys.close()
        assert await client.ping()
        assert len(await client.keys("*")) == 1


def test_a_client_that_decodes_responses_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="decode_responses=False"):
        RedisTier(Redis(decode_responses=True), ttl=1, timeout=1)
    with pytest.raises(BadInputError, match="redis://"):
        RedisTier("nonsense", ttl=1, timeout=1)
    with pytest.raises(BadInputError, match="not int"):
        RedisTier(5, ttl=1, timeout=1)  # type: ignore[arg-type]


async def test_a_redis_cluster_that_cannot_be_reached_costs_nothing_but_speed(ready_sqlite_url: str) -> None:
    nowhere = RedisCluster(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    async with APIKeys(ready_sqlite_url, nowhere) as keys:
        tier = keys._opened().redis
        assert tier is not None
        assert not tier.healthy
        tier._healthy = True  # as if it had gone away just now
        issued = await keys.create("a key")
        tier._healthy = True
        assert (await keys.verify(issued.secret)).valid
        await keys.deactivate(issued.key.id)
        assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
        assert all(not task.done() for task in tier._tasks)
    await nowhere.aclose()
