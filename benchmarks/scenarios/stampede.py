"""1,000 requests at once with one key that nothing remembers: round trips, and how long until all are answered.

In process, through the whole middleware, over a real Redis and PostgreSQL. A new key each time, which only the database
holds. Commands are counted by Redis itself, statements as SQLAlchemy sends them. Packages are built as their own
documentation shows; keyshield is asked once, not in every round: it takes half a minute.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import BlockingConnectionPool, Redis
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import ASGIApp
from tests.servers.folder import server_folder
from tests.servers.postgres import postgres_server
from tests.servers.redis import redis_server

from benchmarks import stock
from benchmarks.asking import Answers, app, ask, check, told
from benchmarks.by_hand import GetThenSelect, put_in_table
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.databases import create_database
from benchmarks.measured import Series, Table
from benchmarks.quiet import quiet
from benchmarks.rivals import keygate_fastapi, keyshield_fastapi
from benchmarks.rivals.rival import ROUTE, VARIABLE, Prepared, Rival, Stores
from benchmarks.rounds import Contestant, Plan, ratio, take_turns
from gatepost import APIKeyMiddleware, APIKeys

AT_ONCE = 1_000
CHECKS = 10
"""Keys that are used before, to see that everybody answers right."""

POOL_MAX = 100
"""Connections: redis-py's default, beyond which its default pool raises. The blocking one waits for a free one."""

STILL: dict[str, Any] = {"redis_timeout": 1.0, "poll_interval": 60.0, "max_staleness": 600.0}
"""Options of `APIKeys`: no poll meanwhile, so that every statement is of a request."""

WAITING = f"{GetThenSelect.name}, BlockingConnectionPool"
KEYGATE, KEYSHIELD = keygate_fastapi.RIVAL, keyshield_fastapi.CACHED_NO_DELAYS


@dataclass
class Seen:
    """Of one contestant: what became of the requests, and the round trips of each round."""

    note: str = ""
    answers: Counter[str] = field(default_factory=Counter)
    gets: list[int] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)

    @property
    def failed(self) -> float:
        """Which part of the requests was not answered with 200."""
        return 1 - self.answers["200"] / self.answers.total()


@dataclass(frozen=True)
class Crowd:
    """1,000 requests, sent at once and watched."""

    commands: RedisCommands
    counted: Counter[str]

    async def run(self, protected: ASGIApp, secret: str, seen: Seen, path: str = "/") -> float:
        """Milliseconds until the last answer."""
        await self.commands.begin()
        self.counted.clear()
        answers: Answers = await ask(protected, [secret] * AT_ONCE, AT_ONCE, path=path)
        sent = await self.commands.count()
        seen.answers += answers.counts
        seen.gets.append(sent["get"] + sent["mget"])
        seen.statements.append(self.counted.total())
        return 1_000 * answers.seconds


