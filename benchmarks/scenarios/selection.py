"""Many keys changed by what they are: a preview of one owner's keys, and switching them, against the same by ids.

A tenth of all keys is one owner's. `deactivate` and `activate` take turns, so that each has all of them to change; by
ids the list is there already. The process follows the log, and nobody else has to be waited for.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from tests.servers.databases import create_database

from benchmarks.measured import Table
from benchmarks.rounds import Plan, Tell, ratio, series, take_turns
from benchmarks.scenarios.cold import for_each_database
from gatepost import APIKeys, ImportedKey, Selection

OWNERS = 10
KEYS, KEYS_QUICK = 100_000, 2_000
AT_ONCE = 5_000
LIMIT_MS = 150
"""Of a preview of 10,000 keys of 100,000, on PostgreSQL."""

PREVIEW, BY_SELECTION, BY_IDS = "preview of a selection", "by selection", "by ids"

OF_ONE = Selection(owner="team-0")


async def measure(plan: Plan) -> Sequence[Table]:
    return await for_each_database(plan, _tables)


async def _tables(plan: Plan, kind: str, url: str) -> Sequence[Table]:
    if kind != "SQLite":
        url = await asyncio.to_thread(create_database, url)
    await APIKeys(url).create_schema()
    async with APIKeys(url, foreign_secrets=True, read_timeout=60.0) as keys:
        count = plan.pick(KEYS, KEYS_QUICK)
        await _fill(keys, count, lambda said: plan.tell(f"{kind}, {said}"))
        await keys.serve()
        ids = (await keys.deactivate(OF_ONE, preview=True)).changed
        if len(ids) != count // OWNERS:
            raise RuntimeError(f"the owner has {len(ids)} keys, not {count // OWNERS}")
        contestants = {
            PREVIEW: partial(_preview, keys, len(ids)),
            BY_SELECTION: partial(_switched, keys, OF_ONE),
            BY_IDS: partial(_switched, keys, ids),
        }
        runs = await take_turns(contestants, plan.pick(7, 2), lambda said: plan.tell(f"{kind}, {said}"))
    holds = kind == "PostgreSQL" and not plan.quick
    limits = {PREVIEW: LIMIT_MS} if holds else {}
    title = f"{len(ids):,} of {count:,} keys in {kind}: shown, and switched off and on"
    ratios = (ratio(runs, BY_SELECTION, BY_IDS),)
    return [Table(title=title, unit="ms", series=series(runs, limits=limits), ratios=ratios)]


async def _preview(keys: APIKeys, expected: int) -> float:
    began = time.perf_counter()
    receipt = await keys.deactivate(OF_ONE, preview=True)
    taken = time.perf_counter() - began
    if len(receipt.changed) != expected:
        raise RuntimeError(f"a preview told of {len(receipt.changed)} keys")
    return 1000 * taken


async def _switched(keys: APIKeys, which: Selection | Sequence[str]) -> float:
    """Milliseconds of one call, of two."""
    began = time.perf_counter()
    off, on = await keys.deactivate(which), await keys.activate(which, wait="everywhere")
    taken = time.perf_counter() - began
    if not len(off.changed) == len(on.changed) > 0:
        raise RuntimeError(f"{len(off.changed)} keys were switched off, {len(on.changed)} on")
    return 500 * taken


async def _fill(keys: APIKeys, count: int, tell: Tell) -> None:
    for first in range(0, count, AT_ONCE):
        tell(f"{first:,} keys made")
        await keys.import_digests(
            ImportedKey(
                digest=sha256(b"%d" % number).digest(),
                description=f"import {number}",
                permissions=["FILE_UPLOAD", "OBJECTS_LIST"],
                owner=f"team-{number % OWNERS}",
            )
            for number in range(first, min(first + AT_ONCE, count))
        )
