"""Where the keys may lie (docs/topologies.md): real servers of each kind, and the faults that it has of its own.

a topology ──> its servers ──addresses──> a crew: workers, load, an administrator ──> truth
    └── faults: restart, failover, a node that is cut off, a file that is replaced
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.campaign.campaign import SETTINGS, Phase, played
from tests.campaign.crew import STEPPED_WORKER, Addresses, Crew, Plan
from tests.campaign.faults import Fault, Run
from tests.servers.databases import execute
from tests.servers.folder import server_folder
from tests.servers.galera import galera_cluster
from tests.servers.mariadb import MariaDBServer, mariadb_server
from tests.servers.pgbouncer import pgbouncer
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer, postgres_server, postgres_standby
from tests.servers.proxy import proxied
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import redis_cluster
from tests.servers.sentinel import sentinel_server

LOOK_SECONDS = 0.02
"""Between two looks at what is to come about."""

RESTARTS = 3

LOCKED_SECONDS = 0.3
"""Before a file is replaced: some change waits for it by then."""

ANY_NAME = b"any"

KEEPS_COMMITS = "--innodb-flush-log-at-trx-commit=2"
"""A MariaDB of these tests loses a second's commits when it is killed, unless it is told this."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Servers that run, as processes reach them, and what can be done to them."""

    addresses: Addresses
    faults: Sequence[Fault[Crew]]


Topology = Callable[[Path], AbstractAsyncContextManager[Arrangement]]
"""Starts its servers, and stops them at the end; what is a file lies in the folder that it is given. Raises
ProgramMissingError or ServerError."""


def _everybody(database: str, redis: str | None = None) -> Addresses:
    """The same for everybody."""
    told = {"database": database} | ({} if redis is None else {"redis": redis})
    return lambda _worker: told


def _again(restart: Callable[[], object]) -> Run[Crew]:
    """Killed and started at once, several times."""

    async def run(_crew: Crew, seconds: float) -> None:
        for _ in range(RESTARTS):
            await asyncio.to_thread(restart)
            await asyncio.sleep(seconds / RESTARTS)

    return run


def _while(begin: Callable[[], object], end: Callable[[], object]) -> Run[Crew]:
    """In a state for so long, until it is put back. Both may block."""

    async def run(_crew: Crew, seconds: float) -> None:
        await asyncio.to_thread(begin)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(end)

    return run


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Arrangement]:
    """One file, and all processes on one machine."""
    path, aside = folder / "keys.db", folder / "aside.db"

    async def replaced(crew: Crew, seconds: float) -> None:
        for _ in range(RESTARTS):
            await asyncio.to_thread(_replace, path, crew)
            await asyncio.sleep(seconds / RESTARTS)

    removed = _while(partial(os.rename, path, aside), partial(os.rename, aside, path))
    yield Arrangement(
        _everybody(f"sqlite:///{path}"),
        [
            Fault("the file is replaced by a copy, thrice", "SQLite", replaced),
            Fault("the file is removed, and put back", "SQLite", removed, unavailable=True),
        ],
    )


def _replace(path: Path, crew: Crew) -> None:
    """Put a copy that has all that was committed in the file's place, as one who restores a backup does. Nobody may
    write meanwhile, or it would be lost by the restoring: so it is locked, and no process runs in that moment."""
    backup = path.with_name("backup.db")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED_SECONDS)
        with _paused(crew):
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
                source.backup(target)
            for name in ("-wal", "-shm"):
                path.with_name(path.name + name).unlink(missing_ok=True)
            backup.replace(path)
            lock.execute("ROLLBACK")


@contextmanager
def _paused(crew: Crew) -> Iterator[None]:
    servers = [*crew.workers, crew.admin]
    for server in servers:
        server.process.pause()
    try:
        yield
    finally:
        for server in servers:
            server.process.resume()


def _restarted(server: PostgresServer) -> None:
    server.kill()
    server.start()


@asynccontextmanager
async def postgresql(_folder: Path) -> AsyncIterator[Arrangement]:
    """One primary, no Redis: changes are heard of over `LISTEN`."""
    with postgres_server(tcp=True) as server:
        yield Arrangement(
            _everybody(server.tcp_url()),
            [
                Fault(
                    "killed and started, thrice", "PostgreSQL", _again(partial(_restarted, server)), unavailable=True
                ),
                Fault("paused", "PostgreSQL", _while(server.pause, server.resume), unavailable=True),
            ],
        )


