"""Keys that no tier remembers, 256 in flight, against one SELECT each, per database: lookups, and whole requests.

First the lookup by itself, from a digest to a key's record, against SQLAlchemy's `SELECT` of its permissions. Then in
process, through the whole middleware, around an app that sends a small response. No Redis; gatepost's memory is
emptied before each round and every key is asked for once a round, so each request needs the database. By hand: a pure
ASGI middleware that selects from one table by its primary key, over SQLAlchemy as its tutorial shows it (a transaction
is begun and rolled back around it), over an engine in autocommit, and over asyncpg's own pool.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import ASGIApp
from tests.servers.databases import create_database
from tests.servers.folder import server_folder
from tests.servers.mariadb import mariadb_server
from tests.servers.postgres import postgres_server
from tests.servers.programs import ProgramMissingError

from benchmarks import stock
from benchmarks.asking import Asked, check, look_up
from benchmarks.by_hand import RAW_SELECT, SELECT, ByHand, put_in_table, raw_select, select_each
from benchmarks.cores import apart
from benchmarks.counting import counted_statements
from benchmarks.in_process import answering
from benchmarks.measured import Table
from benchmarks.quiet import quiet
from benchmarks.rounds import Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware, APIKeys

IN_FLIGHT = 256
LIMIT = 8
"""On PostgreSQL: of lookups, and of whole requests too."""

LOOKUP, SELECT_LOOKUP = "gatepost, a lookup", f"{SELECT}, a lookup"
AUTOCOMMIT = f"{SELECT}, autocommit"

WITH_ROLES = "gatepost, a lookup of a key with three roles"
ROLES = ("reader", "uploader", "curator")
ROLES_LIMIT = 0.91
"""Of the lookups a second of keys that hold none: each takes 1.1 times as long at most."""

ROLES_ROUNDS = 41
"""Of a third of a second each: single ones differ by a tenth and more."""

POOL_SIZE = 15
"""Connections of asyncpg's pool: as many as SQLAlchemy's may have, five and ten more."""

KINDS: Mapping[str, float | None] = {"PostgreSQL": LIMIT, "MariaDB": None, "SQLite": None}
"""Databases, and what is to hold there."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Tables for each database that is on this machine; a quick run does with PostgreSQL.

    Raises `ProgramMissingError` where PostgreSQL is not.
    """
    return await for_each_database(plan, _tables)


async def for_each_database(
    plan: Plan, measured: Callable[[Plan, str, str], Awaitable[Sequence[Table]]]
) -> Sequence[Table]:
    """What is `measured` of each, by its kind and URL: as `measure`."""
    tables: list[Table] = []
    for kind in list(KINDS)[:1] if plan.quick else KINDS:
        plan.tell(f"starting {kind}")
        with ExitStack() as stack:
            stack.enter_context(quiet())  # MariaDB's driver tells of triggers that are dropped "if exists"
            try:
                url, pids = _started(stack, kind)
            except ProgramMissingError:
                if KINDS[kind] is not None:
                    raise
                continue
            stack.enter_context(apart(pids))
            tables += await measured(plan, kind, url)
    return tables


def _started(stack: ExitStack, kind: str) -> tuple[str, Sequence[int]]:
    """A database's URL, and the ids of its processes, for as long as the stack is open."""
    if kind == "SQLite":
        return f"sqlite+aiosqlite:///{stack.enter_context(server_folder('cold'))}/keys.db", []
    server: Any = stack.enter_context(postgres_server() if kind == "PostgreSQL" else mariadb_server())
    return server.url, [server.pid]


async def _tables(plan: Plan, kind: str, url: str) -> Sequence[Table]:
    numbers = range(plan.pick(10_000, 1_000))
    secrets = [stock.secret(number) for number in numbers]
    async with _apps(url, numbers) as (keys, apps):

        def forgotten() -> Sequence[str]:
            stock.forget(keys)
            return secrets

        for protected in apps.values():
            await check(protected, secrets[:10], [stock.invented(1), stock.secret(len(numbers) + 1)])
        with counted_statements() as counted:
            asked = {
                name: Asked(app=each, secrets=forgotten, in_flight=IN_FLIGHT, status=200, counted=counted)
                for name, each in apps.items()
            }
            contestants = {name: each.rate for name, each in asked.items()}
            runs = await take_turns(contestants, plan.pick(9, 2), lambda said: plan.tell(f"{kind}, {said}"))
        select = cast("ByHand", apps[SELECT])
        with_roles = [len(numbers) + 1 + number for number in numbers]
        await _give_roles(keys, with_roles)
        digests = [[stock.digest(number) for number in those] for those in (numbers, with_roles)]
        looked_up = await _lookups(plan, kind, keys, select, digests[0], with_roles=digests[1])
    limits = {SELECT: KINDS[kind]}
    selects = {
        name: 1_000 * sum(each.statements, Counter())["lookups"] / each.answers.total() for name, each in asked.items()
    }
    requests = Table(
        title=f"Keys that nothing remembers, from {kind}",
        unit="requests/s",
        series=series(runs, {name: each.note for name, each in asked.items()}),
        ratios=tuple(
            ratio(runs, "gatepost", name, limit=limits.get(name), bound="at least")
            for name in apps
            if name != "gatepost"
        ),
        figures={
            "requests in flight": str(IN_FLIGHT),
            "SQL statements for 1,000 requests": ", ".join(f"{name} {n:,.0f}" for name, n in selects.items() if n),
        },
        note="In process, through the middleware; no Redis, memory emptied before each round.",
    )
    return *looked_up, requests


