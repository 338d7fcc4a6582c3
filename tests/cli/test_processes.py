"""The real command, as a process: with pipes, at a terminal, on real servers."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, Outcome
from gatepost.base.secret import digest, secret_pattern
from tests.cli.conftest import COMMAND, Run, Shell, Terminal, environment


@pytest.fixture
async def keys(postgres_url: str) -> AsyncIterator[APIKeys]:
    """Keys that are not open yet, in a PostgreSQL database without tables."""
    keys = APIKeys(postgres_url, poll_interval=0.05, max_staleness=5)
    yield keys
    await keys.close()


async def test_a_database_without_tables_exits_4_until_they_are_made(
    shell: Shell, keys: APIKeys, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_DATABASE", postgres_url)
    for arguments in (("keys", "create", "x"), ("db", "status")):
        done = shell(*arguments)
        assert done.returncode == 4
        assert "gatepost db upgrade" in done.stderr

    status = shell("db", "status", "--json")
    assert orjson.loads(status.stdout)["current"] is None
    assert orjson.loads(status.stderr)["error"] == "schema"

    done = shell("db", "upgrade")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Made the tables in postgresql+asyncpg://")
    assert shell("db", "upgrade").stdout.startswith("Nothing to do")
    assert shell("db", "status").returncode == 0

    secret = shell("keys", "create", "x", "--quiet").stdout.strip()
    async with keys:
        assert (await keys.verify(secret)).outcome is Outcome.VALID


async def test_an_upgrade_tells_of_triggers_that_it_made_again(
    shell: Shell, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_DATABASE", postgres_url)
    shell("db", "upgrade")
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TRIGGER gatepost_keys_update ON gatepost_keys"))
    await engine.dispose()
    assert "has no triggers" in shell("doctor").stdout
    assert shell("db", "upgrade").stdout.startswith("Made the triggers in postgresql+asyncpg://")
    assert shell("db", "upgrade").stdout.startswith("Nothing to do")


async def test_an_invalidation_waits_for_the_workers_and_says_so(
    shell: Shell, keys: APIKeys, postgres_url: str
) -> None:
    await keys.create_schema()
    async with keys:
        issued = await keys.create("a key")
        assert (await keys.verify(issued.secret)).valid
        done = await asyncio.to_thread(shell, "db", "invalidate", "--database", postgres_url)
        assert (done.returncode, done.stdout) == (0, "Nothing read before is believed any more\n")
        assert done.stderr.startswith("Every worker acts on it: 1 of 1 confirmed")
        assert keys.hit(digest(issued.secret.encode())) is None
        told = await asyncio.to_thread(shell, "db", "invalidate", "--database", postgres_url, "--json")
        assert orjson.loads(told.stdout)["propagation"]["complete"] is True


def test_json_of_the_upgrade_tells_from_which_revision_to_which(shell: Shell, mariadb_url: str) -> None:
    first, second = (orjson.loads(shell("db", "upgrade", "--database", mariadb_url, "--json").stdout) for _ in range(2))
    assert (first["before"], second["before"]) == (None, first["after"])


async def test_tables_of_a_newer_gatepost_exit_4_and_name_the_way_out(
    shell: Shell, keys: APIKeys, postgres_url: str
) -> None:
    await keys.create_schema()
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gatepost_version SET version_num = '9999'"))
    await engine.dispose()
    for arguments in (("db", "status"), ("db", "upgrade"), ("keys", "list")):
        done = shell(*arguments, "--database", postgres_url)
        assert done.returncode == 4
        assert "pip install --upgrade gatepost" in done.stderr


async def test_a_deactivation_by_the_command_reaches_a_worker_at_once_over_redis(
    shell: Shell, postgres_url: str, redis_url: str
) -> None:
    worker = APIKeys(postgres_url, redis_url, poll_interval=1000, max_staleness=3000, redis_timeout=10)
    await worker.create_schema()
    async with worker:
        issued = await worker.create("x")
        assert (await worker.verify(issued.secret)).valid
        done = await asyncio.to_thread(
            shell, "keys", "deactivate", issued.key.id, "--database", postgres_url, "--redis", redis_url
        )
        assert (done.returncode, done.stdout) == (0, f"{issued.key.id}\tdeactivated\n")
        assert (await worker.verify(issued.secret)).outcome is Outcome.DEACTIVATED


def test_a_redis_that_does_not_answer_hinders_nothing(shell: Shell, sqlite_url: str) -> None:
    dead = ("--database", sqlite_url, "--redis", "redis://127.0.0.1:1")
    done = shell("keys", "create", "x", *dead)
    assert done.returncode == 0
    assert "Redis does not answer" in done.stderr
    assert shell("keys", "list", "--json", *dead).stderr == ""


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_a_database_that_does_not_answer_exits_1_without_its_password(shell: Shell, scheme: str) -> None:
    more = "?password=hunter3" if scheme == "postgresql" else ""  # the others take it before the host alone
    done = shell("keys", "list", "--database", f"{scheme}://someone:hunter2@127.0.0.1:1/keys{more}", "--debug")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "hunter" not in done.stderr


def test_a_password_is_never_printed(run: Run, postgres_url: str) -> None:
    with_password = re.sub(r"://[^@/]*@", "://postgres:hunter2@", postgres_url)
    verbs = (("db", "upgrade"), ("db", "status"), ("db", "status", "--json"), ("keys", "list", "--debug"))
    shown = "".join(run(*verb, "--database", with_password).output for verb in verbs)
    assert "://postgres:***@" in shown
    assert "hunter2" not in shown


def test_the_terminal_shows_a_new_secret_unbroken_on_a_line_of_its_own(terminal: Terminal, database: str) -> None:
    code, shown = terminal("keys", "create", "nightly import", "-p", "FILE_UPLOAD", "--prefix", "a" * 32)
    assert code == 0
    assert re.search(rf"^{secret_pattern('a' * 32)}$", shown, re.MULTILINE)
    assert "shown only now" in shown
    assert re.search(r"^permissions +FILE_UPLOAD  upload file *$", shown, re.MULTILINE)


def test_the_table_keeps_to_80_columns_and_one_line_per_key(run: Run, terminal: Terminal) -> None:
    run("keys", "create", "[red]long[/] :smile: " + "description " * 15, "--project", "p" * 100, "--expires", "1d")
    run("keys", "create", "日本語" * 50, "-p", "FILE_UPLOAD,DIR_MOVE")
    key_id = run("keys", "create", "off").stdout.split()[1]
    run("keys", "deactivate", key_id)
    code, shown = terminal("keys", "list")
    head, *lines = shown.splitlines()
    assert code == 0
    assert head.split() == ["ID", "STATUS", "PROJECT", "DESCRIPTION", "PERMS", "EXPIRES", "LAST", "USED"]
    assert len(lines) == 3
    assert all(re.match(r"[0-9A-Za-z]{12}  (active|expiring|deactivated) +", line) for line in lines)
    assert all(re.search(r"\d      (never|\d{4}-\d\d-\d\d) +never *$", line) for line in lines)
    assert all(len(line) <= 80 for line in (head, *lines))
    assert "[red]long" in lines[2]


def test_every_command_of_a_terminal_keeps_to_80_columns(run: Run, terminal: Terminal) -> None:
    key_id = run("keys", "create", "d" * 200, "-p", "FILE_UPLOAD,DIR_MOVE").stdout.split()[1]
    for arguments in (("keys", "show", key_id), ("keys", "deactivate", key_id), ("permissions",)):
        code, shown = terminal(*arguments)
        assert code == 0
        assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_delete_at_a_terminal_names_the_key_and_asks(run: Run, terminal: Terminal, typed: str, code: int) -> None:
    key_id = run("keys", "create", "nightly import").stdout.split()[1]
    ended, shown = terminal("keys", "delete", key_id, typed=typed)
    assert ended == code
    assert f"{key_id}  nightly import\nDelete this key for good? [y/N]" in shown
    assert len(run("keys", "list").stdout.splitlines()) == code


def test_delete_in_a_pipe_needs_yes(shell: Shell, run: Run) -> None:
    key_id = run("keys", "create", "x").stdout.split()[1]
    assert shell("keys", "delete", key_id).returncode == 2
    assert shell("keys", "delete", "-", given=key_id).returncode == 2
    assert shell("keys", "delete", "-", "--yes", given=key_id).stdout == f"{key_id}\tdeleted\n"


def test_a_reader_that_goes_away_gets_no_traceback(run: Run) -> None:
    for number in range(3):
        run("keys", "create", f"key {number}")
    process = subprocess.Popen(
        [*COMMAND, "keys", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process:
        assert "Traceback" not in process.stderr.read()


def test_a_description_that_the_encoding_lacks_is_still_printed(
    shell: Shell, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert shell("keys", "create", "naïve").returncode == 0
    assert "na\\xefve" in shell("keys", "list").stdout
