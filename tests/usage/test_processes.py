"""Exact totals: four real workers under load, whose connections to the database are cut again and again, in the middle
of what they write."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx2
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, Outcome
from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
WORKERS = 4
REQUESTS = 60
"""Of each of the keys, to each of the workers, and more until enough was cut."""

CUTS = 10
"""Transactions that are ended while they are under way, at least."""


@contextmanager
def worker(database: str) -> Iterator[tuple[str, ServerProcess]]:
    """One worker over a database with the tables."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    environment = [f"PYTHONPATH={ROOT}", f"GATEPOST_TEST_DATABASE={database}"]
    command = [sys.executable, "-m", "uvicorn", "tests.usage.app:app", "--port", str(port), "--log-level", "warning"]
    with server_folder("used") as folder:
        process = ServerProcess(["env", *environment, *command], folder)
        process.wait_until(lambda: _answers(origin))
        try:
            yield origin, process
        finally:
            process.stop()


def _answers(origin: str) -> bool:
    try:
        return httpx2.get(f"{origin}/ready", timeout=120).status_code == 200
    except httpx2.TransportError:
        return False


@asynccontextmanager
async def cutting(database: str) -> AsyncIterator[list[int]]:
    """End what is in a transaction on PostgreSQL all the time meanwhile; answers how many were, each time."""
    engine = create_async_engine(database, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    cut: list[int] = []
    statement = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
    )

    async def keep_cutting() -> None:
        while True:
            with suppress(Exception):  # a driver's own too: whatever becomes of one try, the next one cuts
                async with engine.connect() as connection:
                    cut.append(await connection.scalar(statement) or 0)
            await asyncio.sleep(random.uniform(0, 0.01))

    task = asyncio.create_task(keep_cutting())
    try:
        yield cut
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.dispose()


async def test_four_workers_whose_writing_is_cut_again_and_again_count_every_request_once(
    ready_postgres_url: str,
) -> None:
    database = ready_postgres_url
    async with APIKeys(database) as keys:
        issued = [await keys.create(f"key {number}") for number in range(3)]
        with ExitStack() as stack:
            origins = [stack.enter_context(worker(database))[0] for _ in range(WORKERS)]

            async def load(origin: str, secret: str) -> int:
                limits = httpx2.Limits(max_connections=4)
                async with httpx2.AsyncClient(timeout=120, limits=limits) as client:
                    good = 0
                    for number in count():
                        if number >= REQUESTS and sum(cut) > CUTS:
                            break
                        headers = {"X-API-Key": secret}
                        answer = await client.get(f"{origin}/things/{number}", headers=headers)
                        good += answer.status_code == 200
                    return good

            async with AsyncExitStack() as faults:
                cut = await faults.enter_async_context(cutting(database))
                loads = [load(origin, each.secret) for each in issued for origin in origins]
                answered = await asyncio.gather(*loads)
        # each worker has been told to end, and has written what was left
        for number, each in enumerate(issued):
            lines = await keys.usage(each.key.id, by=("route", "outcome"))
            found = {(line.route, line.outcome): line.count for line in lines}
            mine = answered[number * WORKERS : (number + 1) * WORKERS]
            assert found.pop(("/things/{id}", Outcome.VALID)) == sum(mine), "each once"
            rest = WORKERS * REQUESTS - sum(mine)
            assert found == ({("", Outcome.UNAVAILABLE): rest} if rest else {}), "cut while it was looked up"
            assert sum(mine) > WORKERS * REQUESTS / 2
            assert (await keys.get(each.key.id)).last_used_at is not None


async def test_a_worker_that_is_killed_loses_what_it_has_not_written_and_nothing_else(ready_postgres_url: str) -> None:
    async with APIKeys(ready_postgres_url) as keys:
        issued = await keys.create("a key")
        with worker(ready_postgres_url) as (origin, process):
            headers = {"X-API-Key": issued.secret}
            async with httpx2.AsyncClient(timeout=120) as client:
                for _ in range(20):
                    assert (await client.get(f"{origin}/things/1", headers=headers)).status_code == 200
                while sum(line.count for line in await keys.usage(issued.key.id)) < 20:  # noqa: ASYNC110 - a worker is at work
                    await asyncio.sleep(0.02)
            process.kill()
        [line] = await keys.usage(issued.key.id)
        assert line.count == 20
