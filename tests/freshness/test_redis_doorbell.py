"""A doorbell that has gone deaf is noticed, and heard again, though nothing tells of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

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
    await watcher.aclose()


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


@pytest.fixture
async def limited(redis_server: RedisServer, redis_url: str) -> AsyncIterator[str]:
    """The URL of a Redis whose user may do all but hear and ring: no channel is his."""
    async with Redis.from_url(redis_url) as client:
        rights = ["on", ">word", "~gatepost:*", "+mget", "+set", "+del", "+publish", "+subscribe", "resetchannels"]
        await client.execute_command("ACL", "SETUSER", "app", *rights)  # type: ignore[no-untyped-call]
        yield f"redis://app:word@127.0.0.1:{redis_server.port}/0"
        await client.acl_deluser("app")


async def test_a_redis_without_the_rights_of_the_doorbell_is_named_at_open_and_not_again(
    worker: MakeWorker, limited: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    keys = await worker(limited)
    assert "&gatepost:*" in caplog.text
    for number in range(5):
        issued = await keys.create(f"key {number}")
        await keys.deactivate(issued.key.id)
    assert caplog.text.count("refuses to pass on") == 1
    status = await keys.status()
    assert [finding.code for finding in status.findings if finding.severity != "note"] == ["redis_doorbell"]
    assert status.redis.state == "reachable", "lookups have nothing to do with it"
    assert "&gatepost:*" in status.findings[0].remedy
    async with Redis.from_url(redis_url) as client:
        stats = await client.info("commandstats")
        assert stats["cmdstat_subscribe"]["rejected_calls"] == 1


async def test_rights_that_are_given_later_are_used(
    worker: MakeWorker, limited: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.redis.tier.REFUSED_SECONDS", 0.01)
    keys = await worker(limited)
    assert (await keys.status()).redis.doorbell is not None
    async with Redis.from_url(redis_url) as client:
        await client.execute_command("ACL", "SETUSER", "app", "&gatepost:*")  # type: ignore[no-untyped-call]
        await heard(keys, client)
    assert (await keys.status()).redis.doorbell is None


async def test_doctor_tells_of_the_rights_without_opening_the_keys(ready_sqlite_url: str, limited: str) -> None:
    status = await APIKeys(ready_sqlite_url, limited).status()
    assert [finding.code for finding in status.findings if finding.severity != "note"] == ["redis_doorbell"]
    assert "word" not in repr(status.redis)
    assert "word" not in status.findings[0].sentence
