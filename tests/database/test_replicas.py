"""A database that follows another decides nothing: at open, at each new connection, at each poll and lookup."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost import APIKeys, Outcome, ReplicaError, UnavailableError
from tests.conftest import started
from tests.deaf import deafen
from tests.freshness.conftest import counted_statements
from tests.servers.databases import execute
from tests.servers.postgres import PostgresServer, postgres_server, postgres_standby
from tests.servers.proxy import Proxy, proxied


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its hot standby."""
    with started(postgres_server) as primary, postgres_standby(primary) as standby:
        yield primary, standby


@pytest.fixture
async def replaying(pair: tuple[PostgresServer, PostgresServer]) -> AsyncIterator[tuple[str, str]]:
    """Their URLs, once the standby has the tables; at the end it replays what comes."""
    primary, standby = pair
    await APIKeys(primary.url).create_schema()
    await caught_up(primary.url, standby.url)
    yield primary.url, standby.url
    await execute(standby.url, "SELECT pg_wal_replay_resume()")


async def caught_up(primary: str, standby: str) -> None:
    """Wait until the standby has replayed what the primary has written."""
    end = await execute(primary, "SELECT pg_current_wal_lsn()::text")
    while not await execute(standby, f"SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn"):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("given", ["a URL", "an engine"])
async def test_keys_do_not_open_on_a_hot_standby_and_say_what_to_write(replaying: tuple[str, str], given: str) -> None:
    engine = create_async_engine(replaying[1])
    keys = APIKeys(replaying[1] if given == "a URL" else engine)
    with pytest.raises(ReplicaError, match="target_session_attrs=read-write"):
        await keys.open()
    assert not keys.is_open
    await engine.dispose()


async def test_a_status_says_that_a_database_is_a_replica(replaying: tuple[str, str]) -> None:
    status = await APIKeys(replaying[1]).status()
    assert not status.ready
    (finding,) = [each for each in status.findings if each.severity == "error"]
    assert finding.code == "database_replica"
    assert "target_session_attrs=read-write" in finding.sentence


@pytest.fixture
async def moved(
    replaying: tuple[str, str], pair: tuple[PostgresServer, PostgresServer]
) -> AsyncIterator[tuple[APIKeys, APIKeys, Proxy, str]]:
    """A worker behind a proxy, keys on the primary, the proxy, and the socket that it may be led to: the standby's."""
    sockets = [f"{make_url(url).query['host']}/.s.PGSQL.5432" for url in replaying]
    async with proxied(sockets[0]) as proxy:
        url = make_url(replaying[0]).set(host="127.0.0.1", port=proxy.port, query={})
        through = url.set(password=pair[0]._password).render_as_string(hide_password=False)
        async with (
            APIKeys(replaying[0]) as near,
            APIKeys(through, poll_interval=0.2, max_staleness=1.0, read_timeout=2.0) as far,
        ):
            await far.serve()
            yield far, near, proxy, sockets[1]
            proxy.lead_to(sockets[0])


async def test_a_worker_whose_address_leads_to_a_standby_after_a_failover_lets_no_dead_key_in(
    replaying: tuple[str, str], moved: tuple[APIKeys, APIKeys, Proxy, str], caplog: pytest.LogCaptureFixture
) -> None:
    far, near, proxy, standby = moved
    issued = await near.create("a key")
    assert (await far.verify(issued.secret)).valid
    await caught_up(*replaying)
    await execute(replaying[1], "SELECT pg_wal_replay_pause()")
    proxy.lead_to(standby)
    await near.deactivate(issued.key.id)
    for fresh in (False, True, False, True):
        try:
            outcome: Outcome | None = (await far.verify(issued.secret, fresh=fresh)).outcome
        except UnavailableError:
            outcome = None
        assert outcome in (None, Outcome.DEACTIVATED)
        await asyncio.sleep(0.1)
    while "hot standby" not in caplog.text or far._opened().freshness.holds():  # noqa: ASYNC110 - time passes
        await asyncio.sleep(0.05)
    with pytest.raises(UnavailableError, match=r"hot standby|is being probed"):  # the latter after a read that hung
        await far.verify(issued.secret)

    proxy.lead_to(f"{make_url(replaying[0]).query['host']}/.s.PGSQL.5432")
    while not far._opened().freshness.holds():  # noqa: ASYNC110 - time passes
        await asyncio.sleep(0.05)
    assert (await far.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_to_ask_whether_it_is_a_replica_costs_no_statement(postgres_url: str) -> None:
    await APIKeys(postgres_url).create_schema()
    async with APIKeys(postgres_url, poll_interval=100, max_staleness=300) as keys:
        issued = await keys.create("a key")
        deafen(keys)  # whose statements come when they like
        await keys.serve()
        with counted_statements(keys) as counts:
            assert (await keys.verify(issued.secret)).valid
        assert counts == {"records": 1}
        with counted_statements(keys) as counts:
            await keys.ping()
        assert counts == {"counter": 1}


async def test_a_mariadb_that_is_read_only_is_refused_and_used_again_when_it_is_not(
    mariadb_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await APIKeys(mariadb_url).create_schema()
    engine: AsyncEngine = create_async_engine(mariadb_url)
    async with APIKeys(mariadb_url, poll_interval=0.1, max_staleness=1.0) as keys:
        issued = await keys.create("a key")
        await keys.serve()
        try:
            await execute(mariadb_url, "SET GLOBAL read_only = 1")
            with pytest.raises(ReplicaError, match="read-only"):
                await keys.verify(issued.secret, fresh=True)
            with pytest.raises(ReplicaError, match="read-only"):
                await keys.ping()
            with pytest.raises(ReplicaError, match="read-only"):
                await APIKeys(engine).open()
        finally:
            await execute(mariadb_url, "SET GLOBAL read_only = 0")
        assert (await keys.verify(issued.secret, fresh=True)).valid
    await engine.dispose()
