"""The servers that the tests start: that they are real, that faults are faults, and that nothing of them is left."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.conftest import started
from tests.servers import folder, postgres, process, programs
from tests.servers.databases import Databases
from tests.servers.mariadb import mariadb_server
from tests.servers.postgres import postgres_server
from tests.servers.process import ServerError, ServerProcess
from tests.servers.redis import RedisServer
from tests.servers.redis import redis_server as start_redis

ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def connection_to(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


def client_of(server: RedisServer, timeout: float = 60.0) -> Redis:
    return Redis.from_url(server.url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with started(start_redis) as server:
        yield server


async def test_a_database_url_is_of_an_empty_database_that_can_be_written(database_url: str) -> None:
    async with connection_to(database_url) as connection:
        await connection.execute(text("CREATE TABLE probe (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO probe VALUES (1)"))
        await connection.commit()
        assert (await connection.scalars(text("SELECT id FROM probe"))).all() == [1]


async def test_two_databases_of_one_server_share_nothing(postgres_url: str, postgres_databases: Databases) -> None:
    other = await asyncio.to_thread(postgres_databases.create)
    try:
        assert other != postgres_url
        async with connection_to(postgres_url) as connection:
            await connection.execute(text("CREATE TABLE probe (id INTEGER PRIMARY KEY)"))
            await connection.commit()
        async with connection_to(other) as connection:
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT id FROM probe"))
    finally:
        await asyncio.to_thread(postgres_databases.drop, other)


@pytest.mark.parametrize("backend", ["postgres", "mariadb"])
def test_a_database_is_dropped_though_a_connection_to_it_is_in_a_transaction(
    request: pytest.FixtureRequest, backend: str
) -> None:
    databases: Databases = request.getfixturevalue(f"{backend}_databases")
    url = databases.create()

    async def leak() -> None:
        async with connection_to(url) as connection:
            await connection.execute(text("CREATE TABLE probe (id INTEGER PRIMARY KEY)"))
            await connection.execute(text("INSERT INTO probe VALUES (1)"))
            await asyncio.to_thread(databases.drop, url)
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT id FROM probe"))
            await connection.invalidate()

    asyncio.run(leak())


@pytest.mark.parametrize(
    ("backend", "query"),
    [
        ("postgres", "SELECT datname FROM pg_database"),
        ("mariadb", "SELECT schema_name FROM information_schema.schemata"),
    ],
)
def test_databases_with_tables_leave_nothing_on_a_server(
    request: pytest.FixtureRequest, backend: str, query: str
) -> None:
    """It may be somebody's own."""
    server: str = request.getfixturevalue(f"{backend}_server_url")

    async def names() -> set[str]:
        async with connection_to(server) as connection:
            return set(await connection.scalars(text(query)))

    before = asyncio.run(names())
    with Databases(server) as databases:
        url = databases.create_ready()
        assert len(asyncio.run(names()) - before) == 2
        databases.drop(url)
    assert asyncio.run(names()) == before


async def test_postgres_is_18_or_newer_and_answers_its_version(postgres_server_url: str) -> None:
    async with connection_to(postgres_server_url) as connection:
        version = str(await connection.scalar(text("SHOW server_version")))
    assert int(version.partition(".")[0]) >= (13 if os.environ.get("TEST_DATABASE_URL") else 18)


async def test_mariadb_answers_its_version(mariadb_server_url: str) -> None:
    async with connection_to(mariadb_server_url) as connection:
        assert "MariaDB" in str(await connection.scalar(text("SELECT VERSION()")))


def test_redis_is_at_least_6_2_and_answers_its_version(redis_server: RedisServer) -> None:
    with client_of(redis_server) as client:
        version = tuple(map(int, client.info("server")["redis_version"].split(".")))
        assert client.ping()
    assert version == redis_server.version
    assert version >= (6, 2)


