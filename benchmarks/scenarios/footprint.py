"""Memory per remembered key at 1,000,000 keys: in a worker's process, and in Redis.

Each contestant remembers the keys in a new process, whose resident set is read before and after. gatepost does it as it
does for requests: every key is looked up once, in the database or in Redis, after some that are not counted and that
bring its own code and connections to life. In Redis it is what Redis itself says that it uses, before and after.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import orjson
import psutil  # type: ignore[import-untyped]
from redis.asyncio import Redis
from tests.servers.child import printed
from tests.servers.postgres import postgres_server
from tests.servers.redis import RedisServer, redis_server

from benchmarks import population
from benchmarks.measured import Table
from benchmarks.origin import ROOT
from benchmarks.rounds import Plan, ratios, series
from gatepost import APIKeys
from gatepost.base.record import Record
from gatepost.redis.tier import SEAL_BYTES

KEYS, KEYS_QUICK = 1_000_000, 50_000
FIRST = 2 * population.AT_ONCE
"""Keys that are looked up before the memory is read first."""

IN_PROCESS_LIMIT, IN_REDIS_LIMIT = 330, 300
"""Bytes per key, at most."""

ALLOCATED_BYTES = 16
"""CPython's allocator gives memory in multiples of this (`ALIGNMENT` in obmalloc.c, on 64-bit systems)."""

SAMPLE = 10_000
"""Keys whose parts are weighed."""

FROM_DATABASE, FROM_REDIS = "gatepost, read from the database", "gatepost, read from Redis"
BY_HAND, BY_HAND_SHARED = "ten lines by hand", "ten lines by hand, permission sets shared"
GATEPOST, BY_HAND_IN_REDIS = "gatepost", "redis-py by hand"

NOTES = {
    BY_HAND: "a dict of digests to ids and permissions alone: no description, no dates, no expiry",
    BY_HAND_SHARED: "the same, with one frozenset for all keys that have the same permissions, as gatepost does it",
    BY_HAND_IN_REDIS: "SET with EX: ids and permissions alone, believed without a seal",
}


async def measure(plan: Plan) -> Sequence[Table]:
    """Bytes per key. Whole: three minutes, 1 GB of memory, 2 GB of disk."""
    keys = plan.pick(KEYS, KEYS_QUICK)
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(tcp=False, **population.server_settings(keys)))
        redis = stack.enter_context(redis_server())
        plan.tell(f"making {keys:,} keys")
        task = {"keys": keys, "database": await population.create(postgres.url, keys), "redis": redis.url}
        found = {}
        for name in (FROM_DATABASE, FROM_REDIS, BY_HAND, BY_HAND_SHARED):
            plan.tell(f"{name}: {keys:,} keys")
            found[name] = await _in_new_process({"contestant": name, **task})
        by_hand = stack.enter_context(redis_server())
        plan.tell(f"Redis by hand: {keys:,} keys")
        ours = found[FROM_DATABASE]["redis_bytes"]
        in_redis = {GATEPOST: [ours], BY_HAND_IN_REDIS: [await _by_hand_in_redis(by_hand, keys)]}
        parts = await _parts_in_redis(redis, ours)
    return [
        _process_table(keys, found),
        Table(
            title=f"Memory per key in Redis, {keys:,} keys",
            unit="bytes",
            series=series(in_redis, NOTES, limits={GATEPOST: IN_REDIS_LIMIT}),
            ratios=ratios(in_redis, GATEPOST, [BY_HAND_IN_REDIS]),
            figures=dict(parts),
            note="Redis's own `used_memory`, after less before.",
        ),
    ]


def _process_table(keys: int, found: Mapping[str, Mapping[str, Any]]) -> Table:
    runs = {name: [each["bytes"]] for name, each in found.items()}
    parts = found[FROM_DATABASE]["parts"]
    return Table(
        title=f"Memory per key in process, {keys:,} keys",
        unit="bytes",
        series=series(runs, NOTES, limits=dict.fromkeys((FROM_DATABASE, FROM_REDIS), IN_PROCESS_LIMIT)),
        ratios=ratios(runs, FROM_DATABASE, [BY_HAND, BY_HAND_SHARED]),
        figures={f"of a key read from the database, {part}": size for part, size in parts.items()},
        note="The resident set of a new process, after less before. Of the parts, what keys share is counted once.",
    )


