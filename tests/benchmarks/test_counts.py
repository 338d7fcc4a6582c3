"""Speed, guarded by counts: what a memory hit executes, and which round trips each way of a request takes.

A count is the same on every run, so one more call or statement fails here, whatever the machine is doing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from cProfile import Profile
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest
import redis
from benchmarks.asking import ask
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.in_process import BODY, START, Hits, answering, bare, drive, memory_hits, receive, scope_of, send
from benchmarks.rivals.ten_lines import TenLines
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks import stock
from gatepost import APIKeyMiddleware, APIKeys, Outcome, requires
from gatepost.base.secret import digest
from gatepost.compiled import is_built
from tests.benchmarks.executed import bytecodes, calls
from tests.freshness.conftest import settled

if TYPE_CHECKING:
    from collections import Counter

CALLS_OF_A_HIT = 13
"""Functions, those in C among them, that a memory hit takes at most: two of the harness, the middleware, `take`,
`hit`, SHA-256 (two), dict, task, context variable (two), the app, and letting the request go. The clock and the
watched `send` are objects, whose calls Python does not tell of."""

REDIS_PY = str(Path(redis.__file__).parent)

CALLS_TO_COUNT_A_HIT = 4
"""The same to count it: the count itself, a look for its cell, and two for the client."""

CALLS_OF_A_COMPILED_HIT = 1
"""The same where it is compiled, beside those of the bare app: the task, on some Pythons, which is asked of Python."""

CALLS_OF_A_CHECK = 7
"""The same for a permission check on top: the guard, the first argument's scope (three), the comparison (three)."""

BYTECODES_AGAINST_TEN_LINES = 2.85
"""Most, each less what the bare app takes. In time the ratio is less: most of a hit is SHA-256, and that is equal."""

BYTECODES_OF_A_WATCHED_ANSWER = 80
"""Most, for its start and its body together, beyond what sending them takes."""

CALLS_TO_LOOK_AT_HEADERS = 6
"""The look itself, one for the headers, one for their type, one for the name that is sought, two for its value."""


@pytest.fixture
async def hits(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hits]:
    """With memory hits in Python, which are not counted."""
    monkeypatch.setattr("gatepost.compiled.compiled._hit", None)
    async with memory_hits(usage=False) as hits:
        yield hits


@pytest.fixture
async def counted_hits(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hits]:
    """The same, counted."""
    monkeypatch.setattr("gatepost.compiled.compiled._hit", None)
    async with memory_hits() as hits:
        yield hits


@pytest.fixture
async def compiled_hits() -> AsyncIterator[Hits]:
    if not is_built():
        pytest.skip("memory hits are not compiled here: no compiler, or GATEPOST_PURE is set")
    async with memory_hits() as hits:
        yield hits


def one_request(protected: ASGIApp, secret: str) -> Callable[[], object]:
    """A call that serves one request with `secret`."""
    scope = scope_of(secret)
    return lambda: drive(protected(dict(scope), receive, send))


