"""What `gatepost doctor` tells people, pipes and probes."""

import re

import orjson
import pytest
from sqlalchemy import make_url

from tests.cli.conftest import Run, Shell, Terminal
from tests.conftest import started
from tests.servers.pgbouncer import pgbouncer


def test_a_database_that_is_ready_exits_0_also_with_warnings(run: Run, terminal: Terminal, database: str) -> None:
    run("db", "upgrade")
    done = run("doctor", "--redis", "redis://:hunter2@127.0.0.1:1")
    assert done.exit_code == 0
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert ["status", "ready"] in lines
    assert ["warning", "redis_down"] in [line[:2] for line in lines]
    assert "hunter2" not in done.output
    code, shown = terminal("doctor", "--redis", "redis://127.0.0.1:1")
    assert code == 0
    assert "warning: Redis does not answer" in shown
    assert "Nothing to mend." in terminal("doctor")[1]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_database_that_is_down_exits_1_and_says_what_to_check(run: Run, scheme: str) -> None:
    done = run("doctor", "--database", f"{scheme}://someone:hunter2@127.0.0.1:1/x", "--json")
    assert done.exit_code == 1
    said = orjson.loads(done.stdout)
    assert (said["ready"], said["findings"][0]["code"]) == (False, "database_down")
    assert "hunter2" not in done.output


def test_missing_tables_and_files_exit_4(run: Run, postgres_url: str) -> None:
    done = run("doctor", "--database", postgres_url)
    assert done.exit_code == 4
    assert "gatepost db upgrade" in done.stdout
    assert run("doctor").exit_code == 4, "a file that does not exist is not made"
    assert run("doctor").exit_code == 4


def test_a_pooler_is_told_of_with_its_mode(run: Run, terminal: Terminal, ready_postgres_url: str) -> None:
    given = make_url(ready_postgres_url)
    if "host" not in given.query or given.database is None:
        pytest.skip("TEST_DATABASE_URL has no unix socket to put pgbouncer in front of")
    with started(lambda: pgbouncer(ready_postgres_url, pool_mode="transaction")) as pooler:
        url = pooler.url(given.database)
        assert run("doctor", "--database", url).exit_code == 0
        code, shown = terminal("doctor", "--database", url)
        said = orjson.loads(run("doctor", "--database", url, "--json").stdout)
    assert code == 0
    assert re.search(r"pooler +transaction mode", shown)
    assert "note: A connection pooler in transaction mode stands before the database." in shown
    assert said["database"]["pooler"] == "transaction"
    assert "pooler " not in terminal("doctor", "--database", ready_postgres_url)[1]


def test_a_url_that_is_none_exits_2(shell: Shell) -> None:
    assert shell("doctor", "--database", "nothing").returncode == 2
