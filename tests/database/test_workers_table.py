"""What the workers' table answers, on every database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gatepost.base import Worker
from gatepost.database import Database
from gatepost.database.workers import _FOLLOWING, NEVER_ACKED

IDS = [f"{n:032x}" for n in (1, 5, 0x10, 0xA0, 0xFF << 120)]


@pytest.fixture
async def database(ready_url: str) -> AsyncIterator[Database]:
    """With five workers, which came in another order than that of their ids."""
    database = Database(ready_url, timeout=60.0)
    await database.open()
    for worker_id in (IDS[3], IDS[0], IDS[4], IDS[1], IDS[2]):
        await database.workers.join(Worker(worker_id, f"host:{worker_id[-2:]}"), 10.0, datetime.now(UTC))
    yield database
    await database.close()


async def test_the_ring_goes_on_at_its_other_end_and_leaves_out_who_asks(database: Database) -> None:
    for at, worker_id in enumerate(IDS):
        ring = [*IDS[at + 1 :], *IDS[:at]]
        for most in range(1, 7):
            rows = await database.workers.read_after(worker_id, most)
            assert [row.worker.id for row in rows] == ring[:most]
    (row,) = await database.workers.read_after(IDS[4], 1)
    assert (row.worker.name, row.acked_seq, row.max_staleness) == ("host:01", NEVER_ACKED, 10.0)
    assert [row.worker.id for row in await database.workers.read_after("7" * 32, 5)] == [IDS[4], *IDS[:4]]


async def test_what_was_acknowledged_is_told_by_id(database: Database) -> None:
    await database.change(None, lambda change: change.invalidate())
    position = await database.read_position()
    assert await database.workers.renew(IDS[2], position.seq, position.nonce, datetime.now(UTC))
    await database.workers.leave(IDS[0])
    assert await database.workers.read_acked() == {
        **dict.fromkeys((IDS[1], IDS[3], IDS[4]), NEVER_ACKED),
        IDS[2]: position.seq,
    }


async def test_a_watch_goes_through_the_index_and_not_the_table(ready_sqlite_url: str) -> None:
    database = Database(ready_sqlite_url, timeout=60.0)
    await database.open()
    try:
        asked = _FOLLOWING.params(worker=IDS[0], most=32)
        literally = asked.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
        async with database.engine.connect() as connection:
            plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {literally}"))
            steps = [row[3] for row in plan]
    finally:
        await database.close()
    assert [step for step in steps if "gatepost_workers" in step] == [
        "SEARCH gatepost_workers USING INDEX sqlite_autoindex_gatepost_workers_1 (id>?)",
        "SEARCH gatepost_workers USING INDEX sqlite_autoindex_gatepost_workers_1 (id<?)",
    ]
