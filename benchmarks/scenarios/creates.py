"""Keys made a second: 64 callers at once in one process, against one after another, per database.

Those at once share transactions; one after another each has its own. The process follows the log, so that each call
ends when it has applied what it made. The database is on the other core, and waits for no disk.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from tests.servers.databases import create_database

from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from benchmarks.scenarios.cold import for_each_database
from gatepost import APIKeys

AT_ONCE = 64
LIMIT_ON_POSTGRESQL = 8
TOGETHER, ALONE = f"gatepost, {AT_ONCE} at once", "gatepost, one after another"


async def measure(plan: Plan) -> Sequence[Table]:
    return await for_each_database(plan, _tables)


async def _tables(plan: Plan, kind: str, url: str) -> Sequence[Table]:
    if kind != "SQLite":
        url = await asyncio.to_thread(create_database, url)
    await APIKeys(url).create_schema()
    async with APIKeys(url) as keys:
        await keys.serve()
        contestants = {TOGETHER: partial(_rate, keys, AT_ONCE, 20), ALONE: partial(_rate, keys, 1, 100)}
        runs = await take_turns(contestants, plan.pick(15, 2), lambda said: plan.tell(f"{kind}, {said}"))
    limit = LIMIT_ON_POSTGRESQL if kind == "PostgreSQL" else None
    ratios = (ratio(runs, TOGETHER, ALONE, limit=limit, bound="at least"),)
    return [Table(title=f"Keys made in {kind}", unit="keys/s", series=series(runs), ratios=ratios)]


async def _rate(keys: APIKeys, at_once: int, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        made = (keys.create("nightly import", ["FILE_UPLOAD", "OBJECTS_LIST"], project="acme") for _ in range(at_once))
        await asyncio.gather(*made)
    return at_once * times / (time.perf_counter() - began)
