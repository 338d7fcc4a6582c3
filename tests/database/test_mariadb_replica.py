"""MariaDB with a replica that follows it: refused while it is one, right once it was promoted."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from gatepost import APIKeys, Outcome, ReplicaError, UnavailableError
from tests.conftest import started
from tests.database.test_failover import answered
from tests.servers.databases import execute
from tests.servers.mariadb import MariaDBServer, mariadb_server
from tests.servers.ports import free_port
from tests.servers.proxy import Proxy, proxied

Pair = tuple[str, str]
"""The URLs of a primary and its replica, of the database `keys`."""


@pytest.fixture
def servers() -> Iterator[tuple[MariaDBServer, MariaDBServer]]:
    """Two that can replicate, for one test: it may be over for the first."""
    options = ("--skip-networking=0", "--bind-address=127.0.0.1", "--log-bin=log")
    with (
        started(lambda: mariadb_server(*options, f"--port={free_port()}", "--server-id=1")) as primary,
        mariadb_server(*options, f"--port={free_port()}", "--server-id=2", "--read-only=1") as replica,
    ):
        yield primary, replica


@pytest.fixture
async def pair(servers: tuple[MariaDBServer, MariaDBServer]) -> Pair:
    """The second follows the first, and both have the tables."""
    primary, replica = servers[0].url, servers[1].url
    await execute(primary, "CREATE USER follower@'127.0.0.1'")
    await execute(primary, "GRANT REPLICATION SLAVE ON *.* TO follower@'127.0.0.1'")
    port = await execute(primary, "SELECT @@port")
    to = f"MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='follower', MASTER_USE_GTID=slave_pos"
    await execute(replica, f"CHANGE MASTER TO {to}")
    await execute(replica, "START SLAVE")
    await execute(primary, "CREATE DATABASE `keys`")
    await caught_up(primary, replica)
    primary, replica = (make_url(url).set(database="keys").render_as_string(False) for url in (primary, replica))
    await APIKeys(primary).create_schema()
    await caught_up(primary, replica)
    return primary, replica


async def caught_up(primary: str, replica: str) -> None:
    """Wait until the replica has applied what the primary has written."""
    place = await execute(primary, "SELECT @@gtid_binlog_pos")
    assert await execute(replica, f"SELECT MASTER_GTID_WAIT('{place}', 60)") == 0


def through(proxy: Proxy) -> str:
    """The URL of the database behind the proxy."""
    return f"mysql+asyncmy://root@127.0.0.1:{proxy.port}/keys"


def socket_of(url: str) -> str:
    """Where the server listens."""
    return str(make_url(url).query["unix_socket"])


async def test_a_replica_is_refused_also_by_a_worker_that_was_led_to_it(pair: Pair) -> None:
    primary, replica = pair
    with pytest.raises(ReplicaError, match="read-only"):
        await APIKeys(replica).open()
    async with (
        proxied(socket_of(primary)) as proxy,
        APIKeys(primary) as admin,
        APIKeys(through(proxy), poll_interval=0.2, max_staleness=1.0, read_timeout=5.0) as worker,
    ):
        await worker.serve()
        issued = await admin.create("a key")
        assert (await worker.verify(issued.secret)).valid
        await caught_up(primary, replica)
        await execute(replica, "STOP SLAVE SQL_THREAD")  # it lags from now on
        proxy.lead_to(socket_of(replica))
        await admin.deactivate(issued.key.id)
        for fresh in (False, True, False):
            try:
                outcome: Outcome | None = (await worker.verify(issued.secret, fresh=fresh)).outcome
            except UnavailableError:
                outcome = None
            assert outcome in (None, Outcome.DEACTIVATED)
        with pytest.raises(UnavailableError, match="read-only"):
            await worker.verify(issued.secret, fresh=True)
        proxy.lead_to(socket_of(primary))
        assert (await answered(lambda: worker.verify(issued.secret, fresh=True))).outcome is Outcome.DEACTIVATED


async def test_a_replica_that_was_promoted_goes_on_where_the_primary_ended(
    pair: Pair, servers: tuple[MariaDBServer, MariaDBServer]
) -> None:
    primary, replica = pair
    async with (
        proxied(socket_of(primary)) as proxy,
        APIKeys(through(proxy)) as admin,
        APIKeys(through(proxy), poll_interval=0.1, max_staleness=2.0, read_timeout=5.0) as worker,
    ):
        await worker.serve()
        kept, dead = await admin.create("kept"), await admin.create("dead")
        assert (await worker.verify(kept.secret)).valid
        assert (await admin.deactivate(dead.key.id)).propagation.complete
        await caught_up(primary, replica)
        servers[0].process.kill()
        await execute(replica, "STOP SLAVE")
        proxy.lead_to(socket_of(replica))
        await asyncio.sleep(0.3)  # polls meet a replica that nobody has promoted yet
        with pytest.raises(UnavailableError):
            await worker.verify(kept.secret, fresh=True)
        await execute(replica, "SET GLOBAL read_only = 0")
        assert (await answered(lambda: worker.verify(kept.secret, fresh=True))).valid, "a good key is never refused"
        assert (await worker.verify(dead.secret)).outcome is Outcome.DEACTIVATED
        receipt = await answered(lambda: admin.deactivate(kept.key.id))
        assert receipt.propagation.complete
        assert (await worker.verify(kept.secret)).outcome is Outcome.DEACTIVATED
