"""Making, migrating and refusing tables, over each database."""

import asyncio
import re
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, SchemaError
from gatepost.database.schema.schema import REVISIONS, VERSION_TABLE, alembic_config
from gatepost.database.schema.tables import metadata


def test_the_revisions_that_the_code_names_are_those_of_the_scripts() -> None:
    scripts = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert tuple(script.revision for script in reversed(scripts)) == REVISIONS


def test_the_changelog_says_which_revision_the_tables_are_at() -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    assert re.findall(r"Tables are at revision (\d+)", changelog) == [REVISIONS[-1]]


async def test_the_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    await APIKeys(database_url).create_schema()
    engine = create_async_engine(database_url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_an_index_by_what_a_key_may_lack_holds_those_that_have_it(postgres_url: str) -> None:
    await APIKeys(postgres_url).create_schema()
    engine = create_async_engine(postgres_url)

    def told(connection: Connection) -> list[tuple[str | None, str]]:
        table = inspect(connection)
        may_lack = {column["name"] for column in table.get_columns("gatepost_keys") if column["nullable"]}
        return [
            (each["column_names"][0], str(each["dialect_options"].get("postgresql_where")).strip("()"))
            for each in table.get_indexes("gatepost_keys")
            if each["column_names"][0] in may_lack
        ]

    async with engine.connect() as connection:
        found = await connection.run_sync(told)
    await engine.dispose()
    assert len(found) == 7
    assert [column for column, where in found if where != f"{column} IS NOT NULL"] == ["project"], "by age: of all"


async def test_many_processes_may_make_the_tables_at_once(database_url: str) -> None:
    await asyncio.gather(*(APIKeys(database_url).create_schema() for _ in range(6)))
    async with APIKeys(database_url) as keys:
        await keys.create("a key")
        assert (await keys._database.read_position()).seq == 1


async def test_many_processes_may_make_the_same_sqlite_file_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for the lock that switching a new file to write-ahead logging takes: without trying again
    about one in sixty failed."""
    for number in range(12):
        url = f"sqlite:///{tmp_path}/{number}.db"
        await asyncio.gather(*(APIKeys(url).create_schema() for _ in range(12)))


async def test_making_the_tables_again_keeps_what_is_in_them(database_url: str) -> None:
    keys = APIKeys(database_url)
    await keys.create_schema()
    async with keys:
        issued = await keys.create("a key")
    await keys.create_schema()
    async with keys:
        assert (await keys.verify(issued.secret)).valid


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """An empty database on each server."""
    url: str = request.getfixturevalue(request.param)
    return url


async def test_a_server_without_tables_is_refused_with_the_command_that_makes_them(server_url: str) -> None:
    keys = APIKeys(server_url)
    with pytest.raises(SchemaError, match="gatepost db upgrade"):
        await keys.open()
    assert not keys.is_open
    status = await keys.schema_status()
    assert (status.current, status.needed, status.fits) == (None, REVISIONS[-1], False)


async def test_an_sqlite_file_gets_its_tables_by_itself(sqlite_url: str) -> None:
    async with APIKeys(sqlite_url) as keys:
        assert (await keys.schema_status()).fits


async def test_a_database_newer_than_the_code_is_refused_and_left_alone(database_url: str) -> None:
    keys = APIKeys(database_url)
    await keys.create_schema()
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(SchemaError, match=r"newer than this gatepost.*pip install --upgrade"):
        await keys.open()
    with pytest.raises(SchemaError, match="newer"):
        await keys.create_schema()
    assert (await keys.schema_status()).current == "9999"


async def test_a_database_older_than_the_code_is_refused_with_the_command(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = APIKeys(postgres_url)
    await keys.create_schema()
    monkeypatch.setattr("gatepost.database.schema.schema.REVISIONS", (*REVISIONS, "9999"))
    with pytest.raises(SchemaError, match=rf"revision {REVISIONS[-1]}.*needs 9999.*gatepost db upgrade"):
        await keys.open()


async def test_events_from_before_actors_had_kinds_keep_their_names_and_what_a_key_claims_to_have_made(
    database_url: str,
) -> None:
    """Also those that a worker of the version before writes beside ours, which knows nothing of the new columns."""
    engine = create_async_engine(database_url)
    rows = (
        "INSERT INTO gatepost_events (seq, n, nonce, key_id, kind, actor, at)"
        " VALUES (0, :n, 1, 'madeLongAgo1', 'created', :actor, '2026-01-01 00:00:00')"
    )

    def migrate(connection: Connection) -> None:
        command.upgrade(alembic_config(connection), "0004")

    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        for n, actor in enumerate(["key 4fT0aK9sQ2Lm", "key to my heart", "ann", None], 1):
            await connection.execute(text(rows), {"n": n, "actor": actor})
        await connection.commit()
    await APIKeys(database_url).create_schema()
    async with engine.connect() as connection:
        await connection.execute(text(rows), {"n": 5, "actor": "key 0BzR3nWq81Ye"})
        await connection.commit()
    await engine.dispose()
    async with APIKeys(database_url) as keys:
        made = [event for event in (await keys.events(limit=500)).items if event.kind == "created"]
        assert len(made) == 1, "one line for each key and change"
        assert (made[0].actor, made[0].actor_kind, made[0].actor_id) == ("key 4fT0aK9sQ2Lm", None, "4fT0aK9sQ2Lm")
        engine = keys._database.engine
        async with engine.connect() as connection:
            told = await connection.execute(
                text("SELECT actor_kind, actor_id FROM gatepost_events WHERE n > 0 ORDER BY n")
            )
            claimed = [(None, "4fT0aK9sQ2Lm"), (None, None), (None, None), (None, None), (None, None)]
            assert [tuple(row) for row in told] == claimed


async def test_an_sqlite_database_is_durable_and_lets_readers_and_a_writer_in_together(sqlite_url: str) -> None:
    async with APIKeys(sqlite_url) as keys, keys._database.engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 5000), ("foreign_keys", 1)):
            assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar() == value


async def test_an_sqlite_database_in_memory_works_while_it_is_open() -> None:
    async with APIKeys("sqlite://", poll_interval=0.05, max_staleness=1) as keys:
        made = await asyncio.gather(*(keys.create(f"key {n}") for n in range(5)))
        verdicts = await asyncio.gather(*(keys.verify(issued.secret) for issued in made))
        assert all(verdict.valid for verdict in verdicts)
        await asyncio.sleep(0.2)
        await keys.deactivate(made[0].key.id)
        assert not (await keys.verify(made[0].secret)).valid


async def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    from gatepost import UnavailableError  # noqa: PLC0415

    with pytest.raises(UnavailableError, match="unable to open database file"):
        await APIKeys(f"sqlite:///{tmp_path}/missing/keys.db").open()
    await asyncio.sleep(0.1)  # aiosqlite ends its thread a moment after it has raised
