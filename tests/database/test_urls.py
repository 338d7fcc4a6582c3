"""URLs as hosts hand them out: understood, or refused with what to write instead."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from gatepost import APIKeys, BadInputError, UnavailableError
from gatepost.database.connecting import mysql_url, postgres_url, sqlite_url
from gatepost.database.connecting.url import parse_url, shown, to_driver
from gatepost.database.database import Database
from gatepost.redis import url as redis_url
from tests.servers.certificates import Authority
from tests.servers.tls import SSL_REQUEST, postgres_front

SECRET = "hunter2"


def arguments(url: str) -> dict[str, Any]:
    """What the driver is called with."""
    return to_driver(parse_url(url))[1]


@dataclass(frozen=True)
class Front:
    """A PostgreSQL behind TLS. `url`: without options. `folder`: where the authority's `authority.crt` is."""

    url: str
    folder: Path


@pytest.fixture
async def front(postgres_url: str, tmp_path: Path) -> AsyncIterator[Front]:
    """Its certificate is for `localhost`, not for 127.0.0.1."""
    url = make_url(postgres_url)
    if "host" not in url.query:
        pytest.skip("TEST_DATABASE_URL has no unix socket to put TLS in front of")
    Authority.make(tmp_path).vouch(tmp_path, "localhost")
    async with postgres_front(Path(str(url.query["host"])) / ".s.PGSQL.5432", tmp_path / "server.crt") as port:
        yield Front(f"postgresql://{url.username}:{SECRET}@localhost:{port}/{url.database}", tmp_path)


async def answer(url: str, statement: str = "SELECT 1") -> Any:
    """What the database at `url` answers."""
    database = Database(url, timeout=10.0)
    database.connect()
    try:
        async with database.engine.connect() as connection:
            return (await connection.execute(text(statement))).scalar()
    finally:
        await database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_a_url_with_sslmode_require_opens_keys_over_tls(front: Front, scheme: str) -> None:
    url = front.url.replace("postgresql", scheme) + "?sslmode=require"
    keys = APIKeys(url)
    await keys.create_schema()
    async with keys:
        issued = await keys.create("a key")
        assert (await keys.verify(issued.secret)).valid


async def test_without_tls_the_same_server_serves_nobody(front: Front) -> None:
    with pytest.raises(UnavailableError) as raised:
        await APIKeys(f"{front.url}?sslmode=disable").schema_status()
    assert SECRET not in str(raised.value)


async def test_require_gives_up_where_the_server_has_no_tls() -> None:
    said: list[bytes] = []
    over = asyncio.Event()

    async def answer_no(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readexactly(8))
        writer.write(b"N")
        await writer.drain()
        said.append(await reader.read(1))
        writer.close()
        over.set()

    server = await asyncio.start_server(answer_no, "127.0.0.1", 0)
    url = f"postgresql://u:{SECRET}@127.0.0.1:{server.sockets[0].getsockname()[1]}/db"
    with pytest.raises(UnavailableError, match="rejected SSL upgrade") as raised:
        await APIKeys(f"{url}?sslmode=require").schema_status()
    assert SECRET not in str(raised.value)
    server.close()
    await over.wait()
    assert said == [SSL_REQUEST, b""], "nothing is told to a server without TLS"


async def test_verify_full_takes_the_server_that_its_authority_vouches_for(front: Front) -> None:
    assert await answer(f"{front.url}?sslmode=verify-full&sslrootcert={front.folder}/authority.crt") == 1


async def test_verify_full_refuses_a_server_of_another_name_and_verify_ca_does_not(front: Front) -> None:
    url = front.url.replace("localhost", "127.0.0.1")
    root = f"sslrootcert={front.folder}/authority.crt"
    with pytest.raises(UnavailableError, match="certificate") as raised:
        await APIKeys(f"{url}?sslmode=verify-full&{root}").schema_status()
    assert SECRET not in str(raised.value)
    assert await answer(f"{url}?sslmode=verify-ca&{root}") == 1


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_a_server_of_another_authority_is_refused(front: Front, mode: str) -> None:
    other = Authority.make(front.folder, "other").file
    with pytest.raises(UnavailableError, match="certificate"):
        await APIKeys(f"{front.url}?sslmode={mode}&sslrootcert={other}").schema_status()


