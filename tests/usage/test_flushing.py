"""Counts are written once, whatever becomes of the connection, the commit and the worker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost import APIKeyMiddleware, APIKeys, Outcome, UnavailableError
from gatepost.database import UsageBatch
from gatepost.usage import FLUSH_SECONDS, Flushing
from tests.usage.requests import answering, ask


async def total(keys: APIKeys, key_id: str) -> int:
    return sum(line.count for line in await keys.usage(key_id, by=()))


def flushing_of(keys: APIKeys) -> Flushing:
    flushing = keys._opened().flushing
    assert flushing is not None
    return flushing


def next_batch(keys: APIKeys) -> UsageBatch:
    """What has been counted, as it is about to be written."""
    flushing = flushing_of(keys)
    flushing._waiting.extend(flushing.counter.take())
    batch = flushing._next_batch()
    assert batch is not None
    return batch


@pytest.fixture
async def pair(ready_url: str) -> AsyncIterator[tuple[APIKeys, APIKeys]]:
    """Two workers over one database."""
    async with APIKeys(ready_url, max_staleness=300) as here, APIKeys(ready_url, max_staleness=300) as there:
        yield here, there


class Failing:
    """Makes commits of usage fail: before they are made, or once they are and nobody hears of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, made: bool, times: int = 1) -> None:
        self.left = times
        commit = AsyncConnection.commit

        async def fail(connection: AsyncConnection) -> None:
            if not self.left:
                await commit(connection)
                return
            self.left -= 1
            if made:
                await commit(connection)
            await connection.invalidate()
            raise OSError("the connection was lost")

        monkeypatch.setattr(AsyncConnection, "commit", fail)