class OneMore:
    """A middleware that does one small thing more: what the guards must see."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def test_a_memory_hit_calls_no_more_functions_than_it_needs(hits: Hits) -> None:
    counted = calls(one_request(APIKeyMiddleware(bare, hits.keys), hits.secret))
    assert 8 < counted.total() <= CALLS_OF_A_HIT, counted


async def test_to_count_a_memory_hit_calls_few_functions(hits: Hits, counted_hits: Hits) -> None:
    protected = APIKeyMiddleware(bare, counted_hits.keys)
    drive(protected(scope_of(counted_hits.secret), receive, send))  # the first makes the cell
    plain = calls(one_request(APIKeyMiddleware(bare, hits.keys), hits.secret)).total()
    counted = calls(one_request(protected, counted_hits.secret))
    assert 0 < counted.total() - plain <= CALLS_TO_COUNT_A_HIT, counted


async def test_to_watch_an_answer_that_tells_its_length_first_calls_one_function_a_message(hits: Hits) -> None:
    found = calls(one_request(APIKeyMiddleware(bare, hits.keys), hits.secret)).total()
    answered = calls(one_request(answering, hits.secret)).total() - calls(one_request(bare, hits.secret)).total()
    counted = calls(one_request(APIKeyMiddleware(answering, hits.keys), hits.secret))
    assert counted.total() == found + answered + 2, counted
    executed = bytecodes(one_request(APIKeyMiddleware(answering, hits.keys), hits.secret))
    executed -= bytecodes(one_request(APIKeyMiddleware(bare, hits.keys), hits.secret))
    executed -= bytecodes(one_request(answering, hits.secret)) - bytecodes(one_request(bare, hits.secret))
    assert 40 < executed <= BYTECODES_OF_A_WATCHED_ANSWER


async def test_to_watch_another_answer_takes_one_look_at_its_headers_more(hits: Hits) -> None:
    async def typed(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({**START, "headers": START["headers"][::-1]})
        await send(BODY)

    found = calls(one_request(APIKeyMiddleware(answering, hits.keys), hits.secret)).total()
    counted = calls(one_request(APIKeyMiddleware(typed, hits.keys), hits.secret))
    assert found < counted.total() <= found + CALLS_TO_LOOK_AT_HEADERS, counted


async def test_one_call_more_is_seen(hits: Hits) -> None:
    protected = APIKeyMiddleware(bare, hits.keys)
    before = calls(one_request(protected, hits.secret))
    assert calls(one_request(OneMore(protected), hits.secret)).total() == before.total() + 1


async def test_a_memory_hit_executes_few_bytecodes(hits: Hits) -> None:
    record = hits.keys.hit(digest(hits.secret.encode()))
    assert record is not None
    by_digest = {sha256(hits.secret.encode()).digest(): (record.id, record.permissions)}
    base = bytecodes(one_request(bare, hits.secret))
    ours = bytecodes(one_request(APIKeyMiddleware(bare, hits.keys), hits.secret)) - base
    ten_lines = bytecodes(one_request(TenLines(bare, by_digest), hits.secret)) - base
    assert ours <= BYTECODES_AGAINST_TEN_LINES * ten_lines, (ours, ten_lines)
    assert bytecodes(one_request(OneMore(APIKeyMiddleware(bare, hits.keys)), hits.secret)) - base > ours


async def test_a_compiled_hit_executes_no_python_at_all(compiled_hits: Hits) -> None:
    protected = APIKeyMiddleware(answering, compiled_hits.keys)
    drive(protected(scope_of(compiled_hits.secret), receive, send))  # the first makes the cell that it is counted in
    alone, watched = one_request(answering, compiled_hits.secret), one_request(protected, compiled_hits.secret)
    assert bytecodes(watched) == bytecodes(alone)
    more = calls(watched) - calls(alone)
    assert sum(more.values()) <= CALLS_OF_A_COMPILED_HIT, more
    assert bytecodes(one_request(OneMore(protected), compiled_hits.secret)) > bytecodes(watched)


async def test_a_compiled_hit_of_an_app_with_routes_executes_no_python_either(compiled_hits: Hits) -> None:
    route = Route("/", bare)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        await answering(scope, receive, send)

    protected = APIKeyMiddleware(routed, compiled_hits.keys)
    drive(protected(scope_of(compiled_hits.secret), receive, send))  # the template is found once
    watched = one_request(protected, compiled_hits.secret)
    assert bytecodes(watched) == bytecodes(one_request(routed, compiled_hits.secret))


async def test_a_permission_check_calls_few_functions(hits: Hits) -> None:
    async def handler(request: Request) -> None: ...

    guarded = requires("OBJECTS_LIST")(handler)
    request = Request({"type": "http", "headers": [], "permissions": frozenset({"OBJECTS_LIST"})})
    drive(guarded(request))  # the class of the request is known from then on
    without = calls(lambda: drive(handler(request))).total()
    counted = calls(lambda: drive(guarded(request)))
    assert 3 < counted.total() - without <= CALLS_OF_A_CHECK, counted


@dataclass(frozen=True, slots=True)
class Trips:
    """What Redis and the database were asked for lookups; polls and writes into the cache are not among it."""

    mget: int = 0
    select: int = 0


@asynccontextmanager
async def worker(database: str, redis: str | None, memory_entries: int = 1_000) -> AsyncIterator[APIKeys]:
    async with APIKeys(
        database, redis, server_keys=[stock.SERVER_KEY], redis_timeout=5.0, memory_entries=memory_entries
    ) as keys:
        await keys.serve()
        yield keys


async def trips(redis_url: str, act: Callable[[], Awaitable[object]]) -> Trips:
    """What the servers were asked while it ran."""
    async with Redis.from_url(redis_url) as client:
        commands = RedisCommands(client)
        await commands.begin()
        with counted_statements() as statements:
            await act()
        sent: Counter[str] = await commands.count()
    return Trips(mget=sent["mget"], select=statements["lookups"])


@pytest.mark.parametrize(
    ("secrets", "first", "again"),
    [
        pytest.param([stock.secret(1)], Trips(mget=1, select=1), Trips(), id="a key"),
        pytest.param([stock.secret(1)] * 1_000, Trips(mget=1, select=1), Trips(), id="a key, 1,000 times at once"),
        pytest.param([stock.secret(n) for n in range(100)], Trips(mget=1, select=1), Trips(), id="100 keys at once"),
        pytest.param([stock.secret(5_000)], Trips(mget=1, select=1), Trips(), id="a deleted key"),
        pytest.param([stock.invented(n) for n in range(200)], Trips(), Trips(), id="invented secrets"),
        pytest.param(["nonsense"], Trips(), Trips(), id="malformed"),
        pytest.param([None], Trips(), Trips(), id="no secret"),
    ],
)
async def test_a_lookup_takes_these_round_trips_and_no_more(
    ready_sqlite_url: str, redis_url: str, secrets: list[str | None], first: Trips, again: Trips
) -> None:
    async with worker(ready_sqlite_url, redis_url) as keys:
        await stock.put_in(keys, range(100))
        protected = APIKeyMiddleware(answering, keys)
        asked = partial(ask, protected, secrets, len(secrets))
        assert await trips(redis_url, asked) == first
        assert await trips(redis_url, asked) == again


async def test_a_key_that_redis_holds_takes_one_mget_and_no_statement(ready_sqlite_url: str, redis_url: str) -> None:
    async with (
        worker(ready_sqlite_url, redis_url) as keys,
        worker(ready_sqlite_url, redis_url, memory_entries=0) as other,
    ):
        await stock.put_in(keys, range(64))
        secrets = [stock.secret(n) for n in range(64)]
        (await ask(APIKeyMiddleware(answering, keys), secrets, 64)).only(200)
        await settled(keys)
        found = await trips(redis_url, partial(ask, APIKeyMiddleware(answering, other), secrets, 64))
    assert found == Trips(mget=1)


async def test_of_redis_py_a_lookup_takes_half_of_what_a_get_takes_however_many_share_it(
    ready_sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What redis-py does around an exchange costs more than what gatepost does around it, and to write the command
    name by name would cost most of all where many share one."""
    monkeypatch.setattr("gatepost.redis.doorbell.BEAT_SECONDS", 3000.0)
    async with worker(ready_sqlite_url, redis_url, memory_entries=0) as keys, Redis.from_url(redis_url) as client:
        await stock.put_in(keys, range(64))
        digests = [stock.digest(n) for n in range(64)]
        assert None not in [await stock.found(keys, each) for each in digests]
        await settled(keys)
        tier = keys._opened().redis
        assert tier is not None

        async def of_redis_py(act: Callable[[], Awaitable[object]]) -> int:
            await act()
            with Profile() as profile:
                await act()
            calls_of = {entry.code: entry.callcount for entry in profile.getstats()}
            return sum(
                count
                for code, count in calls_of.items()
                if isinstance(code, CodeType) and code.co_filename.startswith(REDIS_PY)
            )

        alone = await of_redis_py(partial(tier.get, digests[:1]))
        shared = await of_redis_py(partial(tier.get, digests))
        by_hand = await of_redis_py(partial(client.get, tier._name(digests[0])))
    assert 0 < alone <= by_hand / 2, (alone, by_hand)
    assert shared <= by_hand / 2, (shared, by_hand)


