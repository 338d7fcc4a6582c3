"""Keys over each database."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gatepost import APIKeys
from gatepost.database.source import Event


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


async def logged(keys: APIKeys, first: int, last: int) -> list[Event]:
    """The events of seqs `first` (its first one only) to `last`, as workers read them, two at a time."""
    return [event async for page in keys._database.read_events(first, last, 2) for event in page]


def take_foreign(keys: APIKeys) -> None:
    """Let keys be imported from here on, as `foreign_secrets=True` does."""
    keys._parts.settings = replace(keys._parts.settings, foreign_secrets=True)