@pytest.mark.parametrize("made", [True, False])
async def test_a_commit_without_an_answer_is_counted_once_whether_it_was_made_or_not(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    issued = await keys.create("a key")
    protected = APIKeyMiddleware(answering, keys)
    for _ in range(7):
        await ask(protected, issued.secret)
    await keys.flush_usage()
    for _ in range(5):
        await ask(protected, issued.secret)
    failing = Failing(monkeypatch, made=made)
    with pytest.raises(UnavailableError, match="Writing usage"):
        await keys.flush_usage()
    assert not failing.left
    assert await total(keys, issued.key.id) == (12 if made else 7)
    for _ in range(3):
        await ask(protected, issued.secret)  # counted apart from what is on its way
    await keys.flush_usage()
    assert await total(keys, issued.key.id) == 15
    await keys.flush_usage()
    assert await total(keys, issued.key.id) == 15


async def test_the_same_batch_adds_nothing_the_second_time(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    await ask(APIKeyMiddleware(answering, keys), issued.secret)
    batch = next_batch(keys)
    assert [await keys._database.usage.write(batch) for _ in range(3)] == [True, False, False]
    await keys.flush_usage()
    assert await total(keys, issued.key.id) == 1


@pytest.fixture(params=["ready_postgres_url", "ready_mariadb_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """An empty database on each server."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def server_keys(server_url: str) -> AsyncIterator[APIKeys]:
    """Open keys on each server."""
    async with APIKeys(server_url, max_staleness=300) as keys:
        yield keys


async def test_a_batch_that_is_sent_again_while_its_first_transaction_lives_waits_for_what_becomes_of_it(
    server_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost, and the server has not noticed: its transaction is committed later."""
    keys = server_keys
    issued = await keys.create("a key")
    await ask(APIKeyMiddleware(answering, keys), issued.secret)
    commit, goes_on, reached = AsyncConnection.commit, asyncio.Event(), asyncio.Event()

    async def wait_once(connection: AsyncConnection) -> None:
        if not reached.is_set():
            reached.set()
            await goes_on.wait()
        await commit(connection)

    batch = next_batch(keys)
    monkeypatch.setattr(AsyncConnection, "commit", wait_once)
    first = asyncio.create_task(keys._database.usage.write(batch))
    await reached.wait()
    again = asyncio.create_task(keys._database.usage.write(batch))
    await asyncio.sleep(0.2)
    assert not again.done(), "nobody knows yet"
    goes_on.set()
    assert [await first, await again] == [True, False]
    assert await total(keys, issued.key.id) == 1


async def test_two_workers_that_write_the_same_counts_at_once_lose_none(pair: tuple[APIKeys, APIKeys]) -> None:
    here, there = pair
    issued = [await here.create(f"key {number}") for number in range(20)]
    protected = [APIKeyMiddleware(answering, keys) for keys in pair]
    for _ in range(5):
        for each in issued:
            for app in protected:
                await ask(app, each.secret)
        await asyncio.gather(here.flush_usage(), there.flush_usage())
    assert [await total(here, each.key.id) for each in issued] == [10] * 20
    async with here._database._reading("") as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gatepost_usage_batches")) == 2, "one of each worker"


async def test_the_last_use_only_moves_forward(pair: tuple[APIKeys, APIKeys]) -> None:
    here, there = pair
    issued = await here.create("a key")
    assert here.uses is not None
    assert there.uses is not None
    now = here.uses.clock()
    for keys, age, address in ((here, 10, "192.0.2.1"), (there, 500, "192.0.2.2"), (here, 100, "192.0.2.3")):
        assert keys.uses is not None
        keys.uses.count(Outcome.VALID, issued.key.id, bytes(32), now - age, "", address)
        await keys.flush_usage()
        moment = (await here.get(issued.key.id)).last_used_at
        assert moment is not None
        [line] = await here.usage(issued.key.id, by="outcome")
        assert (line.last_at, line.last_address) == (moment, "192.0.2.1")


async def test_what_is_left_is_written_when_the_keys_are_closed(ready_url: str) -> None:
    async with APIKeys(ready_url) as keys:
        issued = await keys.create("a key")
        await ask(APIKeyMiddleware(answering, keys), issued.secret)
    async with APIKeys(ready_url) as keys:
        assert await total(keys, issued.key.id) == 1
    assert [task for task in asyncio.all_tasks() if "_flush_in_background" in repr(task)] == []


async def test_counts_are_written_by_themselves_within_a_minute(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def soon(least: float, most: float) -> float:
        asked.append((least, most))
        return 0.0

    monkeypatch.setattr("gatepost.usage.flushing.random.uniform", soon)
    issued = await sqlite_keys.create("a key")
    asked.clear()
    await ask(APIKeyMiddleware(answering, sqlite_keys), issued.secret)
    assert asked.count(FLUSH_SECONDS) == 1
    assert FLUSH_SECONDS[1] <= 60
    while not await total(sqlite_keys, issued.key.id):  # noqa: ASYNC110 - another task is at work
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("begun", ["by a call", "by its timer"])
async def test_what_is_counted_while_counts_are_written_is_written_by_a_timer_of_its_own(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    flushing, app = flushing_of(sqlite_keys), APIKeyMiddleware(answering, sqlite_keys)
    issued = await sqlite_keys.create("a key")
    write, written = sqlite_keys._database.usage.write, 0

    async def count_meanwhile(batch: UsageBatch) -> bool:
        nonlocal written
        written += 1
        if written <= 20:
            await ask(app, issued.secret)
            if begun == "by its timer":
                flushing._begin()  # as a timer that fires now
        return await write(batch)

    monkeypatch.setattr(sqlite_keys._database.usage, "write", count_meanwhile)
    await ask(app, issued.secret)
    if begun == "by a call":
        await sqlite_keys.flush_usage()
        assert written == 1, "what came after the call is not its to write"
    monkeypatch.setattr("gatepost.usage.flushing.FLUSH_SECONDS", (0.0, 0.01))
    flushing._begin()
    while await total(sqlite_keys, issued.key.id) < 21:  # noqa: ASYNC110 - another task is at work
        await asyncio.sleep(0.01)


async def test_an_outage_loses_no_count_and_is_told_once(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = sqlite_keys
    issued = await keys.create("a key")
    protected = APIKeyMiddleware(answering, keys)
    of_keys = keys._opened().flushing
    assert of_keys is not None
    await ask(protected, issued.secret)
    Failing(monkeypatch, made=False, times=3)
    for _ in range(3):
        await of_keys._flush_in_background()
        await ask(protected, issued.secret)
    assert [record.levelno for record in caplog.records if record.name == "gatepost.usage"] == [logging.WARNING]
    await of_keys._flush_in_background()
    assert await total(keys, issued.key.id) == 4
    assert "Usage is written again" in caplog.text


async def test_closing_without_a_database_says_how_much_is_lost(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = APIKeys(ready_sqlite_url)
    await keys.open()
    issued = await keys.create("a key")
    for _ in range(3):
        await ask(APIKeyMiddleware(answering, keys), issued.secret)
    Failing(monkeypatch, made=False, times=100)
    await keys.close()
    assert "The usage of 3 requests is lost" in caplog.text
    assert [task for task in asyncio.all_tasks() if "_flush_in_background" in repr(task)] == []


async def test_no_request_waits_for_usage(sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = await sqlite_keys.create("a key")
    protected = APIKeyMiddleware(answering, sqlite_keys)
    await ask(protected, issued.secret)

    async def never(*_: Any) -> None:
        raise AssertionError("a request wrote usage")

    monkeypatch.setattr(sqlite_keys._database.usage, "write", never)
    call = ask(protected, issued.secret)
    with pytest.raises(StopIteration):
        call.send(None)  # it does not wait for anything