@asynccontextmanager
async def pooled(_folder: Path, mode: str) -> AsyncIterator[Arrangement]:
    """The same behind pgbouncer, in that mode."""
    name = f"pgbouncer, {mode} mode"
    with postgres_server() as server, pgbouncer(server.url, pool_mode=mode, default_pool_size="80") as pooler:
        yield Arrangement(
            _everybody(pooler.url("postgres")),
            [
                Fault("the pooler killed and started, thrice", name, _again(pooler.restart), unavailable=True),
                Fault(
                    "PostgreSQL killed and started, thrice", name, _again(partial(_restarted, server)), unavailable=True
                ),
            ],
        )


@asynccontextmanager
async def standby(_folder: Path) -> AsyncIterator[Arrangement]:
    """A primary that commits only what its hot standby has, and a URL of both."""
    name = "PostgreSQL with a hot standby"
    with postgres_server() as primary, postgres_standby(primary) as second:
        await execute(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await execute(primary.url, "SELECT pg_reload_conf()")
        hosts = ",".join(str(make_url(server.url).query["host"]) for server in (primary, second))

        async def lags(_crew: Crew, seconds: float) -> None:
            await execute(second.url, "SELECT pg_wal_replay_pause()")
            await asyncio.sleep(seconds)
            await execute(second.url, "SELECT pg_wal_replay_resume()")

        async def promoted(_crew: Crew, seconds: float) -> None:
            await asyncio.to_thread(primary.kill)
            await asyncio.sleep(seconds / 2)
            await execute(second.url, "SELECT pg_promote()")
            await asyncio.sleep(seconds / 2)

        yield Arrangement(
            _everybody(f"postgresql://postgres@/postgres?host={hosts}&target_session_attrs=read-write"),
            [
                Fault("the standby lags", name, lags),
                Fault("the primary killed, the standby promoted", name, promoted, unavailable=True),
            ],
        )


@asynccontextmanager
async def mariadb(_folder: Path) -> AsyncIterator[Arrangement]:
    """One primary, no Redis: changes are polled for."""
    with mariadb_server(KEEPS_COMMITS) as server:
        await execute(server.url, "CREATE DATABASE `keys`")
        yield Arrangement(
            _everybody(_of_keys(server)),
            [Fault("killed and started, thrice", "MariaDB", _again(server.restart), unavailable=True)],
        )


def _of_keys(server: MariaDBServer) -> str:
    return make_url(server.url).set(database="keys").render_as_string(hide_password=False)


@asynccontextmanager
async def replica(_folder: Path) -> AsyncIterator[Arrangement]:
    """A primary that commits only what its replica has received, and an address that leads to one of them."""
    name = "MariaDB with a replica"
    options: Sequence[str] = ("--skip-networking=0", "--bind-address=127.0.0.1", "--log-bin=log", KEEPS_COMMITS)
    semi = ("master-wait-point=AFTER_SYNC", "master-timeout=60000", "slave-enabled=1")
    options = (*options, *(f"--rpl-semi-sync-{option}" for option in semi))
    with (
        mariadb_server(*options, f"--port={free_port()}", "--server-id=1") as first,
        mariadb_server(*options, f"--port={free_port()}", "--server-id=2", "--read-only=1") as second,
    ):
        await execute(first.url, "CREATE USER follower@'127.0.0.1'")
        await execute(first.url, "GRANT REPLICATION SLAVE ON *.* TO follower@'127.0.0.1'")
        to = f"MASTER_HOST='127.0.0.1', MASTER_PORT={await execute(first.url, 'SELECT @@port')}"
        await execute(second.url, f"CHANGE MASTER TO {to}, MASTER_USER='follower', MASTER_USE_GTID=slave_pos")
        await execute(second.url, "START SLAVE")
        await execute(first.url, "CREATE DATABASE `keys`")
        await execute(first.url, "SET GLOBAL rpl_semi_sync_master_enabled = 1")
        sockets = [str(make_url(server.url).query["unix_socket"]) for server in (first, second)]
        async with proxied(sockets[0]) as way:

            async def promoted(_crew: Crew, seconds: float) -> None:
                await asyncio.to_thread(first.process.kill)
                await execute(second.url, "STOP SLAVE IO_THREAD")
                while not await _read_all(second):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_SECONDS)
                way.lead_to(sockets[1])  # nobody has promoted it yet
                await asyncio.sleep(seconds / 2)
                await execute(second.url, "STOP SLAVE")
                await execute(second.url, "SET GLOBAL read_only = 0")
                await asyncio.sleep(seconds / 2)

            yield Arrangement(
                _everybody(f"mysql://root@127.0.0.1:{way.port}/keys"),
                [Fault("the primary killed, the replica promoted", name, promoted, unavailable=True)],
            )


