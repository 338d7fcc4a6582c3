"""A doorbell that has gone deaf is noticed, and heard again, though nothing tells of it."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel as Client

from gatepost import APIKeys
from gatepost.redis.doorbell import Doorbell
from gatepost.redis.single import Single
from tests.freshness.conftest import MakeWorker
from tests.servers.proxy import proxied
from tests.servers.redis import RedisServer
from tests.servers.sentinel import SERVICE, Sentinel


async def listeners(client: Redis) -> list[dict[str, str]]:
    """The connections that are subscribed as a worker is, to nudges and to its own. A Sentinel's is not."""
    return [each for each in await client.client_list(_type="pubsub") if each["sub"] == "2"]


async def listening(client: Redis, wanted: Callable[[list[str]], bool]) -> list[str]:
    """Wait until the connections that listen are as wanted; answers from where they come."""
    while True:
        found = [each["addr"] for each in await listeners(client)]
        if wanted(found):
            return found
        await asyncio.sleep(0.01)


async def heard(keys: APIKeys, client: Redis) -> None:
    """Ring until the worker hears, as one that has made a change does. A poll of its own does not count as hearing."""
    tier = keys._opened().redis
    assert tier is not None
    nudged = asyncio.Event()
    tier.nudged = nudged  # whoever polls takes the nudge away: this one is only looked at
    while not nudged.is_set():
        await client.publish(tier._prefix + b"nudge", b"")
        await asyncio.sleep(0.01)


async def test_a_subscription_whose_connection_was_lost_without_a_word_is_made_anew(
    worker: MakeWorker, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.redis.doorbell.BEAT_SECONDS", 0.5)
    async with proxied(("127.0.0.1", redis_server.port)) as proxy, Redis.from_url(redis_url) as client:
        keys = await worker(f"redis://127.0.0.1:{proxy.port}", poll_interval=30.0)
        (first,) = await listening(client, lambda found: len(found) == 1)
        proxy.lose(int(first.rpartition(":")[2]))
        await listening(client, lambda found: bool(set(found) - {first}))
        await heard(keys, client)
        tier = keys._opened().redis
        assert tier is not None
        assert tier.healthy, "lookups had nothing to do with it"


async def test_a_subscription_that_hears_is_left_as_it_is(
    worker: MakeWorker, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.redis.doorbell.BEAT_SECONDS", 0.5)
    beats: list[bytes] = []
    real = Doorbell._publish

    async def publish(doorbell: Doorbell, channel: bytes) -> None:
        beats.append(channel)
        await real(doorbell, channel)

    monkeypatch.setattr(Doorbell, "_publish", publish)
    assert redis_server.running
    async with Redis.from_url(redis_url) as client:
        keys = await worker(redis_url, poll_interval=30.0)
        first = await listening(client, lambda found: len(found) == 1)
        while len(beats) < 4:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
        assert await listening(client, lambda found: len(found) == 1) == first
        assert len(set(beats)) == 1, "it rings at itself alone"
        tier = keys._opened().redis
        assert tier is not None
        assert beats[0] != tier._prefix + b"nudge"


@pytest.mark.parametrize("given", ["url", "client"])
async def test_behind_a_sentinel_a_master_that_hangs_is_left_for_the_new_one(
    worker: MakeWorker, sentinel: Sentinel, given: str
) -> None:
    watcher = Client([("127.0.0.1", sentinel.port)])  # type: ignore[no-untyped-call]
    client = watcher.master_for(SERVICE) if given == "client" else None
    keys = await worker(client or sentinel.url, poll_interval=30.0, redis_timeout=1.0)
    tier = keys._opened().redis
    assert tier is not None
    issued = await keys.create("a key")
    before = sentinel.master
    async with Redis(host="127.0.0.1", port=before.port) as at_first:
        await listening(at_first, lambda found: len(found) == 1)
    before.pause()
    while tier.healthy:  # noqa: ASYNC110 - nobody looks anything up: the doorbell tells
        await asyncio.sleep(0.01)
    while await asyncio.to_thread(lambda: sentinel.master) is before:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    async with Redis(host="127.0.0.1", port=sentinel.master.port) as now:
        await listening(now, lambda found: len(found) == 1)
        await heard(keys, now)
        while not tier.healthy:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
        assert (await keys.verify(issued.secret)).valid
    await keys.close()
    if client is not None:
        await client.aclose()


async def test_a_sentinel_that_hangs_is_not_the_only_one_that_is_asked(sentinel: Sentinel, worker: MakeWorker) -> None:
    asked = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        keys = await worker(f"redis+sentinel://127.0.0.1:{port},127.0.0.1:{sentinel.port}/{SERVICE}", redis_timeout=1.0)
        tier = keys._opened().redis
        assert tier is not None
        while not tier.healthy:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
        assert asked
        await keys.close()


async def test_a_ring_of_ones_own_is_heard_by_oneself_alone(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        here, there = (Doorbell(Single(client), b"gatepost:test:", timeout=10.0) for _ in range(2))
        nudges, others = here.nudges(), there.nudges()
        await anext(nudges)
        await anext(others)
        await there.ring()
        await anext(nudges)
        await anext(others)
        await nudges.aclose()
        await others.aclose()