def test_a_redis_url_is_of_an_empty_database(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_a_redis_url_is_of_an_empty_database_also_after_a_test_that_wrote(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_a_paused_redis_times_out_and_answers_when_it_resumes(own_redis: RedisServer) -> None:
    with client_of(own_redis) as client:
        assert client.ping()
        own_redis.pause()
        with client_of(own_redis, 0.3) as impatient, pytest.raises(RedisTimeoutError):
            impatient.ping()
        own_redis.resume()
        assert client.ping()


def test_a_stopped_redis_refuses_and_starts_again_on_the_same_port_empty(own_redis: RedisServer) -> None:
    url, pid = own_redis.url, own_redis.pid
    with client_of(own_redis) as client:
        client.set("key", "value")
        own_redis.stop()
        assert not psutil.pid_exists(pid)
        with pytest.raises(RedisConnectionError):
            client.ping()
        own_redis.start()
        assert client.get("key") is None
    assert own_redis.url == url
    assert own_redis.pid != pid


def test_a_redis_whose_port_is_taken_meanwhile_says_so(own_redis: RedisServer) -> None:
    own_redis.stop()
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", own_redis.port))
        thief.listen()
        with pytest.raises(ServerError, match="Address already in use"):
            own_redis.start()
    assert not own_redis.running


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which the servers of this test make theirs."""
    with TemporaryDirectory(dir=folder._base()) as path:
        Path(path).chmod(0o755)
        monkeypatch.setattr(folder, "_base", lambda: Path(path))
        yield Path(path)


@pytest.mark.parametrize("start", [postgres_server, mariadb_server, start_redis])
def test_nothing_of_a_server_is_left_when_it_stops(
    start: Callable[[], AbstractContextManager[Any]], base: Path
) -> None:
    with started(start) as server:
        parent = psutil.Process(server.pid)
        processes = [parent, *parent.children(recursive=True)]
        assert all(process.is_running() for process in processes)
        assert list(base.iterdir())
    assert not any(process.is_running() for process in processes)
    assert not list(base.iterdir())


def test_nothing_of_a_server_is_left_that_fails_to_start_and_the_error_holds_its_log(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "no_such_setting", "on")
    with pytest.raises(ServerError, match="no_such_setting"), postgres_server():
        pass
    assert not list(base.iterdir())


def test_a_server_that_does_not_answer_in_time_is_stopped_and_the_error_holds_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0.2)
    server = ServerProcess(["/bin/sh", "-c", "echo still thinking; exec sleep 60"], tmp_path)
    with pytest.raises(ServerError, match="still thinking"):
        server.wait_until(lambda: False)
    assert not psutil.pid_exists(server.pid)


def test_a_server_that_ignores_its_stop_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    server = ServerProcess(["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], tmp_path)
    server.wait_until(lambda: (tmp_path / "log").read_text() == "ready\n")
    server.stop()
    assert not psutil.pid_exists(server.pid)


def test_the_newest_program_that_runs_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, script in {"old": "echo v=9.2", "new": "echo v=10.1", "other": "echo 11", "broken": "exit 1"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "server").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name / "server").chmod(0o755)
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", f"{tmp_path}/new:{tmp_path}/other:{tmp_path}/broken")
    bundled = [tmp_path / "old" / "server", tmp_path / "absent" / "server"]
    chosen = programs.newest(["server"], re.compile(r"v=(\d+(?:\.\d+)+)"), bundled)
    assert chosen == programs.Program((10, 1), tmp_path / "new" / "server")


SKIPPING_TESTS = """
import pytest
from tests.servers import programs

programs.SYSTEM_FOLDERS = ()

def test_that_needs_a_server(mariadb_url): pass

def test_that_skips_itself(): pytest.skip("too hard")

@pytest.mark.skip(reason="too dull")
def test_that_is_marked(): pass

@pytest.mark.xfail(reason="known")
def test_that_is_known_to_fail(): assert False

def test_that_passes(): pass
"""


def pytest_command(folder: Path, source: str) -> list[str]:
    """A run of pytest on a test file of that source, with this folder's conftest and none of its own settings."""
    (folder / "test_probe.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-rA", "-s", "--continue-on-collection-errors"]
    return [sys.executable, "-m", "pytest", *options, str(folder)]


def environment(**changes: str) -> dict[str, str]:
    ours = {"CI", "TEST_DATABASE_URL", "TEST_REDIS_URL", "PYTEST_ADDOPTS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**kept, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **changes}


@pytest.mark.parametrize(
    ("ci", "outcomes", "status"),
    [
        ("", "1 passed, 4 skipped, 1 xfailed", pytest.ExitCode.OK),
        # The module, and the two that are skipped before they run, count as errors.
        ("true", "1 failed, 1 passed, 1 xfailed, 3 errors", pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_a_test_without_its_server_is_skipped_and_in_ci_it_fails_as_does_any_that_is_skipped(
    tmp_path: Path, ci: str, outcomes: str, status: pytest.ExitCode
) -> None:
    command = pytest_command(tmp_path, SKIPPING_TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_package')\n")
    variables = environment(PATH="", CI=ci)
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert outcomes in done.stdout
    assert "no mariadbd or mysqld found" in done.stdout
    assert done.returncode == status


WAITING_TEST = """
import time

def test_that_hangs(redis_server):
    print(f"pid={redis_server.pid}", flush=True)
    time.sleep(60)
"""


def test_no_server_outlives_a_run_that_is_terminated(tmp_path: Path) -> None:
    command = pytest_command(tmp_path, WAITING_TEST)
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        line = next(line for line in run.stdout if "pid=" in line)
        pid = int(line.rpartition("pid=")[2])
        assert psutil.pid_exists(pid)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=120)
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert not psutil.pid_exists(pid)
