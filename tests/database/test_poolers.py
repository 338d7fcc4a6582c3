"""Through pgbouncer in both of its modes, with each driver, and what is said of a pooler."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, BadInputError, Outcome, UnavailableError
from gatepost.database.connecting import Pooling, parse_url, pooling_of
from gatepost.database.connecting.url import to_driver
from gatepost.database.database import Database
from tests.conftest import started
from tests.servers.databases import Databases
from tests.servers.pgbouncer import Pgbouncer, pgbouncer, pgbouncer_program
from tests.servers.proxy import proxied

MODES = ("session", "transaction")
DRIVERS = ("postgresql", "postgresql+psycopg")
CONNECTIONS = {"session": "80", "transaction": "3"}
"""To the server: in session mode one for each of the workers' own, in transaction mode fewer than there are workers."""

WORKERS = 4
ROUNDS = 15
READS = 3
"""Of each worker, before a key is switched off and after it: 90 in all."""


@dataclass(frozen=True)
class Poolers:
    """Starts one for a mode, and keeps it for the module."""

    of: Callable[..., Pgbouncer]

    def url(self, database: str, mode: str, driver: str = "postgresql", **settings: str) -> str:
        """A URL of that database through a pooler in that mode. `database`: SQLAlchemy's URL of it."""
        name = make_url(database).database
        assert name is not None
        return self.of(mode, **settings).url(name, driver)


@pytest.fixture(scope="module")
def poolers(postgres_server_url: str) -> Iterator[Poolers]:
    """pgbouncers before the session's PostgreSQL."""
    if "host" not in make_url(postgres_server_url).query:
        pytest.skip("TEST_DATABASE_URL has no unix socket to put pgbouncer in front of")
    running: dict[Any, Pgbouncer] = {}
    with ExitStack() as stack:

        def of(mode: str, **settings: str) -> Pgbouncer:
            wanted = {"pool_mode": mode, "default_pool_size": CONNECTIONS.get(mode, "")} | settings
            asked = tuple(sorted(wanted.items()))
            if asked not in running or not running[asked].process.running:  # seen once: gone between two tests
                running[asked] = stack.enter_context(started(lambda: pgbouncer(postgres_server_url, **wanted)))
            return running[asked]

        yield Poolers(of)


async def work(workers: Sequence[APIKeys], number: int) -> None:
    """One worker makes a key, all check it, one lists and switches it off, all check it again."""
    maker, ender = workers[number % len(workers)], workers[(number + 1) % len(workers)]
    issued = await maker.create(f"key {number}", ["FILE_UPLOAD"])

    async def look(worker: APIKeys, outcome: Outcome) -> None:
        for _ in range(READS):
            assert (await worker.verify(issued.secret, fresh=True)).outcome is outcome

    await asyncio.gather(*[look(worker, Outcome.VALID) for worker in workers])
    assert issued.key.id in {key.id for key in (await ender.list(limit=10)).items}
    assert (await ender.deactivate(issued.key.id)).propagation.complete
    for worker in workers:
        assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    await asyncio.gather(*[look(worker, Outcome.DEACTIVATED) for worker in workers])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("driver", DRIVERS)
async def test_several_workers_do_all_that_they_do_through_a_pooler_many_times(
    ready_postgres_url: str, poolers: Poolers, mode: str, driver: str
) -> None:
    url = poolers.url(ready_postgres_url, mode, driver)
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"poll_interval": 0.05, "max_staleness": 60.0, "read_timeout": 30.0}
        workers = [await stack.enter_async_context(APIKeys(url, **options)) for _ in range(WORKERS)]
        for worker in workers:
            await worker.serve()
        for number in range(ROUNDS):
            await work(workers, number)
        for worker in workers:
            assert await worker._database.pooling() == mode
        assert (await workers[0].count(active=False)).number == ROUNDS