async def test_a_deactivated_key_is_remembered_as_such(ready_sqlite_url: str, redis_url: str) -> None:
    async with worker(ready_sqlite_url, redis_url) as keys:
        issued = await keys.create("to be switched off", ["OBJECTS_LIST"])
        protected = APIKeyMiddleware(answering, keys)
        (await ask(protected, [issued.secret], 1)).only(200)
        await keys.deactivate(issued.key.id)
        (await ask(protected, [issued.secret], 1)).only(401)
        again = await trips(redis_url, partial(ask, protected, [issued.secret] * 50, 10))
    assert again == Trips()


async def test_a_secret_remembered_as_no_good_is_not_checked_again(ready_sqlite_url: str) -> None:
    """What memory knows, it knows of a genuine secret: the HMAC, which costs most of a refusal, is for the others."""
    async with worker(ready_sqlite_url, None) as keys:
        off, gone = [await keys.create(name, ["OBJECTS_LIST"]) for name in ("to be switched off", "to be deleted")]
        await keys.deactivate(off.key.id)
        await keys.delete(gone.key.id)
        for secret, outcome in ((off.secret, Outcome.DEACTIVATED), (gone.secret, Outcome.INVALID)):
            assert (await keys.verify(secret)).outcome is outcome
            counted = calls(lambda secret=secret: drive(keys.judge(secret.encode())))  # type: ignore[misc]
            assert counted["APIKeys.judge"] == counted["Lookup.remembered"] == 1
            assert "SecretFormat.read" not in counted
        new = stock.invented(1).encode()
        assert calls(lambda: drive(keys.judge(new)))["SecretFormat.read"] == 1


async def test_a_fresh_path_reads_the_database_once_for_all_that_ask_at_once(
    ready_sqlite_url: str, redis_url: str
) -> None:
    async with worker(ready_sqlite_url, redis_url) as keys:
        await stock.put_in(keys, range(2))
        protected = APIKeyMiddleware(answering, keys, fresh=["/"])
        found = await trips(redis_url, partial(ask, protected, [stock.secret(1)] * 100, 100))
    assert found == Trips(select=1)


async def test_without_redis_a_cold_start_reads_many_keys_with_few_statements(ready_sqlite_url: str) -> None:
    async with worker(ready_sqlite_url, None) as keys:
        await stock.put_in(keys, range(1_000))
        with counted_statements() as statements:
            (await ask(APIKeyMiddleware(answering, keys), [stock.secret(n) for n in range(1_000)], 256)).only(200)
    assert statements["lookups"] <= 8
