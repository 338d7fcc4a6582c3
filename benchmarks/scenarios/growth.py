"""Whether a lookup takes longer the more keys there are: memory, Redis and PostgreSQL, at 1,000 to 10,000,000 keys.

An installation of each size stands beside the others, each with a database and a Redis of its own, and they take turns.
Keys are asked for in random order, so that with many of them the processor's caches hold hardly any: what a plain
`dict` of the same size loses by that is measured too.
"""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256
from itertools import accumulate
from statistics import mean
from typing import Any

from redis.asyncio import Redis
from starlette.types import ASGIApp
from tests.servers.postgres import postgres_server
from tests.servers.redis import redis_server

from benchmarks import population
from benchmarks.cores import apart
from benchmarks.in_process import bare, drive, receive, scope_of, send, time_requests
from benchmarks.measured import Ratio, Series, Table
from benchmarks.rivals.ten_lines import TenLines
from benchmarks.rounds import Contestant, Plan, take_turns
from gatepost import APIKeyMiddleware, APIKeys

REMEMBERED = (1_000, 10_000, 100_000, 1_000_000)
STORED = (*REMEMBERED, 10_000_000)
QUICK = (1_000, 20_000)

COMPARED = 1_000_000
"""The number of keys that a limit is set for, against the least; a quick run compares its most."""

LIMIT = 1.3

BATCH = 200
"""Secrets made at a time, right before they are looked up: they are in the processor's cache, as a header just read is.
What is known of them is not."""

BATCHES = 25
"""In memory, of a contestant, a round."""

ALONE_CALLS = 100
IN_FLIGHT = 64
WAVES = 20
"""Of `IN_FLIGHT` lookups, of a contestant, a round."""

WARM_WAVES = 300
"""Before: connections are opened, and the server's memory is mapped to the processes that serve them."""

SPARE_BYTES = 2 * 2**30
"""Of the disk, left for others."""

GATEPOST, GATEPOST_REQUEST = "gatepost", "gatepost, whole request"
BY_HAND, BY_HAND_REQUEST = "ten lines by hand", "ten lines by hand, whole request"
ALONE, TOGETHER = "gatepost, one at a time", f"gatepost, {IN_FLIGHT} in flight"

NOTES = {
    GATEPOST: "SHA-256, dict, lease and expiry",
    GATEPOST_REQUEST: "through the middleware to an app that does nothing",
    BY_HAND: "SHA-256 and a dict that is never refreshed: no revocation, no expiry, no bound",
    BY_HAND_REQUEST: "the same, with a header scan and three scope entries",
}

LookUp = Callable[[Any], object]
"""What is known of the key with a secret's text; `None` where there is none."""

Place = tuple[str, int]
"""A contestant's name, and its number of keys."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Times are µs a lookup. Whole: six minutes, with 7 GB of memory and 19 GB of disk; less disk, fewer keys."""
    stored, left_out = _fitting(QUICK if plan.quick else STORED)
    remembered = [keys for keys in stored if keys <= COMPARED]
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(postgres_server(tcp=False, **population.server_settings(max(stored))))
        redises = {keys: stack.enter_context(redis_server()) for keys in remembered}
        databases = {}
        for keys in stored:
            plan.tell(f"making {keys:,} keys")
            databases[keys] = await population.create(postgres.url, keys)
        async with AsyncExitStack() as opened:
            warm = {keys: await _opened(opened, databases[keys], redises[keys].url, keys) for keys in remembered}
            for keys, each in warm.items():
                await population.read_all(each, range(keys), plan.tell)
                async with Redis.from_url(redises[keys].url) as client:
                    if (held := await client.dbsize()) != keys:
                        raise RuntimeError(f"Redis holds {held:,} of {keys:,} keys")
            stack.enter_context(apart([*postgres.pids(), *(redis.pid for redis in redises.values())]))
            tables = [await _in_memory(warm, plan)]
        async with AsyncExitStack() as opened:
            forgetful = {keys: await _opened(opened, databases[keys], redises[keys].url, 0) for keys in remembered}
            tables.append(await _at_server("Redis", forgetful, plan))
        async with AsyncExitStack() as opened:
            forgetful = {keys: await _opened(opened, databases[keys], None, 0) for keys in stored}
            tables.append(await _at_server("PostgreSQL", forgetful, plan, left_out))
        return tables


async def _opened(stack: AsyncExitStack, database: str, redis: str | None, entries: int) -> APIKeys:
    keys = APIKeys(database, redis, memory_entries=entries, **population.STILL)
    return await stack.enter_async_context(keys)


