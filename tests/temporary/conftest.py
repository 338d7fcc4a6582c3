"""Keys over each database, and workers over one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gatepost import APIKeys

MakeWorker = Callable[..., Any]

PAGE = "https://www.example.org"
ORIGIN = "http://app"


@pytest.fixture
async def keys(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database: SQLite, PostgreSQL, MariaDB in turn."""
    async with APIKeys(ready_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


@pytest.fixture
async def sqlite_keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file, where the database makes no difference."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


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
