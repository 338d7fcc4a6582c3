"""Traffic as it is: a million keys, few of them asked for often, 64 in flight; memory, Redis and PostgreSQL together.

In process, through the whole middleware, around an app that sends a small response. Which key a request has follows
Zipf's law. Gatepost remembers a hundredth of the keys in memory and begins after a warm-up with the same traffic; by
hand, every key is in Redis before, and each request sends a `GET`. Both are sent the same requests.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from redis.asyncio import Redis
from tests.servers.postgres import postgres_server
from tests.servers.redis import redis_server

from benchmarks import population
from benchmarks.asking import Asked, ask, check
from benchmarks.by_hand import GET, put_in_redis, redis_get
from benchmarks.cores import apart
from benchmarks.in_process import answering
from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from benchmarks.stock import settled
from gatepost import APIKeyMiddleware, APIKeys
from gatepost.health import LookupCounts

IN_FLIGHT = 64

EXPONENT = 1.05
"""Of Zipf's law: the key of rank r is asked for in proportion to r to the minus this."""

MEMORY_PART = 100
"""Of so many keys, memory holds one."""

SEED = 41


class Traffic:
    """Requests without end, the same in every run: secrets of keys, by Zipf's law. Ranks are spread over the numbers,
    so that keys that are asked for often do not lie side by side in an index."""

    def __init__(self, keys: int) -> None:
        self._random = np.random.default_rng(SEED)
        self._numbers = self._random.permutation(keys)
        weights = np.arange(1, keys + 1) ** -EXPONENT
        self._shares = weights / weights.sum()

    def take(self, count: int) -> list[str]:
        """The next requests' secrets."""
        numbers = self._random.choice(self._numbers, count, p=self._shares)
        return [population.secret(int(number)).decode() for number in numbers]


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second, and which part of gatepost's each tier answered."""
    count, warmed = plan.pick(1_000_000, 20_000), plan.pick(400_000, 10_000)
    rounds, wave = plan.pick(15, 3), plan.pick(40_000, 3_000)
    traffic = Traffic(count)
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server(tcp=False, **population.server_settings(count)))
        plan.tell(f"making {count:,} keys")
        url = await population.create(postgres.url, count)
        client = await stack.enter_async_context(Redis.from_url(redis.url))
        await put_in_redis(client, map(population.digest, range(count)))
        keys = APIKeys(url, redis.url, foreign_secrets=True, memory_entries=count // MEMORY_PART, redis_timeout=1.0)
        await stack.enter_async_context(keys)
        stack.enter_context(apart([redis.pid, postgres.pid]))
        apps: dict[str, Any] = {
            "gatepost": APIKeyMiddleware(answering, keys),
            GET: redis_get(answering, client),
        }
        good = [population.secret(number).decode() for number in range(10)]
        for protected in apps.values():
            await check(protected, good, [population.secret(count).decode()])
        plan.tell("warming up")
        for _ in range(10):
            (await ask(apps["gatepost"], traffic.take(warmed // 10), IN_FLIGHT)).only(200)
        await settled(keys)
        before = replace(keys._opened().lookup.counts)
        waves = [traffic.take(wave) for _ in range(rounds)]
        asked = {
            name: Asked(app=each, secrets=partial(next, iter(waves)), in_flight=IN_FLIGHT, status=200)
            for name, each in apps.items()
        }
        runs = await take_turns({name: each.rate for name, each in asked.items()}, rounds, plan.tell)
        figures = _shares(before, keys._opened().lookup.counts, rounds * wave)
    table = Table(
        title=f"Zipf's law (s = {EXPONENT}) over {count:,} keys, {IN_FLIGHT} in flight",
        unit="requests/s",
        series=series(runs, {name: each.note for name, each in asked.items()}),
        ratios=(ratio(runs, "gatepost", GET),),
        figures={
            **figures,
            "keys": f"{count:,}",
            "keys that memory holds at most": f"{count // MEMORY_PART:,}",
            "warm-up": f"{warmed:,} requests",
        },
        note="In process, through the middleware. The keys are imported by digest, so neither side checks an HMAC.",
    )
    return [table]


def _shares(before: LookupCounts, after: LookupCounts, requests: int) -> dict[str, str]:
    """What answered gatepost's requests. Memory's is the rest: its hits are counted by nobody, to cost nothing."""
    redis, database = after.from_redis - before.from_redis, after.from_database - before.from_database
    shares: Mapping[str, int] = {"memory": requests - redis - database, "Redis": redis, "PostgreSQL": database}
    trips = {"MGET to Redis": after.gets - before.gets, "SELECT to PostgreSQL": after.reads - before.reads}
    return {f"gatepost's requests that {tier} answered": f"{n / requests:.1%}" for tier, n in shares.items()} | {
        f"gatepost's {name}, for 1,000 requests": f"{1_000 * n / requests:,.1f}" for name, n in trips.items()
    }
