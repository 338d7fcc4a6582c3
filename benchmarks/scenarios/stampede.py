"""1,000 requests at once with one key that nothing remembers: round trips, and how long until all are answered.

In process, through the whole middleware, over a real Redis and PostgreSQL. A new key each time, which only the database
holds. Commands are counted by Redis itself, statements as SQLAlchemy sends them. Packages are built as their own
documentation shows; keyshield is asked once, not in every round: it takes half a minute.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import Any

import orjson
from tests.servers.databases import create_database
from tests.servers.folder import server_folder

from benchmarks import stock
from benchmarks.asking import Asked, ask, check, told
from benchmarks.by_hand import GET_THEN_SELECT, get_then_select, put_in_table
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.in_process import answering, bare
from benchmarks.measured import Table
from benchmarks.quiet import quiet
from benchmarks.rivals import keygate_fastapi, keyshield_fastapi
from benchmarks.rivals.rival import ROUTE, VARIABLE, Prepared, Rival, Stores
from benchmarks.rounds import Plan, ratios, series, take_turns
from benchmarks.tiers import stocked, waiting_client
from gatepost import APIKeyMiddleware

AT_ONCE = 1_000
CHECKS = 10
"""Keys that are used before, to see that everybody answers right."""

STILL: dict[str, Any] = {"redis_timeout": 1.0, "poll_interval": 60.0, "max_staleness": 600.0}
"""Options of `APIKeys`: no poll meanwhile, so that every statement is of a request."""

WAITING = f"{GET_THEN_SELECT}, BlockingConnectionPool"
KEYGATE, KEYSHIELD = keygate_fastapi.RIVAL, keyshield_fastapi.CACHED_NO_DELAYS


async def measure(plan: Plan) -> Sequence[Table]:
    """Milliseconds until the last of the requests is answered."""
    rounds = plan.pick(10, 4)
    numbers = range(CHECKS + 3 * rounds)
    async with AsyncExitStack() as stack:
        stack.enter_context(quiet())
        tiers = await stack.enter_async_context(stocked(numbers, **STILL))
        stack.enter_context(apart([tiers.redis.pid, tiers.postgres.pid]))
        await put_in_table(tiers.engine, numbers)
        waiting = await stack.enter_async_context(waiting_client(tiers.redis.url))
        apps: dict[str, Any] = {
            "gatepost": APIKeyMiddleware(answering, tiers.keys),
            GET_THEN_SELECT: get_then_select(answering, tiers.engine, tiers.client),
            WAITING: get_then_select(answering, tiers.engine, waiting),
        }
        for protected in apps.values():
            await check(protected, [stock.secret(number) for number in range(CHECKS)], [stock.secret(len(numbers) + 1)])
        fresh = map(stock.secret, range(CHECKS, len(numbers)))
        counted = stack.enter_context(counted_statements())
        crowd = partial(Asked, in_flight=AT_ONCE, commands=RedisCommands(tiers.client), counted=counted)
        asked = {name: crowd(app=each, secrets=lambda: [next(fresh)] * AT_ONCE) for name, each in apps.items()}
        contestants = {name: partial(_milliseconds, each) for name, each in asked.items()}
        if not plan.quick:
            folder = stack.enter_context(server_folder("stampede"))
            for rival in (KEYGATE, KEYSHIELD):
                url = await asyncio.to_thread(create_database, tiers.postgres.url)
                prepared = await rival.prepare(Stores(database=url, redis="", folder=folder))
                usable = [prepared.secrets["usable"]] * AT_ONCE
                asked[rival.label] = crowd(app=bare, secrets=partial(iter, usable), path=ROUTE, note=rival.note)
                contestants[rival.label] = partial(_packaged, asked[rival.label], rival, prepared)
        once = {name: contestants.pop(name) for name in [KEYSHIELD.label] if name in contestants}
        runs = dict(await take_turns(contestants, rounds, plan.tell))
        if once:
            runs |= await take_turns(once, 1, plan.tell)
    own = asked["gatepost"]
    selects = [statements.total() for statements in own.statements]
    if own.failed or {*own.gets, *selects} != {1}:
        raise RuntimeError(f"gatepost: {told(own.answers)}; MGET {own.gets}, SELECT {selects}")
    right = {name: () if asked[name].failed else runs[name] for name in asked}
    table = Table(
        title=f"{AT_ONCE:,} requests at once, one key that nothing remembers",
        unit="ms",
        series=series(right, {name: each.told for name, each in asked.items()}),
        ratios=ratios(runs, "gatepost", [name for name in contestants if name != "gatepost" and right[name]]),
        figures=_figures(asked),
        note="In process, through the middleware, until the last answer.",
    )
    return [table]


def _figures(asked: Mapping[str, Asked]) -> dict[str, str]:
    """The round trips of gatepost are a promise: one of each. Others: what was seen."""
    figures = {}
    for name, each in asked.items():
        if any(each.gets):
            figures[f"{name}: {'MGET' if name == 'gatepost' else 'GET'} to Redis"] = _range(each.gets)
        figures[f"{name}: SQL statements"] = _range(statements.total() for statements in each.statements)
    return figures


def _range(counts: Iterable[int]) -> str:
    found = sorted(counts)
    return f"{found[0]:,}" if found[0] == found[-1] else f"{found[0]:,} to {found[-1]:,}"


async def _milliseconds(asked: Asked) -> float:
    return 1_000 * (await asked.ask()).seconds


async def _packaged(asked: Asked, rival: Rival, prepared: Prepared) -> float:
    """A package's app, built anew for each round: what it remembers is gone. Then it must refuse whom it should."""
    module, _, factory = rival.app.partition(":")
    build = getattr(import_module(module), factory)
    os.environ[VARIABLE] = orjson.dumps(prepared.settings).decode()  # an app reads it when it is built
    try:
        asked.app = build()
    finally:
        del os.environ[VARIABLE]
    took = await _milliseconds(asked)
    others = [secret for kind, secret in prepared.secrets.items() if kind != "usable"]
    refused = await ask(asked.app, others, 1, path=ROUTE)
    if set(refused.counts) - {"401", "403"}:
        raise RuntimeError(f"{rival.label} does not refuse who is to be refused: {told(refused.counts)}")
    return took