async def _in_memory(warm: Mapping[int, APIKeys], plan: Plan) -> Table:
    contestants: dict[Place, Contestant] = {}
    batches = plan.pick(BATCHES, BATCHES // 5)
    for keys, gatepost in warm.items():
        plan.tell(f"ten lines by hand learn {keys:,} keys")
        known = population.known(keys, shared=True)
        looking: Mapping[str, LookUp] = {
            GATEPOST: lambda text, hit=gatepost.hit: hit(sha256(text).digest()),  # type: ignore[misc]
            BY_HAND: lambda text, known=known: known.get(sha256(text).digest()),  # type: ignore[misc]
        }
        serving: Mapping[str, ASGIApp] = {
            GATEPOST_REQUEST: APIKeyMiddleware(bare, gatepost),
            BY_HAND_REQUEST: TenLines(bare, known),
        }
        for name, look_up in looking.items():
            _check(name, look_up, keys, population.secret(keys))
            contestants[name, keys] = partial(_in_batches, partial(_time_lookups, look_up), keys, batches)
        for name, app in serving.items():
            _check(name, partial(_serves, app), keys, None)  # it refuses without waiting only where there is none
            contestants[name, keys] = partial(_in_batches, partial(_time_requests, app), keys, batches)
    runs = await _turns(contestants, plan.pick(40, 10), plan)
    return Table(
        title="Memory hit by number of keys",
        unit="µs",
        axis="keys",
        series=_series(runs),
        ratios=_ratios(runs, {GATEPOST}),
        note="In process: a lookup alone, and a request through a middleware. Of very many keys asked for in random "
        "order the processor's caches hold few, and each lookup waits for the machine's memory; so it does for a dict.",
    )


async def _at_server(where: str, opened: Mapping[int, APIKeys], plan: Plan, left_out: Sequence[int] = ()) -> Table:
    contestants: dict[Place, Contestant] = {}
    for keys, gatepost in opened.items():
        contestants[ALONE, keys] = partial(_time_alone, gatepost, keys, plan.pick(ALONE_CALLS, ALONE_CALLS // 4))
        contestants[TOGETHER, keys] = partial(_time_together, gatepost, keys, plan.pick(WAVES, WAVES // 4))
        plan.tell(f"{where}, {keys:,} keys: warming up")
        await _time_together(gatepost, keys, plan.pick(WARM_WAVES, WAVES))
        if (await gatepost.judge(population.secret(keys)))[1] is not None:
            raise RuntimeError(f"{where}: a secret that nobody has is let in")
    runs = await _turns(contestants, plan.pick(30, 6), plan)
    for keys, gatepost in opened.items():  # one lookup was of a secret that nobody has: the database's word, both times
        counts = gatepost._opened().lookup.counts
        answered = counts.from_redis + 1 if where == "Redis" else counts.from_database
        if answered != counts.lookups:
            raise RuntimeError(f"{where}, {keys:,} keys: answered {answered:,} of {counts.lookups:,} lookups")
    note = "not enough room on the disk"
    absent = [Series(name=name, at=keys, runs=(), note=note) for keys in left_out for name in (ALONE, TOGETHER)]
    return Table(
        title=f"Lookup in {where} by number of keys",
        unit="µs",
        axis="keys",
        series=(*_series(runs), *absent),
        ratios=_ratios(runs, {ALONE, TOGETHER}),
        note="Nothing is remembered in process. In flight: of all that come in one turn of the event loop.",
    )


async def _in_batches(timed: Callable[[Sequence[bytes]], float], keys: int, batches: int) -> float:
    """The mean of so many batches of random keys' secrets."""
    return mean(timed([population.secret(number) for number in _some(keys, BATCH)]) for _ in range(batches))


def _time_lookups(look_up: LookUp, texts: Sequence[bytes]) -> float:
    begun = time.perf_counter()
    for text in texts:
        look_up(text)
    return (time.perf_counter() - begun) / len(texts) * 1e6


def _time_requests(app: ASGIApp, texts: Sequence[bytes]) -> float:
    return time_requests(app, [scope_of(text) for text in texts])


async def _time_alone(gatepost: APIKeys, keys: int, calls: int) -> float:
    texts = [population.secret(number) for number in _some(keys, calls)]
    begun = time.perf_counter()
    for text in texts:
        await gatepost.judge(text)
    return (time.perf_counter() - begun) / calls * 1e6


async def _time_together(gatepost: APIKeys, keys: int, waves: int) -> float:
    begun = time.perf_counter()
    for _ in range(waves):
        await population.read(gatepost, _some(keys, IN_FLIGHT))
    return (time.perf_counter() - begun) / (waves * IN_FLIGHT) * 1e6


def _some(keys: int, count: int) -> Sequence[int]:
    return random.choices(range(keys), k=count)


async def _turns(contestants: Mapping[Place, Contestant], rounds: int, plan: Plan) -> Mapping[Place, Sequence[float]]:
    labels = {f"{name}, {keys:,} keys": (name, keys) for name, keys in contestants}
    runs = await take_turns({label: contestants[place] for label, place in labels.items()}, rounds, plan.tell)
    return {labels[label]: values for label, values in runs.items()}


def _series(runs: Mapping[Place, Sequence[float]]) -> tuple[Series, ...]:
    return tuple(
        Series(name=name, at=keys, runs=tuple(values), note=NOTES.get(name, ""))
        for (name, keys), values in runs.items()
    )


def _ratios(runs: Mapping[Place, Sequence[float]], limited: set[str]) -> tuple[Ratio, ...]:
    """Of each contestant with many keys against itself with the least."""
    sizes = [keys for _, keys in runs]
    least, compared = min(sizes), min(COMPARED, max(sizes))
    return tuple(
        Ratio(
            of=name,
            to=name,
            runs=tuple(many / few for many, few in zip(runs[name, keys], runs[name, least], strict=True)),
            at=keys,
            to_at=least,
            limit=LIMIT if name in limited and keys == compared else None,
        )
        for name, keys in runs
        if keys >= compared
    )


def _fitting(sizes: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Those that the disk has room for, and those that are left out."""
    room = shutil.disk_usage(tempfile.gettempdir()).free - SPARE_BYTES
    fits = [total * population.BYTES_PER_KEY <= room for total in accumulate(sizes)].count(True)
    return sizes[:fits], sizes[fits:]


def _check(name: str, knows: LookUp, keys: int, unknown: bytes | None) -> None:
    """Raises `RuntimeError` where a key is not known, or one that there is not."""
    if not all(knows(population.secret(number)) for number in (0, keys // 2, keys - 1)):
        raise RuntimeError(f"{name}: one of {keys:,} keys is not known")
    if knows(unknown):
        raise RuntimeError(f"{name}: a secret that nobody has is known")


def _serves(app: ASGIApp, text: bytes | None) -> object:
    """What a middleware puts into the scope of a request with that secret."""
    scope = scope_of(text)
    drive(app(scope, receive, send))
    return scope.get("permissions")
