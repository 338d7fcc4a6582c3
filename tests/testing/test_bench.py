"""What a test costs, in statements; that the database is as new for each; and what is said of wrong arguments."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from typing import Any

import fakeredis
import pytest
from fakeredis import FakeAsyncRedis

from gatepost import APIKeys, BadInputError, Bearer, ConfigurationError, Outcome, Query
from gatepost.redis import RedisTier
from gatepost.testing import Keyring, memory, redis_tier
from gatepost.testing.bench import Bench
from tests.benchmarks.executed import calls
from tests.mutants import ROOT

MAKE_STATEMENTS = 9
"""To make a key: the counter, what policies say, the key, its secret, its terms, the event, and what is between."""

LIFE_STATEMENTS = 11
"""To open keys, to begin to serve, to look one up, and to close."""

CALLS, CALLS_WITH_REDIS = 5_500, 8_200
"""Of functions, Python's and C's, all that the plugin and gatepost do for a test; on Python 3.11, where it was counted,
a tenth less."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def keys(bench: Bench) -> APIKeys:
    keys = APIKeys("postgresql://db.invalid/app")
    bench.put(keys)
    return keys


@pytest.fixture
def keyring(bench: Bench, keys: APIKeys) -> Keyring:
    return Keyring(bench.desks[0], Bearer())


async def life(keys: APIKeys, secret: str) -> Outcome:
    """What an app does in a test."""
    async with keys:
        await keys.serve()
        return (await keys.verify(secret)).outcome