async def test_the_authorities_of_this_machine_do_not_vouch_for_a_certificate_of_the_tests(front: Front) -> None:
    with pytest.raises(UnavailableError, match="certificate"):
        await APIKeys(f"{front.url}?sslmode=verify-full&sslrootcert=system").schema_status()


async def test_options_reach_the_server(front: Front) -> None:
    url = f"{front.url}?sslmode=require&application_name=gate&options=-cstatement_timeout%3D4321&connect_timeout=5"
    assert await answer(url, "SHOW application_name") == "gate"
    assert await answer(url, "SHOW statement_timeout") == "4321ms"


async def test_of_several_hosts_the_first_that_answers_and_takes_changes_is_used(front: Front) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = front.url.replace("@", f"@127.0.0.1:{nobody.getsockname()[1]},")
        assert await answer(f"{url}?sslmode=require") == 1


def test_several_hosts_are_understood_as_libpq_and_sqlalchemy_write_them() -> None:
    both = {"host": ["a", "b"], "port": [1, 5432], "dsn": "postgresql://?target_session_attrs=read-write"}
    for url in ("postgres://u@a:1,b/db", "postgresql://u@/db?host=a:1&host=b", "postgresql:///db?host=a,b&port=1,5432"):
        assert arguments(url) == both
    six = arguments("postgresql://u@[::1]:7,[fe80::1]/db")
    assert (six["host"], six["port"]) == (["::1", "fe80::1"], [7, 5432])
    assert arguments("postgresql://%2Frun%2Fpg/db") == {"host": ["/run/pg"], "port": [5432]}
    assert arguments("postgresql://u@/db?host=::1")["host"] == ["::1"]
    assert arguments("postgresql://u@localhost:7/db?host=/run/pg") == {"host": ["/run/pg"], "port": [7]}


def test_where_a_url_names_no_host_the_driver_looks_by_itself() -> None:
    assert arguments("postgresql:///db") == {}
    assert arguments("postgresql:///db?port=7") == {"host": ["localhost"], "port": [7]}


def test_numbers_come_to_the_drivers_as_numbers() -> None:
    url = (
        "postgresql://h/db?connect_timeout=5&statement_cache_size=0&prepared_statement_cache_size=0&command_timeout=2.5"
    )
    expected = {"timeout": 5.0, "statement_cache_size": 0, "prepared_statement_cache_size": 0, "command_timeout": 2.5}
    assert expected.items() <= arguments(url).items()
    assert arguments("postgresql://h/db?connect_timeout=0")["timeout"] is None
    assert arguments("mysql://h/db?connect_timeout=5&read_timeout=2") == {"connect_timeout": 5, "read_timeout": 2.0}


def test_the_driver_gets_neither_user_nor_password_in_its_dsn() -> None:
    assert arguments(f"postgresql://u:{SECRET}@h/db?sslmode=require")["dsn"] == "postgresql://?sslmode=require"


