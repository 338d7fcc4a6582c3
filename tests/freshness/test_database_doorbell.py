"""The database as a doorbell: who changes keys is heard at once where there is no Redis, and nobody relies on it."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys
from gatepost.database.doorbell import Doorbell, notifications, sqlite_file
from gatepost.database.doorbell.sqlite_file import FileWatch
from tests.servers.proxy import proxied

Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(url, serving=True)`: open keys that would hear of nothing by polling while a test runs."""
    async with AsyncExitStack() as stack:

        async def make(database: Any, *, serving: bool = True, **options: Any) -> APIKeys:
            keys = APIKeys(database, poll_interval=150.0, max_staleness=300.0, **options)
            await stack.enter_async_context(keys)
            if serving:
                await keys.serve()
                await heard_by(keys)
            return keys

        yield make


async def seen(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    while not is_so():  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)


async def heard_by(keys: APIKeys) -> None:
    """Wait until a ring would be heard."""
    await seen(lambda: keys._database.doorbell.hears)


@pytest.fixture(params=["sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg"])
def bell_url(request: pytest.FixtureRequest) -> str:
    """A database with tables that rings, by each driver."""
    kind = "ready_sqlite_url" if "sqlite" in request.param else "ready_postgres_url"
    url = make_url(request.getfixturevalue(kind))
    return url.set(drivername=request.param).render_as_string(hide_password=False)


@pytest.fixture(params=["asyncpg", "psycopg"])
def postgres_bell_url(request: pytest.FixtureRequest, ready_postgres_url: str) -> str:
    """PostgreSQL by each driver."""
    url = make_url(ready_postgres_url).set(drivername=f"postgresql+{request.param}")
    return url.render_as_string(hide_password=False)


async def test_a_change_is_heard_of_long_before_the_next_poll(start: Start, bell_url: str) -> None:
    admin = await start(bell_url, serving=False)
    workers = [await start(bell_url) for _ in range(3)]
    for _ in range(3):
        issued = await admin.create("a key")
        for worker in workers:
            assert (await worker.verify(issued.secret)).valid
        propagation = (await admin.deactivate(issued.key.id, timeout=100.0)).propagation
        assert propagation.complete
        assert {each.name for each in propagation.acknowledged} == {w._opened().freshness.worker.name for w in workers}
        for worker in workers:
            assert (await worker.verify(issued.secret)).outcome == "key_deactivated"


async def test_lookups_that_begin_to_serve_together_begin_to_listen_once(
    start: Start, bell_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await start(bell_url, serving=False)
    begun: list[str] = []
    create_task = asyncio.create_task

    def noted(work: Any, **options: Any) -> asyncio.Task[Any]:
        begun.append(getattr(work, "__name__", ""))
        return create_task(work, **options)

    monkeypatch.setattr(asyncio, "create_task", noted)
    issued = await keys.create("a key")
    assert all(verdict.valid for verdict in await asyncio.gather(*[keys.verify(issued.secret) for _ in range(20)]))
    assert len([name for name in begun if name in {"_keep_listening", "_keep_looking"}]) == 1


async def test_a_change_by_hand_in_sql_is_heard_of_on_sqlite(start: Start, ready_sqlite_url: str) -> None:
    worker = await start(ready_sqlite_url)
    issued = await worker.create("a key")
    assert (await worker.verify(issued.secret)).valid
    with contextlib.closing(sqlite3.connect(make_url(ready_sqlite_url).database or "")) as connection, connection:
        connection.execute("UPDATE gatepost_keys SET active = 0")
    while (await worker.verify(issued.secret)).valid:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)


async def test_what_other_tables_hold_rings_nobody_on_sqlite(ready_sqlite_url: str) -> None:
    path = Path(make_url(ready_sqlite_url).database or "")
    watch = FileWatch(path)
    watch._look()
    assert watch.nudged.is_set(), "a change may have been missed before"
    watch.nudged.clear()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement, rings in (
            ("CREATE TABLE others (n INTEGER)", False),
            ("INSERT INTO others VALUES (1)", False),
            ("UPDATE gatepost_workers SET acked_seq = 0", False),
            ("UPDATE gatepost_counter SET seq = seq + 1", True),
            ("UPDATE gatepost_counter SET nonce = 7", True),
        ):
            with connection:
                connection.execute(statement)
            watch._look()
            assert watch.nudged.is_set() is rings, statement
            watch.nudged.clear()
            watch._look()
            assert not watch.nudged.is_set()
    await watch.close()


@pytest.mark.parametrize(
    ("code", "is_busy"),
    [(sqlite3.SQLITE_BUSY, True), (sqlite3.SQLITE_BUSY | 1 << 8, True), (sqlite3.SQLITE_IOERR, False)],
)
def test_who_finds_the_file_busy_looks_again_soon(code: int, is_busy: bool) -> None:
    failure = sqlite3.OperationalError("it is")
    failure.sqlite_errorcode = code
    assert sqlite_file._is_busy(failure) is is_busy
    assert not sqlite_file._is_busy(sqlite3.ProgrammingError("of Python's module: it has no code"))


