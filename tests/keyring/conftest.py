"""Keys over each database."""

from collections.abc import AsyncIterator

import pytest

from gatepost import APIKeys


@pytest.fixture
async def keys(database_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database: SQLite, PostgreSQL, MariaDB in turn."""
    keys = APIKeys(database_url, poll_interval=0.1, max_staleness=5)
    await keys.create_schema()
    async with keys:
        yield keys


@pytest.fixture
async def sqlite_keys(sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file, where the database makes no difference."""
    async with APIKeys(sqlite_url, poll_interval=0.1, max_staleness=5) as keys:
        yield keys
