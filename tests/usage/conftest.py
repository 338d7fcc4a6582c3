"""Keys whose usage is counted, over each database."""

from collections.abc import AsyncIterator

import pytest

from gatepost import APIKeys


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