REFUSED = [
    ("postgresql://h/db?sslmode=require&channel_binding=require", "sslmode=verify-full"),
    ("postgresql://h/db?gssencmode=require", "sslmode=require"),
    ("postgresql://h/db?sslmode=on", "one of disable, allow"),
    ("postgresql://h/db?ssl=true", "write sslmode=disable"),
    ("postgresql://h/db?sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"),
    ("postgresql://h/db?sslmode=require&sslrootcert=system", "verify-full only"),
    ("postgresql://h/db?sslmode=require&sslcert=/no/such/file", "sslcert: there is no file"),
    ("postgresql://h/db?sslnegotiation=fast", "postgres or direct"),
    ("postgresql://h/db?target_session_attrs=standby", "target_session_attrs=read-write"),
    ("postgresql://h/db?target_session_attrs=leader", "read-write or primary"),
    ("postgresql://h/db?aplication_name=x", "did you mean application_name?"),
    ("postgresql://h/db?search_path=keys", "options=-cNAME%3DVALUE"),
    ("postgresql://h/db?keepalives=1", "keepalives .* leave it out"),
    ("postgresql://h/db?client_encoding=latin1", "utf8"),
    ("postgresql://h/db?connect_timeout=soon", "connect_timeout must be a number"),
    ("postgresql://h/db?statement_cache_size=1.5", "statement_cache_size must be a whole number"),
    ("postgresql://h/db?command_timeout=nan", "command_timeout must be a number"),
    ("postgresql://h/db?sslmode=require&sslmode=disable", "sslmode more than once"),
    ("postgresql://h/db?sslmode", "NAME=VALUE"),
    ("postgresql:///db?host=a,b,c&port=1,2", "3 hosts and 2 ports"),
    ("postgresql:///db?host=a,,b", "without a name"),
    ("postgresql://a:1,b:x/db", "port must be a number"),
    ("mysql://h/db?ssl=true", "ssl_mode=REQUIRED"),
    ('mysql://h/db?ssl={"rejectUnauthorized":true}', "ssl_mode=VERIFY_IDENTITY"),
    ("mysql://h/db?ssl-mode=PREFERRED", "REQUIRED or DISABLED"),
    ("mysql://h/db?ssl_mode=on", "DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"),
    ("mysql://h/db?ssl_ca=/no/such/file", "ssl_ca: there is no file"),
    ("mysql://h/db?ssl_capath=/no/such/folder", "no folder"),
    ("mysql://h/db?ssl_mode=REQUIRED&ssl_cipher=none-such", "ssl_cipher cannot be used"),
    ("mysql://h/db?ssl_ca=/etc/hostname&ssl_check_hostname=perhaps", "true or false"),
    ("mysql://h/db?charset=klingon", "charset must be utf8mb4"),
    ("mysql://h/db?use_unicode=0", "use_unicode must be true"),
    ("mysql://h/db?conect_timeout=1", "did you mean connect_timeout?"),
    ("mysql://h/db?connect_timeout=0", "above 0"),
    ("mysql://a,b/db", "one host"),
    ("sqlite:///k.db?timeout=soon", "timeout must be a number"),
    ("sqlite:///k.db?tmeout=5", "did you mean timeout?"),
]


@pytest.mark.parametrize(("url", "told"), REFUSED)
async def test_what_cannot_be_used_is_refused_with_what_to_write(url: str, told: str) -> None:
    with pytest.raises(BadInputError, match=told) as raised:
        await APIKeys(url.replace("://h", f"://user:{SECRET}@h", 1)).open()
    for words in ("keyword argument", "unexpected", "TypeError", "operand", SECRET):
        assert words not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:p@{SECRET}@h/db",
        f"postgresql://u:p@{SECRET}/x@h/db",
        f"postgresql://u:p@{SECRET}?x@h/db",
        f"postgresql://u:p@x?{SECRET}=y@h/db",
        f"postgresql://u:p@x?y={SECRET}@h/db",
        f"postgresql://u:{SECRET}@h:port/db",
        f"mysql://u:p@{SECRET}@h/db",
        f"u:{SECRET}@h/db",
    ],
)
async def test_a_password_that_breaks_its_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInputError, match="%40") as raised:
        await APIKeys(url).open()
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("password", ["a#b", "a/b", "a?b", "a:b", "a%b", "a[b", "a b", "a=b&c"])
def test_a_password_that_can_be_told_from_the_rest_is_taken_as_it_stands(password: str) -> None:
    url = parse_url(f"postgresql://u:{password}@h/db?sslmode=require")
    assert (url.password, url.host, url.database) == (password, "h", "db")


def test_verify_full_without_an_authority_names_both_ways_to_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    with pytest.raises(BadInputError, match=r"sslrootcert=FILE.*sslrootcert=system"):
        arguments("postgresql://h/db?sslmode=verify-full")


