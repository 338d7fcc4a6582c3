"""What all tests share: a real server for whoever asks for one, and in CI no skipped test.

`TEST_DATABASE_URL` (SQLAlchemy's, of an async driver and a user who may create databases) takes the place of the
PostgreSQL or the MariaDB that the tests would start, by its scheme; `TEST_REDIS_URL` that of the Redis, whose database
is emptied.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from redis import Redis
from sqlalchemy import make_url

from gatepost.compiled import is_built
from tests.servers.databases import Databases, ReadyFile
from tests.servers.mariadb import mariadb_server
from tests.servers.postgres import postgres_server
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import RedisServer
from tests.servers.redis import redis_server as start_redis
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_cluster import redis_cluster as start_cluster
from tests.servers.sentinel import Sentinel, sentinel_server

IN_CI = os.environ.get("CI") == "true"
BACKENDS = {"postgresql": "postgresql", "mysql": "mariadb", "mariadb": "mariadb"}

Server = TypeVar("Server")


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does, through the fixtures' ends, so that no server outlives it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


WORKERS_AT_MOST = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two a processor: a worker often waits, for a server or another process."""
    return min(2 * (os.cpu_count() or 1), WORKERS_AT_MOST)


LONG = ("tests/simulation/test_simulation.py", "tests/model/test_model.py", "tests/admin/test_large.py")
"""Where single tests take longest: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which tests are begun. None depends on it."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that is skipped fails."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI, a module that is skipped fails."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped in CI: {report.longrepr}"
    return report


@contextmanager
def started(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server for the session; the test is skipped where the machine has no such program."""
    try:
        with start() as server:
            yield server
    except ProgramMissingError as error:
        pytest.skip(str(error))


def given_database_url(backend: str) -> str | None:
    """`TEST_DATABASE_URL` if it is of that backend."""
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        return None
    given = make_url(url).get_backend_name()
    if given not in BACKENDS:
        raise pytest.UsageError(f"TEST_DATABASE_URL: {given} is neither PostgreSQL nor MariaDB")
    return url if BACKENDS[given] == backend else None


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The URL of a PostgreSQL server, in SQLAlchemy's form, of a user who may create databases."""
    url = given_database_url("postgresql")
    if url:
        yield url
    else:
        with started(postgres_server) as server:
            yield server.url


@pytest.fixture(scope="session")
def mariadb_server_url() -> Iterator[str]:
    """The URL of a MariaDB server, in SQLAlchemy's form, of a user who may create databases."""
    url = given_database_url("mariadb")
    if url:
        yield url
    else:
        with started(mariadb_server) as server:
            yield server.url


@pytest.fixture(scope="session")
def postgres_databases(postgres_server_url: str) -> Iterator[Databases]:
    """Makes databases on the session's PostgreSQL."""
    with Databases(postgres_server_url) as databases:
        yield databases


@pytest.fixture(scope="session")
def mariadb_databases(mariadb_server_url: str) -> Iterator[Databases]:
    """Makes databases on the session's MariaDB."""
    with Databases(mariadb_server_url) as databases:
        yield databases


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """`postgresql+asyncpg://…`: an empty PostgreSQL database for this test alone, dropped after it."""
    url = postgres_databases.create()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def mariadb_url(mariadb_databases: Databases) -> Iterator[str]:
    """`mysql+asyncmy://…`: an empty MariaDB database for this test alone, dropped after it."""
    url = mariadb_databases.create()
    yield url
    mariadb_databases.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """`sqlite+aiosqlite:///…`: a file that does not exist yet, for this test alone."""
    return f"sqlite+aiosqlite:///{tmp_path}/keys.db"


@pytest.fixture(params=["Python"] if os.environ.get("GATEPOST_PURE") else ["compiled", "Python"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs twice, also in processes that it starts: with memory hits compiled, and as where none could."""
    if request.param == "Python":
        monkeypatch.setattr("gatepost.compiled.compiled._hit", None)
        monkeypatch.setenv("GATEPOST_PURE", "1")
    elif not is_built():
        pytest.skip("memory hits could not be compiled here")
    return str(request.param)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The test runs once for each: an empty SQLite, PostgreSQL and MariaDB database."""
    fixtures = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "mariadb": "mariadb_url"}
    url: str = request.getfixturevalue(fixtures[request.param])
    return url


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> ReadyFile:
    """The session's SQLite file with tables."""
    return ReadyFile(tmp_path_factory.mktemp("ready"))


@pytest.fixture
def ready_postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """`postgresql+asyncpg://…`: a PostgreSQL database for this test alone, with the tables and nothing in them."""
    url = postgres_databases.create_ready()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def ready_mariadb_url(mariadb_databases: Databases) -> Iterator[str]:
    """`mysql+asyncmy://…`: a MariaDB database for this test alone, with the tables and nothing in them."""
    url = mariadb_databases.create_ready()
    yield url
    mariadb_databases.drop(url)


@pytest.fixture
def ready_sqlite_url(sqlite_url: str, tmp_path: Path, ready_file: ReadyFile) -> str:
    """`sqlite+aiosqlite:///…`: a file for this test alone, with the tables and nothing in them."""
    ready_file.copy_to(tmp_path / "keys.db")
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def ready_url(request: pytest.FixtureRequest) -> str:
    """The test runs once for each: SQLite, PostgreSQL and MariaDB, with the tables and nothing in them."""
    fixtures = {"sqlite": "ready_sqlite_url", "postgresql": "ready_postgres_url", "mariadb": "ready_mariadb_url"}
    url: str = request.getfixturevalue(fixtures[request.param])
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's own Redis process, to pause, stop and start again (never that of `TEST_REDIS_URL`)."""
    with started(start_redis) as server:
        yield server


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty Redis database; the session's Redis runs again if a test before left it stopped or paused."""
    url = os.environ.get("TEST_REDIS_URL")
    if not url:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.resume()
        server.start()
        url = server.url
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def cluster_server() -> Iterator[RedisCluster]:
    """The session's Redis Cluster."""
    with started(start_cluster) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(cluster_server: RedisCluster) -> RedisCluster:
    """The session's Redis Cluster, whole again if a test before left it otherwise."""
    cluster_server.heal()
    return cluster_server


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    """A Sentinel, a master and a replica, for this test alone."""
    with started(sentinel_server) as server:
        yield server