def test_a_test_costs_a_few_statements_and_the_tables_are_made_once(
    bench: Bench, keys: APIKeys, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_with_tables", None)  # they were made, for the first object
    others = APIKeys("postgresql://db.invalid/other")
    bench.put(others)
    of_tests = bench.desks[0].place.memory
    for number in range(100):
        bench.begin_test()
        assert of_tests.resets == number
        secret = keyring.make("FILE_UPLOAD").secret
        assert of_tests.statements <= MAKE_STATEMENTS + (not number)  # and the settings are read, once
        assert asyncio.run(life(keys, secret)) is Outcome.VALID
        assert of_tests.statements <= MAKE_STATEMENTS + LIFE_STATEMENTS + (not number)


def spent(redis: str | None) -> int:
    """The calls of a test that makes a key and looks it up; without threads of its own."""
    bench = Bench()
    keys = APIKeys("postgresql://db.invalid/app", redis=redis)
    bench.put(keys)
    keyring = Keyring(bench.desks[0], Bearer())

    def one() -> None:
        bench.begin_test()
        assert asyncio.run(life(keys, keyring.make("FILE_UPLOAD").secret)) is Outcome.VALID

    for _ in range(3):
        one()
    threads = {*threading.enumerate()}
    least = min(sum(calls(one).values()) for _ in range(5))
    assert {*threading.enumerate()} <= threads
    bench.close()
    return least


@pytest.mark.parametrize(("redis", "most"), [(None, CALLS), ("redis://redis.invalid", CALLS_WITH_REDIS)])
def test_a_test_costs_few_calls_and_no_thread(redis: str | None, most: int) -> None:
    """Counted, for times differ: with a thread for each connection and one for verbs it was a third more, and twice as
    much with a Redis; and to change threads is no call. In a process of its own: what other tests have registered with
    SQLAlchemy or the log is called too."""
    count = f"from tests.testing.test_bench import spent; print(spent({redis!r}))"
    done = subprocess.run([sys.executable, "-c", count], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert most / 2 < int(done.stdout) <= most


def test_a_test_without_keys_costs_no_statement(bench: Bench, keys: APIKeys) -> None:
    of_tests = bench.desks[0].place.memory
    for _ in range(3):
        bench.begin_test()
    assert of_tests.statements == of_tests.resets == 0


def test_the_database_is_as_new_for_each_test(bench: Bench, keys: APIKeys, keyring: Keyring) -> None:
    of_tests = bench.desks[0].place.memory
    before = of_tests.read()
    assert sum(map(len, before.values())) > 3
    key = keyring.over_limit("FILE_UPLOAD", project="acme", owner="ann")
    asyncio.run(life(keys, key.secret))
    keyring.run(lambda keys: keys.roles.create("editor", ["FILE_UPLOAD"]))
    keyring.delete(key)
    assert of_tests.read() != before
    bench.begin_test()
    assert of_tests.read() == before
    assert asyncio.run(life(keys, key.secret)) is Outcome.INVALID
    assert asyncio.run(life(keys, keyring.make().secret)) is Outcome.VALID


def test_what_was_counted_is_there_for_who_looks_after_the_app_was_closed(
    bench: Bench, keys: APIKeys, keyring: Keyring
) -> None:
    key = keyring.make("FILE_UPLOAD")
    for _ in range(2):
        assert asyncio.run(life(keys, key.secret)) is Outcome.VALID
    used = keyring.run(lambda keys: keys.usage(key.id))
    assert sum(each.count for each in used) == 2
    asyncio.run(life(keys, key.secret))
    bench.begin_test()
    assert not keyring.run(lambda keys: keys.usage(None))


def test_keys_of_another_database_are_others(bench: Bench, keys: APIKeys, keyring: Keyring) -> None:
    others, same = APIKeys("postgresql://db.invalid/other"), APIKeys("postgresql://db.invalid/app")
    bench.put(others)
    bench.put(same)
    secret = keyring.make("FILE_UPLOAD").secret
    assert [asyncio.run(life(each, secret)) for each in (keys, same, others)] == [
        Outcome.VALID,
        Outcome.VALID,
        Outcome.INVALID,
    ]


async def test_a_change_holds_on_return_also_in_the_loop_that_it_was_asked_in(keys: APIKeys, keyring: Keyring) -> None:
    async with keys:
        for _ in range(20):
            key = keyring.make("FILE_UPLOAD")
            assert (await keys.verify(key.secret)).outcome is Outcome.VALID
            keyring.deactivate(key)
            assert (await keys.verify(key.secret)).outcome is Outcome.DEACTIVATED


def test_what_an_event_loop_remembers_counts_no_more_when_it_is_closed(keys: APIKeys, keyring: Keyring) -> None:
    """As with a client that runs no lifespan: each request has a loop of its own, and nobody closes the keys."""

    async def look(secret: str) -> tuple[bool, Outcome]:
        remembered = keys.hit(sha256(secret.encode()).digest()) is not None
        await keys.open()
        return remembered, (await keys.verify(secret)).outcome

    key = keyring.make("FILE_UPLOAD")
    assert asyncio.run(look(key.secret)) == (False, Outcome.VALID)
    keyring.deactivate(key)
    assert asyncio.run(look(key.secret)) == (False, Outcome.DEACTIVATED)


@pytest.mark.parametrize("by_redis_py", [True, False])
def test_an_event_loop_ends_over_keys_that_are_open_on_a_redis(
    bench: Bench, by_redis_py: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What redis-py loses of a cancellation is heeded: else whoever ends the loop waits for ever."""
    if by_redis_py:
        server = fakeredis.FakeServer()
        client = partial(FakeAsyncRedis, server=server, protocol=2)
        monkeypatch.setattr(redis_tier, "fake_tier", lambda _, **seconds: RedisTier(client(), **seconds))
    keys = APIKeys("postgresql://db.invalid/app", redis="redis://redis.invalid")
    bench.put(keys)
    keyring = Keyring(bench.desks[0], Bearer())

    async def leave(secret: str) -> Outcome:
        await keys.open()
        return (await keys.verify(secret)).outcome  # and what it has read is being written to Redis

    for _ in range(3):
        assert asyncio.run(leave(keyring.make("FILE_UPLOAD").secret)) is Outcome.VALID


async def test_a_test_may_ask_for_a_key_while_the_app_is_about_to_commit(
    bench: Bench, keys: APIKeys, keyring: Keyring
) -> None:
    """Then the app holds the lock, in the event loop that the test blocks."""
    connections = bench.desks[0].place.memory._connections
    made: list[str] = []

    async def ask() -> None:
        while True:
            await asyncio.sleep(0)
            if any(each.in_transaction for each in connections):
                made.append(keyring.make("FILE_UPLOAD").id)

    asking = asyncio.create_task(ask())
    async with keys:
        await keys.serve()
        for number in range(5):
            issued = await keys.create(f"number {number}", ["FILE_UPLOAD"])
            assert (await keys.verify(issued.secret)).outcome is Outcome.VALID
            await keys.deactivate(issued.key.id)
            assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
        await keys.flush_usage()
        asking.cancel()
        assert len(made) >= 10
        assert len((await keys.list(limit=100)).items) == len(made) + 5


async def test_keys_that_are_open_are_not_exchanged_under_their_users(bench: Bench) -> None:
    keys = APIKeys("sqlite://")
    async with keys:
        with pytest.raises(ConfigurationError, match="gatepost_keys: these keys are open"):
            bench.put(keys)
    bench.put(keys)
    assert not keys.is_open


def test_the_app_has_its_own_database_back_at_the_end() -> None:
    keys = APIKeys("postgresql://db.invalid/app")
    own = keys._parts
    with closing(Bench()) as bench:
        bench.put(keys)
        assert keys._parts is not own
    assert keys._parts is own


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "60", True])
def test_time_goes_forward_only(bench: Bench, seconds: Any) -> None:
    with pytest.raises(BadInputError, match=r"clock\.forward: seconds must be a number above 0"):
        bench.clock.forward(seconds)
    assert bench.clock.moved == 0


def test_wrong_words_are_told_with_the_right_ones(bench: Bench, keys: APIKeys) -> None:
    service: Any = "redsi"
    with pytest.raises(BadInputError, match="there is 'database' and 'redis', not 'redsi'"), bench.outage(service):
        pass
    with bench.outage("redis"), pytest.raises(BadInputError, match="the redis is down already"):
        bench.outage("redis").__enter__()
    source: Any = Query("key")
    with pytest.raises(BadInputError, match=r"gatepost_source must return Bearer\(\) or Header\(name\)"):
        Keyring(bench.desks[0], source)


def test_a_key_shows_its_secret_to_nobody_who_prints_it(keyring: Keyring) -> None:
    key = keyring.make("FILE_UPLOAD")
    assert key.secret not in repr(key)
    assert key.secret.encode() not in repr(keyring).encode()


async def test_what_was_kept_of_the_keys_from_before_reaches_no_database(bench: Bench) -> None:
    keys = APIKeys("sqlite:///of-the-app.db", "redis://of-the-app.invalid")
    roles, policies = keys.roles, keys.policies
    bench.put(keys)
    with pytest.raises(ConfigurationError, match="and the like anew"):
        await roles.list()
    with pytest.raises(ConfigurationError, match="not open"):
        await policies.list()
    async with keys:
        assert await keys.roles.list() == []
    bench.close()
    assert not keys._parts.stands_back