@pytest.mark.parametrize("driver", DRIVERS)
async def test_notifications_are_heard_in_session_mode_and_polled_for_in_transaction_mode(
    ready_postgres_url: str, poolers: Poolers, driver: str
) -> None:
    for mode in MODES:
        async with APIKeys(poolers.url(ready_postgres_url, mode, driver), poll_interval=0.1) as keys:
            await keys.serve()
            bell = keys._database.doorbell
            while not bell.hears and bell.fault is None:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.01)
            codes = {finding.code for finding in (await keys.status()).findings}
            if mode == "session":
                assert bell.hears
                assert "doorbell_deaf" not in codes
            else:
                assert "a pooler in transaction mode keeps no LISTEN" in str(bell.fault)
                assert "doorbell_deaf" in codes
            issued = await keys.create("a key")
            assert (await keys.deactivate(issued.key.id)).propagation.complete


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("driver", DRIVERS)
async def test_four_make_the_tables_at_once_through_a_pooler(
    postgres_databases: Databases, poolers: Poolers, mode: str, driver: str
) -> None:
    databases = [await asyncio.to_thread(postgres_databases.create) for _ in range(3)]
    for database in databases:
        url = poolers.url(database, mode, driver)
        await asyncio.gather(*[APIKeys(url, read_timeout=60.0).create_schema() for _ in range(4)])
        status = await APIKeys(url).schema_status()
        assert (status.fits, status.triggers) == (True, True)
        async with APIKeys(url) as keys:
            assert (await keys.verify((await keys.create("a key")).secret)).valid
        await asyncio.to_thread(postgres_databases.drop, database)


async def prepared(keys: APIKeys) -> list[str]:
    """The names of the statements that one connection of these keys has prepared, after some lookups."""
    issued = await keys.create("a key")
    for _ in range(3):
        assert (await keys.verify(issued.secret, fresh=True)).valid
    async with keys._database._reading("Looking") as connection:
        found = await connection.execute(text("SELECT name FROM pg_prepared_statements WHERE name <> ''"))
        return list(found.scalars())


