"""The Redis tier alone, no memory: lookups per second with 1, 64 and 1,000 in flight, against one GET per lookup.

First the lookup by itself: from a digest to a key's record, with its seal checked, against redis-py's `GET` of a value.
Then whole requests, in process, through the middleware, around an app that sends a small response: what a request pays.
Gatepost has `memory_entries=0`; all keys are in Redis before, and no two requests in flight have the same key. By hand:
a pure ASGI middleware that awaits redis-py's `GET`. Both over redis-py with hiredis and a connection pool each.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from redis.asyncio import Redis
from starlette.types import ASGIApp
from tests.servers.folder import server_folder
from tests.servers.redis import redis_server

from benchmarks import stock
from benchmarks.asking import Asked, ask, check, look_up, told
from benchmarks.by_hand import GET, put_in_redis, redis_get
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands
from benchmarks.in_process import answering
from benchmarks.measured import Ratio, Series, Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from benchmarks.tiers import waiting_client
from gatepost import APIKeyMiddleware, APIKeys

IN_FLIGHT = (1, 64, 1_000)
LIMIT, LIMIT_AT = 5, 64
ALONE_LIMIT = round(1 / 1.15, 2)
"""Of the requests a second with a `GET` by hand, where one is in flight."""

WAITING = "GET by hand, BlockingConnectionPool"
SEED = 20


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second, by contestant and number in flight."""
    numbers = range(plan.pick(20_000, 2_000))
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        database = f"sqlite:///{stack.enter_context(server_folder('redis-hit'))}/keys.db"
        stack.enter_context(apart([redis.pid]))
        plan.tell("putting keys into Redis")
        keys = APIKeys(database, redis.url, memory_entries=0, server_keys=[stock.SERVER_KEY], redis_timeout=1.0)
        await stack.enter_async_context(keys)
        client = await stack.enter_async_context(Redis.from_url(redis.url))
        waiting = await stack.enter_async_context(waiting_client(redis.url))
        await stock.put_in(keys, numbers)
        digests = [stock.digest(number) for number in numbers]
        await put_in_redis(client, digests)
        apps: dict[str, ASGIApp] = {
            "gatepost": APIKeyMiddleware(answering, keys),
            GET: redis_get(answering, client),
            WAITING: redis_get(answering, waiting),
        }
        secrets = [stock.secret(number) for number in numbers]
        random.Random(SEED).shuffle(secrets)
        for protected in apps.values():
            await check(protected, secrets[:10], [stock.invented(1), stock.secret(len(numbers) + 1)])
        (await ask(apps["gatepost"], secrets, 512)).only(200)
        await stock.settled(keys)
        lookups = await _lookups(plan, keys, client, digests)
        return [lookups, await _requests(plan, apps, secrets, RedisCommands(client), keys)]


async def _lookups(plan: Plan, keys: APIKeys, client: Redis, digests: Sequence[bytes]) -> Table:
    """The tier itself, without a request around it."""

    async def get(digest: bytes) -> object:
        return await client.get(b"by_hand:" + digest)

    ours, by_hand = "gatepost, a lookup", "GET by hand, a lookup"
    contestants = {
        ours: partial(look_up, partial(stock.found, keys), digests, LIMIT_AT),
        by_hand: partial(look_up, get, digests, LIMIT_AT),
    }
    runs = await take_turns(contestants, plan.pick(15, 3), plan.tell)
    return Table(
        title="Lookups of what Redis remembers, 64 in flight",
        unit="lookups/s",
        series=series(runs),
        ratios=(ratio(runs, ours, by_hand, limit=LIMIT, bound="at least"),),
        note="From a digest to a record that a request could be decided by. By hand: to the bytes of the value.",
    )


async def _requests(
    plan: Plan, apps: Mapping[str, ASGIApp], secrets: Sequence[str], commands: RedisCommands, keys: APIKeys
) -> Table:
    told_of: list[Series] = []
    against: list[Ratio] = []
    figures: dict[str, str] = {}
    counts = keys._opened().lookup.counts
    before = replace(counts)
    for in_flight in IN_FLIGHT:
        sent = secrets[: plan.pick(3_000, 400)] if in_flight == 1 else secrets
        asked = {
            name: Asked(app=protected, secrets=lambda sent=sent: sent, in_flight=in_flight, commands=commands)  # type: ignore[misc]
            for name, protected in apps.items()
        }
        plan.tell(f"{in_flight:,} in flight")
        runs = await take_turns({name: each.rate for name, each in asked.items()}, plan.pick(15, 3), plan.tell)
        if asked["gatepost"].failed:
            raise RuntimeError(f"{in_flight} in flight: gatepost answered {told(asked['gatepost'].answers)}")
        right = {name: () if each.failed else runs[name] for name, each in asked.items()}
        told_of += series(right, {name: each.told for name, each in asked.items()}, at=in_flight)
        for name in (name for name in apps if name != "gatepost" and right[name]):
            limit = ALONE_LIMIT if (name, in_flight) == (GET, 1) else None
            against.append(ratio(runs, "gatepost", name, at=in_flight, limit=limit, bound="at least"))
        figures[f"Redis commands for 1,000 requests, {in_flight:,} in flight"] = ", ".join(
            f"{name} {1_000 * sum(asked[name].gets) / asked[name].answers.total():,.0f}"
            for name in ("gatepost", WAITING)
        )
    answered = (counts.from_redis - before.from_redis) / (counts.lookups - before.lookups)
    figures["gatepost's lookups that Redis answered"] = f"{answered:.2%}"
    figures["gatepost's requests that failed"] = "0"
    return Table(
        title="Requests with keys that only Redis remembers",
        unit="requests/s",
        axis="in flight",
        series=tuple(told_of),
        ratios=tuple(against),
        figures=figures,
        note="In process, through the middleware. Gatepost sends one MGET for all that wait, checks each secret's HMAC "
        "and the seal of each value.",
    )
