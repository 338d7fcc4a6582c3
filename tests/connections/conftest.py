"""Workers over one database: changes are made by one, and connections are held by another."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gatepost import APIKeys

MakeWorker = Callable[..., Any]


@pytest.fixture
async def worker(ready_sqlite_url: str) -> AsyncIterator[MakeWorker]:
    """`await worker(**options)`: open keys that serve, over the test's SQLite file."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> APIKeys:
            keys = await stack.enter_async_context(
                APIKeys(ready_sqlite_url, **({"poll_interval": 0.05, "max_staleness": 5.0} | options))
            )
            await keys.serve()
            return keys

        yield make


@pytest.fixture
async def here(worker: MakeWorker) -> APIKeys:
    """Makes the changes."""
    keys: APIKeys = await worker()
    return keys


@pytest.fixture
async def there(worker: MakeWorker) -> APIKeys:
    """Holds the connections."""
    keys: APIKeys = await worker()
    return keys