async def test_a_file_that_is_away_for_a_while_is_watched_again(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_file, "RETRY_SECONDS", 0.01)
    path = Path(make_url(ready_sqlite_url).database or "")
    watch = FileWatch(path)
    watch.listen()
    await watch.nudged.wait()
    aside = path.rename(path.with_name("aside.db"))  # noqa: ASYNC240
    await seen(lambda: not watch.hears)
    assert watch.fault == "OperationalError: unable to open database file"
    await asyncio.sleep(0.05)
    assert caplog.text.count("heard of only at the next poll") == 1
    watch.nudged.clear()
    aside.rename(path)
    await watch.nudged.wait()
    assert watch.hears
    assert watch.fault is None
    await watch.close()
    assert not watch.hears


async def test_an_sqlite_database_in_memory_and_mariadb_have_none(ready_mariadb_url: str) -> None:
    for url in ("sqlite:///:memory:", ready_mariadb_url):
        async with APIKeys(url) as keys:
            await keys.serve()
            assert type(keys._database.doorbell) is Doorbell
            issued = await keys.create("a key")
            assert (await keys.deactivate(issued.key.id)).propagation.complete


async def backends(admin: APIKeys, where: str) -> list[int]:
    """Process ids of the server's other connections to this database."""
    query = (
        f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {where}"
    )
    async with admin._database.engine.connect() as connection:
        return list(await connection.scalars(text(query)))


LISTENING = "query LIKE 'LISTEN%' OR query = 'SELECT 1'"


async def test_a_connection_that_is_ended_is_made_anew_and_what_was_missed_is_polled_for(
    start: Start, postgres_bell_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifications, "RETRY_SECONDS", (0.01, 0.01))
    admin, worker = await start(postgres_bell_url, serving=False), await start(postgres_bell_url)
    issued = await admin.create("a key")
    assert (await worker.verify(issued.secret)).valid
    [pid] = await backends(admin, LISTENING)
    async with admin._database.engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({pid})"))
    while await backends(admin, LISTENING) in ([pid], []):  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)
    await heard_by(worker)
    assert (await admin.deactivate(issued.key.id, timeout=100.0)).propagation.complete
    assert "heard of at once again" in caplog.text


async def test_a_connection_that_has_gone_silent_is_found_and_made_anew(
    start: Start, postgres_bell_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(notifications, "RETRY_SECONDS", (0.01, 0.01))
    admin = await start(postgres_bell_url, serving=False)
    url = make_url(postgres_bell_url)
    async with proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        worker = await start(through)
        proxy.stall()
        await seen(lambda: not worker._database.doorbell.hears)
        proxy.flow()
        await heard_by(worker)
        issued = await admin.create("a key")
        assert (await admin.deactivate(issued.key.id, timeout=100.0)).propagation.complete


async def test_a_database_that_does_not_answer_the_first_question_is_given_up(
    postgres_bell_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(notifications, "pooling_of", never)
    async with APIKeys(postgres_bell_url, read_timeout=0.5) as keys:
        await keys.serve()
        await seen(lambda: keys._database.doorbell.fault is not None)
        assert "no answer within 1 s" in str(keys._database.doorbell.fault)


async def test_who_hears_nothing_of_its_own_ring_says_why_and_polls(
    postgres_bell_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a pooler that is not known for one: those of pgbouncer are in `tests/database/test_poolers.py`."""
    monkeypatch.setattr(notifications, "RING", text("SELECT :channel, :payload"))
    async with APIKeys(postgres_bell_url, poll_interval=0.1, read_timeout=0.5) as keys:
        await keys.serve()
        bell = keys._database.doorbell
        await seen(lambda: "a pooler may be in between" in (bell.fault or ""))  # a slow machine is a fault before that
        assert not bell.hears
        issued = await keys.create("a key")
        assert (await keys.deactivate(issued.key.id)).propagation.complete
    said = [line for line in caplog.messages if "a pooler may be in between" in line]
    assert len(said) == 1, said
    assert "but at the next poll" in said[0]


async def test_the_pool_keeps_its_connections_and_none_is_left_open(postgres_bell_url: str) -> None:
    engine = create_async_engine(postgres_bell_url, pool_size=1, max_overflow=0)
    observer = create_async_engine(postgres_bell_url)
    async with APIKeys(engine) as keys:
        await keys.serve()
        await heard_by(keys)
        issued = await keys.create("a key")
        assert (await keys.deactivate(issued.key.id)).propagation.complete
        await seen(lambda: "Connections in pool: 1 " in engine.pool.status())  # a poll gives it back
    await engine.dispose()
    async with observer.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while await connection.scalar(text(query)):
            await connection.rollback()
            await asyncio.sleep(0.01)
    await observer.dispose()


async def test_a_ring_that_fails_is_a_warning_and_the_change_stands(
    postgres_bell_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifications, "RING", text("SELECT nothing_of_this_name(:channel, :payload)"))
    async with APIKeys(postgres_bell_url) as keys:
        issued = await keys.create("a key")
        assert (await keys.deactivate(issued.key.id)).propagation.complete
    assert "only at their next poll" in caplog.text


async def test_a_ring_is_one_statement_in_a_transaction_of_its_own(postgres_bell_url: str) -> None:
    async with APIKeys(postgres_bell_url) as keys:
        statements: list[str] = []

        @event.listens_for(keys._database.engine.sync_engine, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        issued = await keys.create("a key")
        [ring] = [each for each in statements if "pg_notify" in each]
        assert statements.index(ring) > max(n for n, each in enumerate(statements) if "INSERT" in each)
        statements.clear()
        await keys._database.doorbell.nudge()
        assert statements == [ring]
        assert issued.key.active