async def _in_new_process(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `_remember` answers there."""
    found: Mapping[str, Any] = json.loads(await printed(sys.executable, "-m", __name__, json.dumps(task), cwd=ROOT))
    return found


async def _by_hand_in_redis(server: RedisServer, keys: int) -> float:
    async with Redis.from_url(server.url) as client:
        before = await _used(client)
        for first in range(0, keys, population.AT_ONCE):
            pipeline = client.pipeline(transaction=False)
            for number in range(first, min(first + population.AT_ONCE, keys)):
                value = orjson.dumps([population.key_id(number), population.permissions(number)])
                pipeline.set(b"key:" + population.digest(number), value, ex=600)
            await pipeline.execute()
        return (await _used(client) - before) / keys


async def _parts_in_redis(server: RedisServer, whole: float) -> Mapping[str, str]:
    """What a mean key's bytes in Redis are."""
    async with Redis.from_url(server.url) as client:
        names = [name async for name in client.scan_iter(count=1000)][:SAMPLE]
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.strlen(name)
            pipeline.memory_usage(name)
        answers = await pipeline.execute()
    name_bytes = sum(map(len, names)) / len(names)
    value_bytes = sum(answers[::2]) / len(names)
    entry_bytes = sum(answers[1::2]) / len(names)
    return {
        "of a key, name": f"{name_bytes:.0f} bytes",
        "of a key, seal": f"{SEAL_BYTES} bytes",
        "of a key, payload": f"{value_bytes - SEAL_BYTES:.0f} bytes",
        "of a key, what Redis adds to name and value": f"{entry_bytes - name_bytes - value_bytes:.0f} bytes",
        "of a key, the moment it lapses, and tables": f"{whole - entry_bytes:.0f} bytes",
    }


async def _used(client: Redis) -> float:
    return float((await client.info("memory"))["used_memory"])


async def _remember(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a new process does: `bytes` a key, and for gatepost `redis_bytes` and `parts`."""
    if task["contestant"] not in {BY_HAND, BY_HAND_SHARED}:
        return await _gatepost(task)
    before = _resident()
    known = population.known(task["keys"], shared=task["contestant"] == BY_HAND_SHARED)
    return {"bytes": (_resident() - before) / len(known)}


async def _gatepost(task: Mapping[str, Any]) -> Mapping[str, Any]:
    count = task["keys"]
    first = min(FIRST, count // 10)
    async with (
        APIKeys(task["database"], task["redis"], memory_entries=count, **population.STILL) as keys,
        Redis.from_url(task["redis"]) as redis,
    ):
        lookup = keys._opened().lookup
        await population.read_all(keys, range(first))
        before, used = _resident(), await _used(redis)
        await population.read_all(keys, range(first, count))
        after, used = _resident(), await _used(redis) - used
        asked = lookup.counts.from_redis if task["contestant"] == FROM_REDIS else lookup.counts.from_database
        if asked != count or lookup.sizes().keys != count or await redis.dbsize() != count:
            raise RuntimeError(f"asked for {asked:,}, and remembers {lookup.sizes().keys:,}, of {count:,} keys")
        return {
            "bytes": (after - before) / (count - first),
            "redis_bytes": used / (count - first),
            "parts": _parts(lookup._memory.records),
        }


def _parts(records: Mapping[bytes, Record]) -> Mapping[str, str]:
    """What a mean record's bytes are; what several hold is counted once, and what all hold not at all."""
    sample = list(records.items())[-SAMPLE:]
    parts = {
        "record": sum(_size(record) for _, record in sample),
        "digest": sum(_size(digest) for digest, _ in sample),
        "place in the dict": len(sample) * sys.getsizeof(records) / len(records),
    }
    weighed: set[int] = set()
    held = {name for kind in Record.__mro__ for name in getattr(kind, "__slots__", ())} - {"__dict__", "__weakref__"}
    for name in sorted(held):  # not its properties: what they give is made when it is asked for
        values = {id(value): value for value in (getattr(record, name) for _, record in sample)}
        parts[name.strip("_")] = sum(_size(value) for place, value in values.items() if place not in weighed)
        weighed |= values.keys()
    return {part: f"{size / len(sample):.0f} bytes" for part, size in parts.items() if size / len(sample) >= 1}


def _size(value: object) -> int:
    """Of an object, as the allocator rounds it up."""
    return -(-sys.getsizeof(value) // ALLOCATED_BYTES) * ALLOCATED_BYTES


def _resident() -> int:
    """Bytes of this process in the machine's memory."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_remember(json.loads(sys.argv[1])))))
