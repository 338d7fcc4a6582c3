"""A worker whose own event loop was blocked takes neither Redis nor the database for dead."""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url

from gatepost import APIKeys, UnavailableError
from tests.conftest import started
from tests.freshness.conftest import MakeWorker, counted_statements, settled
from tests.servers.proxy import proxied
from tests.servers.redis import RedisServer, redis_server

REDIS_TIMEOUT = 0.5
"""Of the time in which the loop runs: a slow machine's Redis answers within."""
BLOCKED = 1.5 * REDIS_TIMEOUT
FAR_AWAY: dict[str, Any] = {"poll_interval": 100.0, "max_staleness": 300.0}
"""No poll comes between what is counted."""


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that this test may pause."""
    with started(redis_server) as server:
        yield server


async def in_redis(worker: MakeWorker, redis_url: str, count: int) -> tuple[APIKeys, list[str]]:
    """A worker, and secrets that Redis knows and its memory does not."""
    writer = await worker(redis_url)
    secrets = [(await writer.create(f"key {n}")).secret for n in range(count)]
    await asyncio.gather(*map(writer.verify, secrets))
    await settled(writer)
    keys = await worker(redis_url, redis_timeout=REDIS_TIMEOUT, **FAR_AWAY)
    await keys.verify(secrets[0])  # a connection is open
    return keys, secrets[1:]


async def block_in_the_middle(seconds: float, times: int = 1) -> None:
    """After two turns of the loop, in which an exchange has begun, block it."""
    for _ in range(times):
        for _ in range(2):
            await asyncio.sleep(0)
        time.sleep(seconds)  # noqa: ASYNC251 - the very thing


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 6])
async def test_an_answer_of_redis_that_lies_in_the_socket_when_the_loop_was_blocked_is_taken(
    worker: MakeWorker, own_redis: RedisServer, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    keys, (secret, *_) = await in_redis(worker, own_redis.url, 2)

    async def answer_while_blocked() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        own_redis.resume()
        time.sleep(BLOCKED)  # noqa: ASYNC251 - the very thing

    own_redis.pause()  # so that no answer comes before the loop is blocked
    with counted_statements(keys) as counts:
        verdict, _ = await asyncio.gather(keys.verify(secret), answer_while_blocked())
    assert verdict.valid
    assert counts["records"] == 0
    tier = keys._opened().redis
    assert tier is not None
    assert tier.healthy
    assert "does not answer" not in caplog.text


async def test_connections_to_redis_are_opened_in_a_loop_that_is_blocked_again_and_again(
    worker: MakeWorker, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys, secrets = await in_redis(worker, redis_url, 4)

    async def never_rest() -> None:
        while True:
            time.sleep(0.06)  # noqa: ASYNC251 - the very thing
            await asyncio.sleep(0)

    busy = asyncio.create_task(never_rest())
    async with Redis.from_url(redis_url) as other:
        with counted_statements(keys) as counts:
            for secret in secrets:
                # Lookups' alone: the heartbeat's, cut twice while it is made anew, would be a Redis that is away
                theirs = [each["id"] for each in await other.client_list() if each["cmd"] == "mget"]
                assert theirs
                for each in theirs:
                    await other.client_kill_filter(_id=each)
                assert (await keys.verify(secret)).valid
    busy.cancel()
    assert counts["records"] == 0
    assert "does not answer" not in caplog.text


async def test_a_turn_in_which_a_thousand_requests_begin_opens_no_breaker(
    worker: MakeWorker, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys, secrets = await in_redis(worker, redis_url, 5)

    async def request(number: int) -> bool:
        time.sleep(0.0005)  # noqa: ASYNC251 - what each does before it asks
        return (await keys.verify(secrets[number % len(secrets)])).valid

    with counted_statements(keys) as counts:
        answers = await asyncio.gather(*map(request, range(1000)))
    assert all(answers)
    assert counts["records"] == 0
    assert "does not answer" not in caplog.text


async def test_what_is_written_to_redis_and_rung_there_while_the_loop_is_blocked_opens_no_breaker(
    worker: MakeWorker, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await worker(redis_url, redis_timeout=0.1, **FAR_AWAY)  # short, since the loop is blocked some 80 times
    issued = await keys.create("a key")

    async def change() -> None:
        await keys.verify(issued.secret)
        await keys.deactivate(issued.key.id, wait="commit")

    changing = asyncio.create_task(change())
    while not changing.done():
        await block_in_the_middle(0.15)
    await changing
    await asyncio.gather(settled(keys), block_in_the_middle(0.15, times=3))
    assert "does not answer" not in caplog.text


async def test_a_redis_that_is_dead_is_found_dead_in_a_loop_that_is_blocked_again_and_again(
    worker: MakeWorker, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    keys, (secret, *_) = await in_redis(worker, own_redis.url, 2)
    own_redis.pause()
    try:
        finding = asyncio.create_task(keys.verify(secret))
        turns = 0
        while not finding.done():
            time.sleep(0.01)  # noqa: ASYNC251 - the very thing
            await asyncio.sleep(0)
            turns += 1
        assert (await finding).valid
        assert "Redis does not answer" in caplog.text
        assert REDIS_TIMEOUT / 0.01 / 2 < turns < 1_000
    finally:
        own_redis.resume()


@pytest.mark.parametrize("turns", [2, 5])
async def test_an_answer_of_the_database_that_came_while_the_loop_was_blocked_is_taken(
    ready_postgres_url: str, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def block() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(1.5)  # noqa: ASYNC251 - the very thing

    async with APIKeys(ready_postgres_url, read_timeout=1.0, **FAR_AWAY) as keys:
        issued = await keys.create("a key")
        await keys.serve()
        verdict, _ = await asyncio.gather(keys.verify(issued.secret), block())
        assert verdict.valid
        freshness = keys._opened().freshness
        await asyncio.gather(freshness.poll(), block())
        await asyncio.gather(keys.deactivate(issued.key.id, wait="commit"), block())
        await asyncio.gather(keys.ping(), block())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_database_that_does_not_answer_is_told_so_in_a_loop_that_is_blocked_again_and_again(
    ready_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    url = make_url(ready_postgres_url)
    async with proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        async with APIKeys(through, read_timeout=0.2, **FAR_AWAY) as keys:
            await keys.serve()
            proxy.stall()
            asking = asyncio.create_task(keys.ping())
            while not asking.done():
                time.sleep(0.02)  # noqa: ASYNC251 - the very thing
                await asyncio.sleep(0.005)
            with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
                await asking
            proxy.flow()
