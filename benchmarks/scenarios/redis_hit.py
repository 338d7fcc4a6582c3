"""The Redis tier alone, no memory: lookups per second with 1, 64 and 1,000 in flight, against one GET per lookup.

First the lookup by itself: from a digest to a key's record, with its seal checked, against redis-py's `GET` of a value.
Then whole requests, in process, through the middleware, around an app that sends a small response: what a request pays.
Gatepost has `memory_entries=0`; all keys are in Redis before, and no two requests in flight have the same key. By hand:
a pure ASGI middleware that awaits redis-py's `GET`. Both over redis-py with hiredis and a connection pool each.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from redis.asyncio import BlockingConnectionPool, Redis
from starlette.types import ASGIApp
from tests.servers.folder import server_folder
from tests.servers.redis import redis_server

from benchmarks import stock
from benchmarks.asking import app, ask, check, look_up, told
from benchmarks.by_hand import RedisGet, put_in_redis
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands
from benchmarks.measured import Ratio, Series, Table
from benchmarks.rounds import Plan, ratio, take_turns
from gatepost import APIKeyMiddleware, APIKeys

IN_FLIGHT = (1, 64, 1_000)
LIMIT, LIMIT_AT = 5, 64

POOL_MAX = 100
"""Connections: redis-py's default, beyond which its default pool raises. The blocking one waits for a free one."""

WAITING = "GET by hand, BlockingConnectionPool"
SEED = 20


@dataclass
class Level:
    """One contestant with so many requests in flight. `answers`, `sent`: over all rounds, what became of the requests,
    and how many `GET` and `MGET` Redis was sent."""

    protected: ASGIApp
    secrets: Sequence[str]
    in_flight: int
    commands: RedisCommands
    answers: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    async def run(self) -> float:
        """One round: answers per second."""
        await self.commands.begin()
        answers = await ask(self.protected, self.secrets, self.in_flight)
        sent = await self.commands.count()
        self.answers += answers.counts
        self.sent += sent["get"] + sent["mget"]
        return answers.per_second

    @property
    def failed(self) -> float:
        """Which part of the requests was not answered with 200."""
        return 1 - self.answers["200"] / self.answers.total()

    @property
    def per_thousand(self) -> float:
        """Redis commands for 1,000 requests."""
        return 1_000 * self.sent / self.answers.total()


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second, by contestant and number in flight."""
    numbers = range(plan.pick(20_000, 2_000))
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        folder = stack.enter_context(server_folder("redis-hit"))
        stack.enter_context(apart([redis.pid]))
        plan.tell("putting keys into Redis")
        keys = APIKeys(
            f"sqlite:///{folder}/keys.db",
            redis.url,
            memory_entries=0,
            server_keys=[stock.SERVER_KEY],
            redis_timeout=1.0,
        )
        await stack.enter_async_context(keys)
        client = await stack.enter_async_context(Redis.from_url(redis.url))
        pool = BlockingConnectionPool.from_url(redis.url, max_connections=POOL_MAX, timeout=None)
        waiting = await stack.enter_async_context(Redis.from_pool(pool))
        await stock.put_in(keys, numbers)
        await put_in_redis(client, numbers)
        apps: dict[str, ASGIApp] = {
            "gatepost": APIKeyMiddleware(app, keys),
            RedisGet.name: RedisGet(app, client),
            WAITING: RedisGet(app, waiting),
        }
        secrets = [stock.secret(number) for number in numbers]
        random.Random(SEED).shuffle(secrets)
        for protected in apps.values():
            await check(protected, secrets[:10], [stock.invented(1), stock.secret(len(numbers) + 1)])
        (await ask(apps["gatepost"], secrets, 512)).only(200)
        await stock.settled(keys)
        return [
            await _lookups(plan, keys, client, len(numbers)),
            await _requests(plan, apps, secrets, RedisCommands(client), keys),
        ]


async def _lookups(plan: Plan, keys: APIKeys, client: Redis, count: int) -> Table:
    """The tier itself, without a request around it."""
    digests = [stock.digest(number) for number in range(count)]

    async def get(digest: bytes) -> object:
        return await client.get(b"by_hand:" + digest)

    each: dict[str, Callable[[bytes], Awaitable[object]]] = {
        "gatepost, a lookup": partial(stock.found, keys),
        "GET by hand, a lookup": get,
    }
    contestants = {name: partial(look_up, one, digests, LIMIT_AT) for name, one in each.items()}
    runs = await take_turns(contestants, plan.pick(15, 3), plan.tell)
    ours, by_hand = runs
    return Table(
        title="Lookups of what Redis remembers, 64 in flight",
        unit="lookups/s",
        better="more",
        series=tuple(Series(name=name, runs=tuple(runs[name])) for name in runs),
        ratios=(ratio(runs, ours, by_hand, limit=LIMIT, bound="at least"),),
        note="From a digest to a record that a request could be decided by. By hand: to the bytes of the value.",
    )


async def _requests(
    plan: Plan, apps: Mapping[str, ASGIApp], secrets: Sequence[str], commands: RedisCommands, keys: APIKeys
) -> Table:
    series: list[Series] = []
    ratios: list[Ratio] = []
    figures: dict[str, str] = {}
    counts = keys._opened().lookup.counts
    before = replace(counts)
    for in_flight in IN_FLIGHT:
        asked = secrets[: plan.pick(3_000, 400)] if in_flight == 1 else secrets
        levels = {name: Level(protected, asked, in_flight, commands) for name, protected in apps.items()}
        plan.tell(f"{in_flight:,} in flight")
        runs = await take_turns({name: level.run for name, level in levels.items()}, plan.pick(15, 3), plan.tell)
        if levels["gatepost"].failed:
            raise RuntimeError(f"{in_flight} in flight: gatepost answered {told(levels['gatepost'].answers)}")
        for name, level in levels.items():
            if level.failed:
                note = f"{level.failed:.0%} of the requests failed: {told(level.answers)}"
                series.append(Series(name=name, runs=(), at=in_flight, note=note))
                continue
            note = getattr(level.protected, "less", "")
            series.append(Series(name=name, runs=tuple(runs[name]), at=in_flight, note=note))
            if name != "gatepost":
                ratios.append(ratio(runs, "gatepost", name, at=in_flight))
        figures[f"Redis commands for 1,000 requests, {in_flight:,} in flight"] = ", ".join(
            f"{name} {levels[name].per_thousand:,.0f}" for name in ("gatepost", WAITING)
        )
    answered = (counts.from_redis - before.from_redis) / (counts.lookups - before.lookups)
    figures["gatepost's lookups that Redis answered"] = f"{answered:.2%}"
    figures["gatepost's requests that failed"] = "0"
    return Table(
        title="Requests with keys that only Redis remembers",
        unit="requests/s",
        better="more",
        axis="in flight",
        series=tuple(series),
        ratios=tuple(ratios),
        figures=figures,
        note="In process, through the middleware. Gatepost sends one MGET for all that wait, checks each secret's HMAC "
        "and the seal of each value.",
    )
