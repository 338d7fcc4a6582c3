"""The URLs for TLS in `docs/connecting.md`, as they stand there but for place, names and files."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gatepost import APIKeys, UnavailableError
from tests.conftest import started
from tests.readme import blocks
from tests.servers.certificates import Authority
from tests.servers.mariadb import mariadb_server
from tests.servers.ports import free_port
from tests.servers.tls import postgres_front, redis_front

URLS = {url.partition(":")[0]: url for url in blocks("docs/connecting.md", "url")[-1].splitlines()}
FILE = "/etc/gatepost/ca.pem"


@pytest.fixture(scope="module")
def mariadb_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Of a MariaDB with a certificate for `localhost`, and the authority's file."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.make(folder)
    authority.vouch(folder, "localhost")
    port = free_port()
    (folder / "init").write_text("CREATE DATABASE `keys`;")
    options = (
        f"--ssl-cert={folder}/server.crt",
        f"--ssl-key={folder}/server.key",
        "--bind-address=127.0.0.1",
        f"--init-file={folder}/init",
    )
    with started(lambda: mariadb_server(f"--port={port}", "--skip-networking=0", *options)):
        yield port, authority.file


@pytest.fixture
async def place(request: pytest.FixtureRequest, scheme: str, url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The page's URL of that scheme, led to a server of the tests that speaks TLS as `localhost`."""
    page = URLS[scheme]
    authority = Authority.make(tmp_path)
    authority.vouch(tmp_path, "localhost")
    file = authority.file
    async with AsyncExitStack() as stack:
        if scheme.startswith("postgresql"):
            given = make_url(url)
            if "host" not in given.query:
                pytest.skip("TEST_DATABASE_URL has no unix socket to put TLS in front of")
            socket = Path(str(given.query["host"])) / ".s.PGSQL.5432"
            port = await stack.enter_async_context(postgres_front(socket, tmp_path / "server.crt"))
            led = page.replace("user:", "postgres:").replace("/keys?", f"/{given.database}?")
        elif scheme == "mysql":
            port, file = request.getfixturevalue("mariadb_port")
            led = page.replace("user:password@", "root@")
        else:
            server = request.getfixturevalue("redis_server")
            server.start()
            port = await stack.enter_async_context(redis_front(server.port, tmp_path / "server.crt"))
            led = page.replace("user:password@", "")
        yield re.sub(r"[a-z]+\.example\.org:\d+", f"localhost:{port}", led).replace(FILE, str(file))


@pytest.fixture
def url(request: pytest.FixtureRequest, scheme: str) -> str:
    """Of the database for those that need one."""
    name = "postgres_url" if scheme.startswith("postgresql") else "sqlite_url"
    given: str = request.getfixturevalue(name)
    return given


async def reached(keys: APIKeys) -> str:
    """What keeps these keys from database and Redis; empty: nothing."""
    status = await keys.status()
    return f"{status.database.error or ''}{status.redis.reason or ''}"


def keys_at(place: str, url: str) -> APIKeys:
    """Keys with that database, or with that Redis."""
    return APIKeys(url, place, redis_timeout=10.0) if place.startswith("rediss") else APIKeys(place)


@pytest.mark.parametrize("scheme", URLS)
async def test_the_page_leads_to_whom_the_authority_vouches_for_and_to_nobody_else(
    scheme: str, place: str, url: str, tmp_path: Path
) -> None:
    keys = keys_at(place, url)
    await keys.create_schema()
    async with keys:
        assert (await keys.verify((await keys.create("a key")).secret)).valid
        assert await reached(keys) == ""
    other = Authority.make(tmp_path, "other").file
    for wrong in (place.replace("localhost", "127.0.0.1"), re.sub(r"=[^=]*/authority\.crt", f"={other}", place)):
        assert wrong != place
        if scheme == "rediss":
            assert "certificate" in (await reached(keys_at(wrong, url))).lower()
        else:
            with pytest.raises(UnavailableError, match="certificate"):
                await keys_at(wrong, url).schema_status()