async def _give_roles(keys: APIKeys, numbers: Sequence[int]) -> None:
    """Make keys with these numbers, each of which holds the roles beside what it has of its own."""
    await stock.put_in(keys, numbers)
    for role in ROLES:
        await keys.roles.create(role, stock.PERMISSIONS)
    for batch in stock.batches(numbers):
        await keys.update([stock.key_id(number) for number in batch], roles=ROLES)


async def _lookups(
    plan: Plan, kind: str, keys: APIKeys, select: ByHand, digests: Sequence[bytes], *, with_roles: Sequence[bytes]
) -> Sequence[Table]:
    """The database tier itself, without a request around it: against a SELECT by hand, and with roles against without.
    The latter differ by little, and take a tenth as long: in more rounds."""

    async def ours(those: Sequence[bytes] = digests) -> float:
        stock.forget(keys)
        return await look_up(partial(stock.found, keys), those, IN_FLIGHT)

    async def by_hand() -> float:
        return await look_up(select.permissions, digests, IN_FLIGHT)

    ours_too = partial(ours, with_roles)
    with counted_statements() as counted:
        await ours(with_roles)
    if (asked := counted["lookups"]) > len(with_roles):
        raise RuntimeError(f"{asked} statements for {len(with_roles)} keys with roles")
    by_roles = await take_turns({LOOKUP: ours, WITH_ROLES: ours_too}, plan.pick(ROLES_ROUNDS, 2), plan.tell)
    runs = await take_turns({LOOKUP: ours, SELECT_LOOKUP: by_hand}, plan.pick(9, 2), plan.tell)
    return [
        Table(
            title=f"Lookups of keys that nothing remembers, from {kind}, {IN_FLIGHT} in flight",
            unit="lookups/s",
            series=series(runs),
            ratios=(ratio(runs, LOOKUP, SELECT_LOOKUP, limit=KINDS[kind], bound="at least"),),
            note="From a digest to a record that a request could be decided by. By hand: to the permissions.",
        ),
        Table(
            title=f"Lookups of keys with roles that nothing remembers, from {kind}, {IN_FLIGHT} in flight",
            unit="lookups/s",
            series=series(by_roles),
            ratios=(ratio(by_roles, WITH_ROLES, LOOKUP, limit=ROLES_LIMIT if KINDS[kind] else None, bound="at least"),),
            figures={"SQL statements for 1,000 keys with roles": f"{1_000 * asked / len(with_roles):,.0f}"},
        ),
    ]


@asynccontextmanager
async def _apps(url: str, numbers: range) -> AsyncIterator[tuple[APIKeys, Mapping[str, ASGIApp]]]:
    """The contestants, over one database that holds these keys."""
    async with AsyncExitStack() as stack:
        if url.startswith("mysql"):  # as it starts, it has none of ours
            url = await asyncio.to_thread(create_database, url)
        await APIKeys(url).create_schema()
        keys = await stack.enter_async_context(APIKeys(url, server_keys=[stock.SERVER_KEY], read_timeout=30.0))
        await stock.put_in(keys, numbers)
        plain = create_async_engine(url)
        stack.push_async_callback(plain.dispose)
        await put_in_table(plain, numbers)
        apps: dict[str, ASGIApp] = {
            "gatepost": APIKeyMiddleware(answering, keys),
            SELECT: select_each(answering, plain),
        }
        if not url.startswith("sqlite"):  # Python's driver begins no transaction for a SELECT
            eager = create_async_engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
            stack.push_async_callback(eager.dispose)
            apps[AUTOCOMMIT] = select_each(answering, eager)
        if url.startswith("postgresql"):
            async with plain.connect() as connection:  # with the statistics that autovacuum would have made
                await connection.execute(text("ANALYZE"))
            at = make_url(url)
            place = {"host": at.query["host"], "user": at.username, "database": at.database}
            pool = await stack.enter_async_context(asyncpg.create_pool(**place, min_size=5, max_size=POOL_SIZE))
            apps[RAW_SELECT] = raw_select(answering, pool)
        yield keys, apps
