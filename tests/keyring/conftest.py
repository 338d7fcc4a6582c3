"""Keys over each database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gatepost import APIKeys
from gatepost.database import Event
from gatepost.database.connecting.engine import changing
from gatepost.database.schema.tables import secrets


@pytest.fixture
async def keys(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database: SQLite, PostgreSQL, MariaDB in turn."""
    keys = APIKeys(ready_url, poll_interval=0.1, max_staleness=300)
    async with keys:
        yield keys


@pytest.fixture
async def sqlite_keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file, where the database makes no difference."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


async def logged(keys: APIKeys, first: int, last: int) -> list[Event]:
    """The events of seqs `first` (its first one only) to `last`, as workers read them, two at a time."""
    return [event async for page in keys._database.read_events(first, last, 2) for event in page]


async def end_every_grace(keys: APIKeys, key_id: str) -> None:
    """As if the grace of the key's older secrets had run out long ago. Workers hear of it at their next poll."""
    older = update(secrets).where(secrets.c.key_id == key_id, secrets.c.expires_at.is_not(None))
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(older.values(expires_at=datetime.now(UTC) - timedelta(days=1)))


def let_pass(keys: APIKeys, seconds: float) -> None:
    """As if the database's clock had gone on by so much: until the next poll, which learns what it is."""
    keys._opened().freshness.offset += seconds


def take_foreign(keys: APIKeys) -> None:
    """Let keys be imported from here on, as `foreign_secrets=True` does."""
    keys._parts.settings = replace(keys._parts.settings, foreign_secrets=True)