def test_what_is_shown_of_a_url_tells_servers_apart_and_holds_no_password() -> None:
    for url, told in (
        (f"postgresql://u:{SECRET}@a:1,b/db?sslpassword={SECRET}", "postgresql+asyncpg://u:***@/db?host=a%3A1&host=b"),
        (f"postgresql://u@/db?host=/run/pg&password={SECRET}", "postgresql+asyncpg://u@/db?host=%2Frun%2Fpg"),
        ("mysql://u@h/db?unix_socket=/run/my.sock", "mysql+asyncmy://u@h/db?unix_socket=%2Frun%2Fmy.sock"),
    ):
        assert shown(parse_url(url)) == told


async def test_a_database_that_does_not_answer_is_said_to_have_had_so_long() -> None:
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    url = f"postgresql://u:{SECRET}@127.0.0.1:{server.sockets[0].getsockname()[1]}/db"
    with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s\)$") as raised:
        await APIKeys(url, read_timeout=0.2).open()
    assert SECRET not in str(raised.value)
    server.close()
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_driver_of_ones_own_is_not_quoted_where_it_lacks_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncmy  # noqa: PLC0415

    def picky(**_options: object) -> None:
        raise TypeError("connect() got an unexpected keyword argument 'x'")

    monkeypatch.setattr("gatepost.database.connecting.engine.DRIVERS", {"mysql": ("mysql+aiomysql", "")})
    monkeypatch.setattr(asyncmy, "connect", picky)
    with pytest.raises(BadInputError, match=r"driver asyncmy cannot use the options .* leave them out") as raised:
        await answer("mysql+asyncmy://h/db?program_name=x")
    assert "keyword" not in str(raised.value)


@pytest.fixture(scope="module")
def mariadb_over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL without options of a MariaDB with a certificate for `localhost`, and the authority's file."""
    from tests.conftest import started  # noqa: PLC0415
    from tests.servers.mariadb import mariadb_server  # noqa: PLC0415
    from tests.servers.ports import free_port  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.make(folder)
    authority.vouch(folder, "localhost")
    port = free_port()
    options = (f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key", "--bind-address=127.0.0.1")
    with started(lambda: mariadb_server(f"--port={port}", "--skip-networking=0", *options)):
        yield f"mysql://root@localhost:{port}/mysql", authority.file


ENCRYPTED = "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'"


async def test_ssl_modes_of_mysql_mean_what_they_mean_to_its_own_client(mariadb_over_tls: tuple[str, Path]) -> None:
    url, authority = mariadb_over_tls
    by_address = url.replace("localhost", "127.0.0.1")
    assert await answer(f"{url}?ssl-mode=REQUIRED", ENCRYPTED) == 1
    assert await answer(f"{by_address}?sslMode=VERIFY_CA&ssl_ca={authority}", ENCRYPTED) == 1
    assert await answer(f"{url}?ssl_mode=VERIFY_IDENTITY&ssl_ca={authority}", ENCRYPTED) == 1
    assert await answer(f"{url}?ssl_ca={authority}", ENCRYPTED) == 1
    assert await answer(f"{by_address}?ssl_ca={authority}&ssl_check_hostname=false", ENCRYPTED) == 1
    assert await answer(f"{url}?ssl_mode=DISABLED&charset=utf8mb4&connect_timeout=5", ENCRYPTED) == 0
    for refused in (f"{by_address}?ssl_ca={authority}", f"{url}?ssl_mode=VERIFY_IDENTITY"):
        with pytest.raises(UnavailableError, match="certificate"):
            await APIKeys(refused).schema_status()


def test_every_option_that_is_understood_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text()
    known = {
        *postgres_url.POSTGRES_OPTIONS,
        *mysql_url.MYSQL_OPTIONS,
        *sqlite_url.SQLITE_OPTIONS,
        *redis_url._OPTIONS,
        *redis_url._OF_TLS,
    }
    assert not sorted(name for name in known if f"`{name}" not in text)
