"""The connection that lookups keep between them is the pool's, and is given up where it leads nowhere."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as LostError

from gatepost.redis.single import KEPT_FROM, Single
from gatepost.redis.tier import RedisTier
from tests.freshness.conftest import MakeWorker, calls_of, settled
from tests.servers.sentinel import Sentinel


async def in_use(client: Redis) -> int:
    """How many of the pool's connections somebody has taken."""
    return len(client.connection_pool._in_use_connections)


async def test_a_connection_that_was_closed_meanwhile_costs_nothing_but_another(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client, Redis.from_url(redis_url) as other:
        single = Single(client)
        await client.set("a", "1")
        for _ in range(3):
            assert await single.mget([b"a", b"b"]) == [b"1", None]
            await other.client_kill_filter(_type="normal", skipme=True)
        assert await in_use(client) == 1
        await single.rest()
        assert await in_use(client) == 0


async def test_a_command_goes_over_it_unless_it_was_closed_meanwhile(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client, Redis.from_url(redis_url) as other:
        single = Single(client)
        for times in (1, 2):
            assert await single.execute("INCR", b"n") == times
        kept = single._kept
        assert await single.execute("INCR", b"n") == 3
        assert single._kept is kept
        await other.client_kill_filter(_type="normal", skipme=True)
        assert kept is not None
        while not await kept.can_read():  # noqa: ASYNC110 - that it was closed is on its way
            await asyncio.sleep(0.01)
        assert await single.execute("INCR", b"n") == 4
        assert await in_use(client) == 1
        await single.rest()
        assert await in_use(client) == 0


async def test_others_of_the_pool_may_have_been_closed_as_well(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client, Redis.from_url(redis_url) as other:
        single = Single(client)
        for command in ("mget", "execute", "mget"):
            await asyncio.gather(*(single.mget([b"a"]) for _ in range(3)))
            await other.client_kill_filter(_type="normal", skipme=True)
            if command == "mget":  # asked at once: nobody here has heard of it yet
                assert await single.mget([b"a"]) == [None]
                continue
            for connection in client.connection_pool._available_connections:
                while not await connection.can_read():  # noqa: ASYNC110 - that it was closed is on its way
                    await asyncio.sleep(0.01)
            assert await single.execute("GET", b"a") is None
        await single.rest()
        assert await in_use(client) == 0


async def test_what_is_written_over_a_connection_that_was_closed_is_written_over_another(
    redis_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = RedisTier(redis_url, ttl=60.0, timeout=10.0)
    await tier.open(b"s" * 32)
    execute, lost = Pipeline.execute, iter([True])

    async def lost_once(pipeline: Pipeline, raise_on_error: bool = True) -> Any:
        if next(lost, False):  # killed while it connects, say
            raise LostError("Connection closed by server.")
        return await execute(pipeline, raise_on_error)

    monkeypatch.setattr(Pipeline, "execute", lost_once)
    tier.put(b"d" * 32, b"[1]")
    async with Redis.from_url(redis_url) as other:
        while not await other.dbsize() and tier.healthy:  # noqa: ASYNC110 - the tier is at work
            await asyncio.sleep(0.01)
    assert tier.healthy
    assert "Redis does not answer" not in caplog.text
    await tier.close()


async def test_a_command_whose_answer_is_lost_is_not_made_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Redis.from_url(redis_url) as client, Redis.from_url(redis_url) as other:
        single = Single(client)
        await single.execute("INCR", b"n")
        kept = single._kept
        assert kept is not None

        async def lost(**_options: object) -> None:
            raise LostError("the connection was lost")

        monkeypatch.setattr(kept, "read_response", lost)
        with pytest.raises(LostError):
            await single.execute("INCR", b"n")
        while await other.get("n") == b"1":  # noqa: ASYNC110 - Redis is at work
            await asyncio.sleep(0.01)
        assert await other.get("n") == b"2"
        assert await in_use(client) == 0


async def test_lookups_one_after_another_take_one_connection(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        single = Single(client)
        await single.mget([b"a"])
        kept = single._kept
        assert kept is not None
        for _ in range(3):
            await single.mget([b"a"])
            assert single._kept is kept


async def test_a_small_pool_is_left_to_those_who_need_it(redis_url: str) -> None:
    async with Redis.from_url(redis_url, max_connections=KEPT_FROM - 1) as client:
        assert await Single(client).mget([b"a"]) == [None]
        assert await in_use(client) == 0


@pytest.mark.parametrize("failing", ["refused", "given up"])
async def test_what_fails_is_given_back(redis_url: str, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Redis.from_url(redis_url) as client:
        single = Single(client)
        await single.mget([b"a"])
        if failing == "refused":
            monkeypatch.setattr("gatepost.redis.single.packed_mget", lambda _names: b"*1\r\n$4\r\nMGET\r\n")
            with pytest.raises(Exception, match="wrong number"):
                await single.mget([b"a"])
        else:
            asking = single.mget([b"a"])
            asking.send(None)  # it waits for the answer
            asking.close()
        assert single._kept is None


async def test_after_a_planned_failover_the_new_master_is_asked(sentinel: Sentinel) -> None:
    tier = RedisTier(sentinel.url, ttl=60, timeout=10.0)
    single = tier._server
    assert isinstance(single, Single)
    await single.mget([b"a"])
    kept = single._kept
    await asyncio.to_thread(sentinel.failover)
    pool = single.client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    while pool.master_address != ("127.0.0.1", sentinel.master.port):
        await pool.get_master_address()  # type: ignore[no-untyped-call]  # as whoever connects next
    await single.mget([b"a"])
    assert kept is not None
    assert single._kept is not None
    assert getattr(single._kept, "port", 0) == sentinel.master.port
    await tier.close()


async def test_a_pool_of_the_app_gets_all_of_its_connections_back(worker: MakeWorker, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        keys = await worker(client)
        issued = await keys.create("a key")
        await keys.verify(issued.secret)
        await settled(keys)
        assert (await calls_of(redis_url, "mget"))["mget"] > 0
        await keys.close()
        assert await in_use(client) == 0
