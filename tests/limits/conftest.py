"""Workers over one database, and perhaps one Redis."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gatepost import APIKeys

MakeWorker = Callable[..., Any]


@pytest.fixture
async def worker(ready_sqlite_url: str) -> AsyncIterator[MakeWorker]:
    """`await worker(redis=None, **options)`: open keys that serve, over the test's SQLite file."""
    async with AsyncExitStack() as stack:

        async def make(redis: str | None = None, **options: Any) -> APIKeys:
            options = {"poll_interval": 0.05, "max_staleness": 60.0, "redis_timeout": 10.0} | options
            keys = await stack.enter_async_context(APIKeys(ready_sqlite_url, redis, **options))
            await keys.serve()
            return keys

        yield make


@pytest.fixture
async def here(worker: MakeWorker) -> APIKeys:
    """The only worker."""
    keys: APIKeys = await worker()
    return keys
