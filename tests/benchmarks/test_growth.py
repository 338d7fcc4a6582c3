"""Very many keys, at a tiny size: those that PostgreSQL makes are usable, and the scenarios tell what they are to."""

import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from benchmarks.measured import Table
from benchmarks.rounds import Plan
from benchmarks.scenarios import footprint, growth
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks import population
from gatepost import APIKeys, Outcome

KEYS = 1_200
SMALL, LARGE = 100, 300

CONTESTANTS = (footprint.FROM_DATABASE, footprint.FROM_REDIS, footprint.BY_HAND, footprint.BY_HAND_SHARED)

SCHEMA = """
    SELECT pg_get_indexdef(indexrelid) AS part FROM pg_index WHERE indrelid::regclass::text LIKE 'gatepost%'
    UNION ALL
    SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated::text FROM pg_constraint
    WHERE conrelid::regclass::text LIKE 'gatepost%'
    UNION ALL
    SELECT pg_get_triggerdef(oid) || ' ' || tgenabled::text FROM pg_trigger
    WHERE tgrelid::regclass::text LIKE 'gatepost%'
    ORDER BY part
"""


class Tiny(Plan):
    """Enough to see that it works."""

    def pick(self, whole: int, quick: int) -> int:  # noqa: ARG002 - of the plan
        return max(1, quick // 20)


PLAN = Tiny(quick=True, tell=lambda _: None)


async def schema(url: str) -> Sequence[Any]:
    """Every index, constraint and trigger of gatepost's tables."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return (await connection.scalars(text(SCHEMA))).all()
    finally:
        await engine.dispose()


async def test_keys_that_postgresql_makes_are_let_in_and_others_are_not(ready_postgres_url: str) -> None:
    before = await schema(ready_postgres_url)
    await population.fill(ready_postgres_url, KEYS)
    assert await schema(ready_postgres_url) == before, "the schema is as it was"
    async with APIKeys(ready_postgres_url, **population.STILL) as keys:
        await population.read_all(keys, range(KEYS))
        assert keys._opened().lookup.sizes().keys == KEYS
        assert (await keys.judge(population.secret(KEYS)))[0] is Outcome.INVALID
        for number in (0, 7, KEYS - 1):
            outcome, key = await keys.judge(population.secret(number))
            assert outcome is Outcome.VALID
            assert key is not None
            assert key.id == population.key_id(number)
            assert key.permissions == set(population.PERMISSION_SETS[number % 6].split())
        assert (await keys._database.read_position()).seq == KEYS, "no change by hand was seen"


async def test_keys_that_postgresql_makes_can_be_managed_as_others_are(ready_postgres_url: str) -> None:
    await population.fill(ready_postgres_url, SMALL)
    async with APIKeys(ready_postgres_url, **population.STILL) as keys:
        await population.read(keys, [3, 4])
        await keys.deactivate(population.key_id(3))
        await keys.delete(population.key_id(4))
        outcomes = [(await keys.judge(population.secret(number)))[0] for number in (3, 4, 5)]
    assert outcomes == [Outcome.DEACTIVATED, Outcome.INVALID, Outcome.VALID]


async def test_a_key_that_is_not_let_in_is_no_figure(ready_postgres_url: str) -> None:
    await population.fill(ready_postgres_url, SMALL)
    async with APIKeys(ready_postgres_url, **population.STILL) as keys:
        with pytest.raises(RuntimeError, match="1 of 2 keys are not let in"):
            await population.read(keys, [SMALL - 1, SMALL])


async def test_growth_tells_of_each_tier_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "QUICK", (SMALL, LARGE))
    memory, redis, database = await growth.measure(PLAN)
    sizes = {SMALL, LARGE}
    assert places(memory) == {
        (name, keys)
        for name in (growth.GATEPOST, growth.GATEPOST_REQUEST, growth.BY_HAND, growth.BY_HAND_REQUEST)
        for keys in sizes
    }
    for table in (redis, database):
        assert places(table) == {(name, keys) for name in (growth.ALONE, growth.TOGETHER) for keys in sizes}
    for table in (memory, redis, database):
        assert all(0 < run < 1e6 for series in table.series for run in series.runs), "microseconds"
        assert {(ratio.at, ratio.to_at) for ratio in table.ratios} == {(LARGE, SMALL)}
        assert any(ratio.limit == growth.LIMIT for ratio in table.ratios)


def test_sizes_that_the_disk_has_no_room_for_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage
    free = growth.SPARE_BYTES + 2_000 * population.BYTES_PER_KEY
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=free))
    assert growth._fitting((1_000, 10_000, 100_000)) == ((1_000,), (10_000, 100_000))


async def test_footprint_weighs_what_a_worker_remembers(ready_postgres_url: str, redis_url: str) -> None:
    await population.fill(ready_postgres_url, KEYS)
    task = {"keys": KEYS, "database": ready_postgres_url, "redis": redis_url}
    found = await footprint._remember({"contestant": footprint.FROM_DATABASE, **task})
    assert 100 < found["redis_bytes"] < 1_000
    assert {"record", "digest", "content"} <= found["parts"].keys()
    await footprint._remember({"contestant": footprint.FROM_REDIS, **task})
    with pytest.raises(RuntimeError, match="asked for"):  # all of them are in Redis now
        await footprint._remember({"contestant": footprint.FROM_DATABASE, **task})


async def test_footprint_tells_of_a_new_process() -> None:
    found = await footprint._in_new_process({"contestant": footprint.BY_HAND, "keys": 20_000})
    assert 100 < found["bytes"] < 5_000
    table = footprint._process_table(20_000, {name: {"bytes": 505.0, "parts": {}} for name in CONTESTANTS})
    assert [series.name for series in table.series] == list(CONTESTANTS)
    assert [series.holds for series in table.series] == [False, False, None, None]


def places(table: Table) -> set[tuple[str, float | None]]:
    """Which contestants were measured, and where."""
    return {(series.name, series.at) for series in table.series if series.runs}
