"""Exact totals: four real workers under load, whose connections to the database are cut again and again, in the middle
of what they write."""

import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx2
import orjson
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, Outcome
from gatepost.database.doorbell.notifications import CHANNEL
from tests.servers.child import running
from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
WORKERS = 4
REQUESTS = 60
"""Of each of the keys, to each of the workers, and more until enough was cut."""

CUTS = 10
"""Transactions that are ended while they are under way, at least."""


CUT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
)
"""Ends the connections that are in a transaction, but its own; answers how many they were."""


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

    async def keep_cutting() -> None:
        while not over.is_set():  # a driver whose connection is cut can lose a cancellation
            with suppress(Exception):  # a driver's own too: whatever becomes of one try, the next one cuts
                async with engine.connect() as connection:
                    cut.append(await connection.scalar(CUT) or 0)
            await asyncio.sleep(random.uniform(0, 0.01))

    over = asyncio.Event()
    task = asyncio.create_task(keep_cutting())
    try:
        yield cut
    finally:
        over.set()
        await task
        await engine.dispose()


async def test_four_workers_whose_writing_is_cut_again_and_again_count_every_request_once(
    ready_postgres_url: str,
) -> None:
    database = ready_postgres_url
    async with APIKeys(database) as keys:
        issued = [await keys.create(f"key {number}") for number in range(3)]
        with ExitStack() as stack:
            origins = [stack.enter_context(worker(database))[0] for _ in range(WORKERS)]

            async def load(origin: str, secret: str) -> tuple[int, int]:
                limits = httpx2.Limits(max_connections=4)
                async with httpx2.AsyncClient(timeout=120, limits=limits) as client:
                    good = sent = 0
                    for number in count():
                        if number >= REQUESTS and sum(cut) > CUTS:
                            break
                        sent += 1
                        headers = {"X-API-Key": secret}
                        answer = await client.get(f"{origin}/things/{number}", headers=headers)
                        good += answer.status_code == 200
                    return good, sent

            async with AsyncExitStack() as faults:
                cut = await faults.enter_async_context(cutting(database))
                loads = [load(origin, each.secret) for each in issued for origin in origins]
                answered = await asyncio.gather(*loads)
        # each worker has been told to end, and has written what was left
        for number, each in enumerate(issued):
            lines = await keys.usage(each.key.id, by=("route", "outcome"))
            found = {(line.route, line.outcome): line.count for line in lines}
            good, sent = map(sum, zip(*answered[number * WORKERS : (number + 1) * WORKERS], strict=True))
            assert found.pop(("/things/{id}", Outcome.VALID)) == good, "each once"
            rest = sent - good
            assert found == ({("", Outcome.UNAVAILABLE): rest} if rest else {}), "cut while it was looked up"
            assert good > WORKERS * REQUESTS / 2
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


FAILING = (
    "CREATE SEQUENCE commits",
    """CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('commits') % 4 = 0 THEN RAISE EXCEPTION 'this commit fails'; END IF; RETURN NULL; END $$""",
    """CREATE CONSTRAINT TRIGGER fail_commit AFTER INSERT ON gatepost_usage_batches
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_commit()""",
)
"""Every fourth commit of a batch fails: the trigger fires as it commits, and the sequence keeps what it has counted."""

COMMITS = 24
"""Batches that are to be committed, at least, a fourth of them in vain."""


@asynccontextmanager
async def ringing(database: str) -> AsyncIterator[list[str]]:
    """Each time that workers are told of a change."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    rings: list[str] = []
    await connection.add_listener(CHANNEL, lambda *told: rings.append(told[-1]) if not told[-1] else None)
    try:
        yield rings
    finally:
        await connection.close()


async def test_a_hundred_thousand_requests_are_each_counted_once_while_flushes_are_killed_and_commits_fail(
    ready_postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database = ready_postgres_url
    async with APIKeys(database, max_staleness=600) as keys, AsyncExitStack() as stack:
        able = await keys.create("able", ["FILE_UPLOAD"])
        unable = await keys.create("unable")
        off = await keys.create("off", ["FILE_UPLOAD"], active=False)
        rotated = await keys.rotate(able.key.id, grace=3600)
        secrets = {"old": able.secret, "able": rotated.secret, "unable": unable.secret, "off": off.secret}
        ids = {"old": able.key.id, "able": able.key.id, "unable": unable.key.id, "off": off.key.id}
        before = await estate(keys)
        rings = await stack.enter_async_context(ringing(database))
        command = (sys.executable, "-m", "tests.usage.driver")
        drivers = [
            await stack.enter_async_context(running(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, env=os.environ))
            for _ in range(WORKERS)
        ]
        await tell(drivers, {"database": database, "secrets": secrets})
        await heard(drivers)
        async with keys._database.engine.begin() as connection:
            for statement in FAILING:
                await connection.execute(text(statement))
        await tell(drivers, "begin")
        cut, commits = await cut_between_commits(database)
        await tell(drivers, "enough")
        await heard(drivers)
        async with keys._database.engine.begin() as connection:
            await connection.execute(text("DROP TRIGGER fail_commit ON gatepost_usage_batches"))
        await tell(drivers, "end")
        made: Counter[tuple[str, ...]] = Counter()
        for told in await heard(drivers):
            for name, route, outcome, number in told:
                made[ids[name], "old" if name == "old" else "current", route, outcome] += number
        counted: Counter[tuple[str, ...]] = Counter()
        for key_id in set(ids.values()):
            for line in await keys.usage(key_id, by=("secret", "route", "outcome")):
                counted[key_id, str(line.secret_state), line.route or "", str(line.outcome)] += line.count
        assert counted == made
        assert made.total() >= 100_000
        assert {outcome for *_, outcome in made} == {"valid", "permission_denied", "key_deactivated"}
        assert await estate(keys) == before, "nothing in the change log, and no key is another"
        assert rings == [], "no worker was woken"
        with capsys.disabled():
            print(f"\n{made.total()} requests, {cut} transactions killed, {commits // 4} commits failed", end="")


async def estate(keys: APIKeys) -> object:
    """All that a use must not change."""
    position = await keys._database.read_position()
    listed = [(key.id, key.updated_at, key.version) for key in (await keys.list()).items]
    return position.seq, position.nonce, listed, (await keys.events()).items


async def cut_between_commits(database: str) -> tuple[int, int]:
    """End transactions, and let batches come as far as to commit in between, as often as is wanted; how many were
    ended, and how many came so far."""
    engine = create_async_engine(database, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    come = text("SELECT last_value FROM commits")
    cut = commits = 0
    async with engine.connect() as connection:
        while cut < CUTS or commits < COMMITS:
            cut += await connection.scalar(CUT) or 0
            before = commits
            while commits <= before:
                await asyncio.sleep(random.uniform(0, 0.05))
                commits = await connection.scalar(come) or 0
    await engine.dispose()
    return cut, commits


async def tell(drivers: Sequence[Process], what: object) -> None:
    """A line to each."""
    for driver in drivers:
        assert driver.stdin is not None
        driver.stdin.write(orjson.dumps(what) + b"\n")
        await driver.stdin.drain()


async def heard(drivers: Sequence[Process]) -> list[Any]:
    """A line of each."""
    lines = []
    for driver in drivers:
        assert driver.stdout is not None
        lines.append(orjson.loads(await driver.stdout.readline()))
    return lines