async def _read_all(server: MariaDBServer) -> bool:
    """Whether it has applied all that it has received."""
    query = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Slave has read all relay log%'"
    return bool(await execute(server.url, query))


@asynccontextmanager
async def galera(_folder: Path, count: int) -> AsyncIterator[Arrangement]:
    """So many nodes, and workers on each. Of three one worker alone is on the node that fails; two have no majority
    without it, so all are hit."""
    name, hit = f"MariaDB Galera, {count} nodes", STEPPED_WORKER if count > 2 else None
    with galera_cluster(count, KEEPS_COMMITS) as nodes:
        node = nodes[1]

        def addresses(worker: int | None) -> Mapping[str, str]:
            return {"database": nodes[(worker or 0) % len(nodes)].url}

        async def lags(_crew: Crew, seconds: float) -> None:
            engine = create_async_engine(node.url, isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:  # it applies nothing while this one is open
                await connection.execute(text("FLUSH TABLES WITH READ LOCK"))
                await asyncio.sleep(seconds)
                await connection.execute(text("UNLOCK TABLES"))
            await engine.dispose()

        def isolate(value: int) -> None:
            node.do(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'")

        yield Arrangement(
            addresses,
            [
                Fault("a node lags", name, lags, True, hit),
                Fault("a node is cut off", name, _while(partial(isolate, 1), partial(isolate, 0)), True, hit),
                Fault("a node is killed, and started", name, _while(node.kill, node.start), True, hit),
            ],
        )


@asynccontextmanager
async def sentinel(_folder: Path) -> AsyncIterator[Arrangement]:
    """PostgreSQL, and a Redis whose master a Sentinel names."""
    name = "Redis Sentinel"
    with postgres_server(tcp=True) as server, sentinel_server() as watched:
        hung: list[RedisServer] = []

        async def planned(_crew: Crew, seconds: float) -> None:
            await asyncio.to_thread(watched.failover)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(watched.wait_until_whole)

        def hang() -> None:
            hung.append(watched.master)
            hung[-1].pause()

        def resume() -> None:
            while watched.master is hung[-1]:
                time.sleep(LOOK_SECONDS)
            hung[-1].resume()
            watched.wait_until_whole()

        yield Arrangement(
            _everybody(server.tcp_url(), watched.url),
            [Fault("a planned failover", name, planned), Fault("the master hangs", name, _while(hang, resume))],
        )


@asynccontextmanager
async def cluster(_folder: Path) -> AsyncIterator[Arrangement]:
    """PostgreSQL, and a Redis Cluster of three masters with a replica each."""
    name = "Redis Cluster"
    with postgres_server(tcp=True) as server, redis_cluster() as nodes:

        def lose(how: Callable[[RedisServer], None]) -> None:
            """Return when its replica has taken over."""
            node = nodes.master_of(ANY_NAME)
            own = nodes.name_at(node)
            how(node)
            nodes.master_of(own)

        yield Arrangement(
            _everybody(server.tcp_url(), nodes.url),
            [
                Fault(
                    "a node hangs, its replica takes over", name, _while(partial(lose, RedisServer.pause), nodes.heal)
                ),
                Fault(
                    "a node is killed, its replica takes over",
                    name,
                    _while(partial(lose, RedisServer.stop), nodes.heal),
                ),
            ],
        )


TOPOLOGIES: Mapping[str, Topology] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "pgbouncer-session": partial(pooled, mode="session"),
    "pgbouncer-transaction": partial(pooled, mode="transaction"),
    "standby": standby,
    "mariadb": mariadb,
    "mariadb-replica": replica,
    "galera": partial(galera, count=3),
    "galera-two": partial(galera, count=2),
    "sentinel": sentinel,
    "cluster": cluster,
}


async def faced(
    topology: Topology,
    *,
    seconds: float,
    source: Path | None = None,
    only: str | None = None,
    tell: Callable[[Phase], None] | None = None,
) -> tuple[Sequence[Phase], str]:
    """Workers on it through all of its faults, or the one of that name: as `campaign.campaign`."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(server_folder("topology"))
        there = await stack.enter_async_context(topology(folder))
        crew = Crew(Plan(settings=SETTINGS, source=source), folder, there.addresses)
        await crew.start(stack)
        faults = [fault for fault in there.faults if only in (None, fault.name)]
        return await played(crew, faults, seconds=seconds, tell=tell)
