"""Keys over each database, whose past can be made old, and altered behind the library's back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost import APIKeys
from gatepost.base.trail import LogCheck
from gatepost.database.schema import events

ByHand = Callable[..., Awaitable[None]]

AGE = timedelta(days=500)


@pytest.fixture
async def keys(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database, whose process is no worker: SQLite, PostgreSQL, MariaDB in turn."""
    async with APIKeys(ready_url, usage=False) as keys:
        yield keys


@pytest.fixture
async def sqlite_keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """The same in an SQLite file, where the database makes no difference."""
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        yield keys


@pytest.fixture
async def by_hand(request: pytest.FixtureRequest) -> AsyncIterator[ByHand]:
    """`await by_hand("UPDATE …", name=value)`: statements in one transaction, as whoever can write to the database."""
    names = {"keys": "ready_url", "sqlite_keys": "ready_sqlite_url"}
    of_keys = next(each for each in names if each in request.fixturenames)
    engine: AsyncEngine = create_async_engine(request.getfixturevalue(names[of_keys]))

    async def run(*statements: str, **values: Any) -> None:
        async with engine.begin() as connection:
            for statement in statements:
                query = text(statement)
                await connection.execute(query, {name: values[name] for name in query.compile().params})

    yield run
    await engine.dispose()


async def make_old(keys: APIKeys, to: int | None = None) -> None:
    """As if all changes so far, or those up to one, had been made 500 days ago. Before they are sealed."""
    which = [] if to is None else [events.c.seq <= to]
    async with keys._database._writing("") as connection:
        await connection.execute(update(events).where(*which).values(at=datetime.now(UTC) - AGE))
        await connection.commit()


def long_ago() -> datetime:
    """Later than what was made old."""
    return datetime.now(UTC) - AGE / 2


def told(check: LogCheck) -> list[tuple[str, int, int]]:
    """What is wrong."""
    return [(flaw.kind, flaw.seq, flaw.until) for flaw in check.flaws]


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it does."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - of whatever
            await asyncio.sleep(0.001)