async def measure(plan: Plan) -> Sequence[Table]:
    """Milliseconds until the last of the requests is answered."""
    rounds = plan.pick(10, 4)
    async with AsyncExitStack() as stack:
        stack.enter_context(quiet())
        redis = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server())
        stack.enter_context(apart([redis.pid, postgres.pid]))
        numbers = range(CHECKS + 3 * rounds)
        await APIKeys(postgres.url).create_schema()
        engine = create_async_engine(postgres.url)
        stack.push_async_callback(engine.dispose)
        keys = APIKeys(postgres.url, redis.url, server_keys=[stock.SERVER_KEY], **STILL)
        await stack.enter_async_context(keys)
        await stock.put_in(keys, numbers)
        await put_in_table(engine, numbers)
        client = await stack.enter_async_context(Redis.from_url(redis.url))
        pool = BlockingConnectionPool.from_url(redis.url, max_connections=POOL_MAX, timeout=None)
        waiting = await stack.enter_async_context(Redis.from_pool(pool))
        apps: dict[str, ASGIApp] = {
            "gatepost": APIKeyMiddleware(app, keys),
            GetThenSelect.name: GetThenSelect(app, client, engine),
            WAITING: GetThenSelect(app, waiting, engine),
        }
        for protected in apps.values():
            await check(protected, [stock.secret(number) for number in range(CHECKS)], [stock.secret(len(numbers) + 1)])
        seen = {name: Seen(note=getattr(protected, "less", "")) for name, protected in apps.items()}
        fresh = map(stock.secret, range(CHECKS, len(numbers)))
        with counted_statements() as counted:
            crowd = Crowd(RedisCommands(client), counted)
            contestants = {name: _by_hand(crowd, protected, fresh, seen[name]) for name, protected in apps.items()}
            if not plan.quick:
                folder = stack.enter_context(server_folder("stampede"))
                seen[KEYGATE.label] = Seen(note=KEYGATE.note)
                keygate = await _prepared(KEYGATE, postgres.url, folder)
                contestants[KEYGATE.label] = _packaged(crowd, KEYGATE, keygate, seen[KEYGATE.label])
            runs = {name: list(values) for name, values in (await take_turns(contestants, rounds, plan.tell)).items()}
            if not plan.quick:
                plan.tell(f"once: {KEYSHIELD.label}")
                seen[KEYSHIELD.label] = Seen(note=KEYSHIELD.note)
                keyshield = await _prepared(KEYSHIELD, postgres.url, folder)
                runs[KEYSHIELD.label] = [await _packaged(crowd, KEYSHIELD, keyshield, seen[KEYSHIELD.label])()]
    own = seen["gatepost"]
    if set(own.answers) != {"200"} or {*own.gets, *own.statements} != {1}:
        raise RuntimeError(f"gatepost: {told(own.answers)}; MGET {own.gets}, SELECT {own.statements}")
    return [_table(runs, seen)]


def _table(runs: Mapping[str, Sequence[float]], seen: Mapping[str, Seen]) -> Table:
    series = []
    for name, each in seen.items():
        failed = f"{each.failed:.0%} of the requests failed: {told(each.answers)}. " if each.failed else ""
        series.append(Series(name=name, runs=() if failed else tuple(runs[name]), note=failed + each.note))
    rivals = [each.name for each in series if each.runs and len(each.runs) == len(series[0].runs)][1:]
    return Table(
        title=f"{AT_ONCE:,} requests at once, one key that nothing remembers",
        unit="ms",
        better="less",
        series=tuple(series),
        ratios=tuple(ratio(runs, "gatepost", name) for name in rivals),
        figures=_figures(seen),
        note="In process, through the middleware, until the last answer.",
    )


def _figures(seen: Mapping[str, Seen]) -> dict[str, str]:
    """The round trips of gatepost are a promise: one of each. Others: what was seen."""
    figures = {}
    for name, each in seen.items():
        if any(each.gets):
            figures[f"{name}: {'MGET' if name == 'gatepost' else 'GET'} to Redis"] = _range(each.gets)
        figures[f"{name}: SQL statements"] = _range(each.statements)
    return figures


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _by_hand(crowd: Crowd, protected: ASGIApp, fresh: Iterator[str], seen: Seen) -> Contestant:
    async def run() -> float:
        return await crowd.run(protected, next(fresh), seen)

    return run


def _packaged(crowd: Crowd, rival: Rival, prepared: Prepared, seen: Seen) -> Contestant:
    """A package's app, built anew for each round: what it remembers is gone. Then it must refuse whom it should."""

    async def run() -> float:
        with _configured(prepared):
            module, _, factory = rival.app.partition(":")
            build: Callable[[], ASGIApp] = getattr(import_module(module), factory)
            protected = build()
        took = await crowd.run(protected, prepared.secrets.usable, seen, ROUTE)
        refused = await ask(protected, prepared.secrets.refused().values(), 1, path=ROUTE)
        if set(refused.counts) - {"401", "403"}:
            raise RuntimeError(f"{rival.label} does not refuse who is to be refused: {told(refused.counts)}")
        return took

    return run


async def _prepared(rival: Rival, server: str, folder: Path) -> Prepared:
    """Its keys, in a database of its own."""
    name = rival.app.rpartition(".")[2].partition(":")[0]
    url = await create_database(server, name)
    return await rival.prepare(Stores(database=url, redis="", folder=folder))


@contextmanager
def _configured(prepared: Prepared) -> Iterator[None]:
    """An app reads its settings from the environment when it is built."""
    os.environ[VARIABLE] = orjson.dumps(prepared.settings).decode()
    try:
        yield
    finally:
        del os.environ[VARIABLE]