async def test_without_a_pooler_statements_stay_prepared_and_only_a_connection_is_asked_where_it_leads(
    ready_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415

    asked: list[str] = []
    plain = asyncpg.Connection.execute

    async def execute(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        if "pg_backend_pid" in query:
            asked.append(query)
        return await plain(self, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    async with APIKeys(ready_postgres_url, poll_interval=60, max_staleness=300) as keys:
        made: list[object] = []
        event.listen(keys._database.engine.sync_engine, "connect", lambda *each: made.append(each))
        opened = len(asked)
        assert opened == 1
        assert len(await prepared(keys)) >= 2
        await asyncio.gather(*[keys.ping() for _ in range(20)])
        assert len(asked) == opened + len(made)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_through_a_pooler_nothing_is_prepared_by_name(
    ready_postgres_url: str, poolers: Poolers, driver: str
) -> None:
    url = poolers.url(ready_postgres_url, "transaction", driver, default_pool_size="1")
    async with APIKeys(url) as keys:
        for _ in range(5):
            assert await prepared(keys) == []


async def test_an_address_that_leads_to_a_pooler_later_and_back_goes_on(
    ready_postgres_url: str, poolers: Poolers
) -> None:
    socket = f"{make_url(ready_postgres_url).query['host']}/.s.PGSQL.5432"
    through = make_url(poolers.url(ready_postgres_url, "transaction"))
    assert through.port is not None
    async with proxied(socket) as proxy:
        url = through.set(port=proxy.port).render_as_string(hide_password=False)
        async with APIKeys(url) as keys:
            assert await prepared(keys)
            proxy.lead_to(("127.0.0.1", through.port))
            while await pooling_after_a_cut(keys) is not Pooling.TRANSACTION:
                pass
            assert await prepared(keys) == []
            proxy.lead_to(socket)
            while await pooling_after_a_cut(keys) is not Pooling.NONE:
                pass
            assert await prepared(keys) == [], "what suits a pooler suits the server"


async def test_of_connections_that_are_made_at_once_none_prepares_by_name_through_a_pooler(
    ready_postgres_url: str, poolers: Poolers
) -> None:
    database = Database(poolers.url(ready_postgres_url, "transaction", default_pool_size="1"), timeout=30.0)
    database.connect()
    try:
        connections = await asyncio.gather(*[database.engine.connect().start() for _ in range(5)])
        for connection in connections:
            for _ in range(2):
                await connection.execute(text("SELECT 1"))
            names = await connection.scalars(text("SELECT name FROM pg_prepared_statements WHERE name <> ''"))
            assert names.all() == []
            await connection.close()
    finally:
        await database.close()


async def pooling_after_a_cut(keys: APIKeys) -> Pooling | None:
    """`None` where the connection from before was tried."""
    try:
        return await keys._database.pooling()
    except UnavailableError:
        return None


@pytest.mark.parametrize("robin", ["0", "1"])
async def test_transaction_mode_is_noticed_whichever_connection_is_given_out_next(
    ready_postgres_url: str, poolers: Poolers, robin: str
) -> None:
    url = poolers.url(ready_postgres_url, "transaction", server_round_robin=robin)
    async with APIKeys(url) as keys:
        await asyncio.gather(*[keys.ping() for _ in range(10)])  # so that there is more than one
        assert await keys._database.pooling() is Pooling.TRANSACTION


async def test_where_a_pooler_has_one_connection_for_a_session_the_second_is_not_waited_for_long(
    ready_postgres_url: str, poolers: Poolers
) -> None:
    database = Database(poolers.url(ready_postgres_url, "session", default_pool_size="1"), timeout=30.0)
    database.connect()
    try:
        assert await pooling_of(database.engine, 0.2) is Pooling.SESSION
    finally:
        await database.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_an_engine_without_a_pooler_is_told_so(ready_postgres_url: str, driver: str) -> None:
    engine = create_async_engine(ready_postgres_url.replace("asyncpg", driver))
    assert await pooling_of(engine, 5.0) is Pooling.NONE
    await engine.dispose()


ENGINES: dict[str, dict[str, Any]] = {
    "asyncpg": {"statement_cache_size": 0},
    "psycopg": {"prepare_threshold": None},
}
"""What `docs/connecting.md` says to write."""


@pytest.mark.parametrize("driver", ENGINES)
async def test_an_engine_made_as_the_page_says_works_through_a_pooler(
    ready_postgres_url: str, poolers: Poolers, driver: str
) -> None:
    url = poolers.url(ready_postgres_url, "transaction", f"postgresql+{driver}")
    engines = [create_async_engine(url, connect_args=ENGINES[driver]) for _ in range(2)]
    options: dict[str, Any] = {"poll_interval": 0.05, "max_staleness": 60.0, "read_timeout": 30.0}
    async with APIKeys(engines[0], **options) as one, APIKeys(engines[1], **options) as other:
        await one.serve()
        await other.serve()
        for number in range(5):
            await work([one, other], number)
        assert await pooling_of(engines[0], 5.0) is Pooling.TRANSACTION
    for engine in engines:
        await engine.dispose()


@pytest.mark.parametrize(("driver", "name"), [("asyncpg", "__asyncpg_stmt_1__"), ("psycopg", "_pg3_0")])
async def test_an_engine_that_prepares_names_is_told_what_to_write(
    ready_postgres_url: str, poolers: Poolers, driver: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the only connection to the server it finds the name that it gives first, as another process leaves it."""
    settings = {"default_pool_size": "1"}
    if pgbouncer_program().version >= (1, 21):  # it would give names of its own
        settings["max_prepared_statements"] = "0"
    other = Database(poolers.url(ready_postgres_url, "transaction", **settings), timeout=30.0)
    other.connect()
    async with other.engine.connect() as connection:
        await connection.exec_driver_sql(f"PREPARE {name} AS SELECT 1")
    await other.close()
    monkeypatch.setattr("asyncpg.connection._uid", 0)  # it numbers names through the process
    options = {"prepare_threshold": 0} if driver == "psycopg" else {}
    url = poolers.url(ready_postgres_url, "transaction", f"postgresql+{driver}", **settings)
    engine = create_async_engine(url, connect_args=options)
    told = rf"transaction mode .* Hand in the URL.*{next(iter(ENGINES[driver]))}"
    with pytest.raises(UnavailableError, match=told):
        await APIKeys(engine).open()
    await engine.dispose()


async def test_a_pooler_that_has_no_connection_left_is_an_outage_like_any_other(
    ready_postgres_url: str, poolers: Poolers
) -> None:
    """It tells so to the first statement, the one that asks where the connection leads."""
    url = poolers.url(ready_postgres_url, "session", default_pool_size="1", query_wait_timeout="1")
    async with APIKeys(url, read_timeout=60.0) as keys:
        await keys.ping()
        with pytest.raises(UnavailableError, match="query_wait_timeout") as raised:
            await APIKeys(url, read_timeout=60.0).schema_status()
        assert isinstance(raised.value.__cause__, DBAPIError), "as if a statement of ours had failed"


async def test_in_statement_mode_keys_are_read_and_cannot_be_changed(ready_postgres_url: str, poolers: Poolers) -> None:
    async with APIKeys(ready_postgres_url) as direct:
        issued = await direct.create("a key")
        async with APIKeys(poolers.url(ready_postgres_url, "statement", default_pool_size="3")) as keys:
            assert (await keys.verify(issued.secret)).valid
            with pytest.raises(UnavailableError, match=r"nothing was changed.*statement pooling"):
                await keys.deactivate(issued.key.id)
        assert (await direct.get(issued.key.id)).active


async def test_a_setting_that_a_pooler_refuses_is_told_where_to_set(ready_postgres_url: str, poolers: Poolers) -> None:
    url = poolers.url(ready_postgres_url, "transaction")
    with pytest.raises(UnavailableError, match=r"pooler .* ALTER ROLE"):
        await APIKeys(f"{url}?options=-csearch_path%3Dkeys").open()


@pytest.mark.parametrize("mode", ["none", *MODES])
async def test_a_status_says_what_stands_before_the_database(
    ready_postgres_url: str, poolers: Poolers, mode: str
) -> None:
    url = ready_postgres_url if mode == "none" else poolers.url(ready_postgres_url, mode)
    status = await APIKeys(url).status()
    assert (status.ready, status.database.pooler) == (True, mode)
    assert ("pooler_transaction" in {each.code for each in status.findings}) is (mode == "transaction")


def psycopg_arguments(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of the URL's options goes to libpq, and what psycopg is called with besides."""
    given, arguments = to_driver(parse_url(url))
    return dict(given.query), arguments


def test_psycopg_gets_libpqs_options_as_they_stand_and_prepares_nothing() -> None:
    options, arguments = psycopg_arguments("postgresql+psycopg://u@h/db?sslmode=verify-full&channel_binding=require")
    assert options == {"sslmode": "verify-full", "channel_binding": "require"}
    assert arguments == {"prepare_threshold": None}
    several, _ = psycopg_arguments("postgresql+psycopg://a:1,b:2/db")
    assert several["target_session_attrs"] == "read-write"
    assert psycopg_arguments("postgresql+psycopg://a:1/db")[0] == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("statement_cache_size=0", "with psycopg leave it out"),
        ("ssl=true", "with psycopg leave it out"),
        ("prepare_threshold=5", "no option"),
        ("aplication_name=x", "did you mean application_name"),
        ("target_session_attrs=standby", "target_session_attrs=read-write"),
        ("client_encoding=latin1", "utf8"),
        ("connect_timeout=soon", "whole number"),
    ],
)
def test_what_psycopg_cannot_use_is_refused_with_what_to_write(options: str, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        psycopg_arguments(f"postgresql+psycopg://u@h/db?{options}")
