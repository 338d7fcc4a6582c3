"""A failover of PostgreSQL: the primary dies, its hot standby is promoted, and the URL names both."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from sqlalchemy import make_url

from gatepost import APIKeys, Outcome, UnavailableError
from tests.conftest import started
from tests.database.test_replicas import caught_up
from tests.servers.databases import execute
from tests.servers.postgres import PostgresServer, postgres_server, postgres_standby

T = TypeVar("T")


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its hot standby, for one test: it is over for the primary."""
    with started(postgres_server) as primary, postgres_standby(primary) as standby:
        yield primary, standby


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, once there is a database to give it."""
    while True:
        try:
            return await ask()
        except UnavailableError:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_the_url_of_both_leads_to_the_one_that_was_promoted_and_no_dead_key_lives_again(
    pair: tuple[PostgresServer, PostgresServer], driver: str
) -> None:
    primary, standby = pair
    folders = [make_url(server.url).query["host"] for server in pair]
    url = f"postgresql+{driver}://postgres@/postgres?host={','.join(map(str, folders))}&target_session_attrs=read-write"
    await APIKeys(url).create_schema()
    async with APIKeys(url) as admin, APIKeys(url, poll_interval=0.1, max_staleness=2.0, read_timeout=5.0) as worker:
        await worker.serve()
        kept, dead = await admin.create("kept"), await admin.create("dead")
        for issued in (kept, dead):
            assert (await worker.verify(issued.secret)).valid
        assert (await admin.deactivate(dead.key.id)).propagation.complete
        await caught_up(primary.url, standby.url)
        primary.kill()
        for fresh in (False, True):
            with contextlib.suppress(UnavailableError):
                assert (await worker.verify(dead.secret, fresh=fresh)).outcome is Outcome.DEACTIVATED
        await execute(standby.url, "SELECT pg_promote()")

        verdict = await answered(lambda: worker.verify(kept.secret, fresh=True))
        assert verdict.valid, "a good key is never refused"
        assert (await worker.verify(dead.secret)).outcome is Outcome.DEACTIVATED
        while not worker._opened().freshness.holds():  # noqa: ASYNC110 - time passes
            await asyncio.sleep(0.05)
        assert (await worker.verify(kept.secret)).valid
        receipt = await answered(lambda: admin.deactivate(kept.key.id))  # its pool may hold a dead connection yet
        assert receipt.propagation.complete
        assert (await worker.verify(kept.secret)).outcome is Outcome.DEACTIVATED
