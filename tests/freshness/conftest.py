"""Workers over one database and one Redis, and what they ask of them."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import event

from gatepost import APIKeys
from tests.deaf import deafen

MakeWorker = Callable[..., Any]


@pytest.fixture
async def worker(ready_sqlite_url: str) -> AsyncIterator[MakeWorker]:
    """`await worker(redis=None, **options)`: open keys that serve, over the test's SQLite file."""
    async with AsyncExitStack() as stack:

        async def make(redis: str | None = None, *, database: str = ready_sqlite_url, **options: Any) -> APIKeys:
            options = {"poll_interval": 0.05, "max_staleness": 60.0, "redis_timeout": 10.0} | options
            keys = await stack.enter_async_context(APIKeys(database, redis, **options))
            deafen(keys)  # what it hears it polls for
            await keys.serve()
            return keys

        yield make


@contextmanager
def counted_statements(keys: APIKeys) -> Iterator[Counter[str]]:
    """Counts the statements sent to the keys' database: `records` (lookups), `counter` (polls), `other`."""
    counts: Counter[str] = Counter()

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "gatepost_secrets" in statement:
            counts["records"] += 1
        elif re.search(r"SELECT gatepost_counter", statement):
            counts["counter"] += 1
        else:
            counts["other"] += 1

    engine = keys._database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(engine, "before_cursor_execute", count)


async def calls_of(redis_url: str, *commands: str) -> dict[str, int]:
    """How often Redis has been sent each of the commands since it started."""
    async with Redis.from_url(redis_url) as client:
        stats = await client.info("commandstats")
    return {name: stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in commands}


async def settled(keys: APIKeys) -> None:
    """Wait until what is to be written to Redis has been."""
    tier = keys._opened().redis
    assert tier is not None
    while tier._pending or tier._writing:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.005)
