"""From URLs and users' engines to connections."""

import asyncio
import re
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import event, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, BadInputError, ImportedKey, Outcome, UnavailableError
from gatepost.database.connecting.url import parse_url
from gatepost.database.schema import tables
from gatepost.database.schema.batches import one_of


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///a.db", "sqlite+aiosqlite"),
        ("postgresql://host/name", "postgresql+asyncpg"),
        ("postgres://host/name", "postgresql+asyncpg"),
        ("mysql://host/name", "mysql+asyncmy"),
        ("mariadb://host/name", "mariadb+asyncmy"),
        ("mysql+aiomysql://host/name", "mysql+aiomysql"),
    ],
)
def test_a_url_gets_an_async_driver_unless_it_names_one(given: str, driver: str) -> None:
    assert parse_url(given).drivername == driver


@pytest.mark.parametrize("given", ["nonsense", "", "oracle://host/name", "http://host"])
async def test_what_is_no_database_url_is_refused_with_examples(given: str) -> None:
    with pytest.raises(BadInputError, match="database"):
        await APIKeys(given).open()


async def test_a_password_in_a_wrong_url_is_not_repeated() -> None:
    with pytest.raises(BadInputError) as raised:
        await APIKeys("user:hunter2@host").open()
    assert "hunter2" not in str(raised.value)


async def test_an_engine_of_the_user_is_used_in_autocommit_and_left_open(database_url: str) -> None:
    engine = create_async_engine(database_url)
    keys = APIKeys(engine, poll_interval=0.1, max_staleness=2)
    await keys.create_schema()
    async with keys:
        issued = await keys.create("a key")
        assert (await keys.verify(issued.secret)).valid
        await keys.deactivate(issued.key.id)
        assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1
        assert connection.in_transaction()
    await engine.dispose()


async def test_closing_leaves_no_connection_checked_out(database_url: str) -> None:
    keys = APIKeys(database_url, poll_interval=0.02, max_staleness=2)
    await keys.create_schema()
    for _ in range(5):
        await keys.open()
        await keys.verify((await keys.create("a key")).secret)
        engine = keys._database.engine
        await keys.close()
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("ready_url", ["postgresql", "mariadb"], indirect=True)  # a file ends no connection
@pytest.mark.parametrize("given", ["a URL", "an engine"])
async def test_changes_go_on_after_the_server_has_ended_their_connections(ready_url: str, given: str) -> None:
    end = {
        "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()",
        "mysql": "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = DATABASE() "
        "AND id <> CONNECTION_ID()",
    }
    engine, operator = create_async_engine(ready_url), create_async_engine(ready_url, isolation_level="AUTOCOMMIT")
    async with APIKeys(engine if given == "an engine" else ready_url) as keys, operator.connect() as connection:
        await asyncio.gather(*(keys.create("to have several connections") for _ in range(3)))
        for answer in (await connection.execute(text(end[operator.dialect.name]))).scalars().all():
            if isinstance(answer, str):
                await connection.execute(text(answer))
        refused = 0
        for number in range(8):  # more than there are connections
            try:
                await keys.create(f"key {number}")
            except UnavailableError:
                refused += 1
        assert refused <= 5
        await keys.create("the last")
    await operator.dispose()
    await engine.dispose()


@pytest.mark.parametrize(
    ("module", "url", "extra"),
    [
        ("asyncpg", "postgresql://host/name", "postgres"),
        ("psycopg", "postgresql+psycopg://host/name", "psycopg"),
        ("asyncmy", "mariadb://host/name", "mysql"),
    ],
)
def test_a_missing_driver_is_named_with_the_install_line(module: str, url: str, extra: str) -> None:
    code = f"""
import sys, asyncio
sys.modules[{module!r}] = None
from gatepost import APIKeys, MissingExtraError
try:
    asyncio.run(APIKeys({url!r}).open())
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'gatepost[{extra}]'" in done.stdout
    assert module in done.stdout


async def test_a_lookup_uses_the_primary_key_of_digests(database_url: str) -> None:
    keys = APIKeys(database_url, foreign_secrets=True)
    await keys.create_schema()
    async with keys:
        await keys.import_digests(ImportedKey(digest=n.to_bytes(32), description=f"key {n}") for n in range(2000))
        engine = keys._database.engine
        sent: list[tuple[str, Any]] = []

        def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            sent.append((statement, parameters))

        event.listen(engine.sync_engine, "before_cursor_execute", note)
        await keys._database.read_records([n.to_bytes(32) for n in range(3)])
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        ((statement, parameters),) = sent
        expected = 1 if engine.dialect.name == "postgresql" else 4  # one array, or padded to a power of two
        assert len(parameters) == expected
        explain = {"sqlite": "EXPLAIN QUERY PLAN "}.get(engine.dialect.name, "EXPLAIN ")
        analyze = {"mysql": "ANALYZE TABLE gatepost_secrets, gatepost_keys"}.get(engine.dialect.name, "ANALYZE")
        async with engine.connect() as connection:
            await connection.exec_driver_sql(analyze)
            rows = await connection.exec_driver_sql(explain + statement, parameters)
            plan = "\n".join(str(tuple(row)) for row in rows)
    assert "gatepost_secrets" in plan
    if engine.dialect.name == "mysql":
        assert re.search(r"'gatepost_secrets', 'range', '[^']*', 'PRIMARY'", plan)
    else:
        assert "Seq Scan on gatepost_secrets" not in plan
        assert "SCAN gatepost_secrets" not in plan


async def test_a_plan_of_postgresql_made_for_few_keys_does_for_very_many(postgres_url: str) -> None:
    """`= ANY` of a parameter, in a plan for any parameter, compares each row with each element: the square of the keys.

    The plan must be one that visits each element once, also where it was made while the table was nearly empty.
    """
    keys = APIKeys(postgres_url)
    await keys.create_schema()
    engine = create_async_engine(postgres_url)
    condition = one_of(tables.keys.c.id, ["a"], "postgresql")
    statement = str(update(tables.keys).where(condition).values(active=False).compile(dialect=engine.dialect))
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        await connection.exec_driver_sql(f"PREPARE switch (boolean, varchar[]) AS {statement}")
        rows = await connection.exec_driver_sql("EXPLAIN EXECUTE switch (false, ARRAY['a', 'b'])")
        plan = "\n".join(row[0] for row in rows)
    await engine.dispose()
    assert "Function Scan on unnest" in plan
    assert "= ANY" not in plan
    assert "Seq Scan on gatepost_keys" not in plan or "Hash" in plan, plan
