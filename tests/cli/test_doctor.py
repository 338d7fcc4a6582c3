"""What `gatepost doctor` tells people, pipes and probes."""

import re
from pathlib import Path
from typing import Any

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


APP = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from gatepost import APIKeyMiddleware, APIKeys

keys = APIKeys("{database}")
behind = dict(trusted_proxies=["10.0.0.0/8"], header="forwarded")
wrapped = APIKeyMiddleware(Starlette(), keys, **behind)
listed = Starlette(middleware=[Middleware(APIKeyMiddleware, keys=keys, **behind)])
plain = APIKeyMiddleware(Starlette(), keys)
"""


def test_it_tells_where_a_request_would_be_seen_to_be_from_and_by_which_rule(
    run: Run, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("db", "upgrade")
    (tmp_path / "behind_proxies.py").write_text(APP.format(database=database))
    monkeypatch.syspath_prepend(tmp_path)

    def told(name: str, *asked: str) -> Any:
        return orjson.loads(run("doctor", "--app", f"behind_proxies:{name}", "--json", *asked).stdout)["addresses"]

    hops = ("--hops", "for=203.0.113.1, for=198.51.100.7, for=10.0.0.2")
    for name in ("wrapped", "listed"):
        assert told(name) == {"rule": "the peer of the connection; from trusted proxies forwarded"}
        seen = told(name, "--peer", "10.0.0.1", *hops)
        assert seen == {
            "address": "198.51.100.7",
            "rule": "the rightmost hop of forwarded that is no trusted proxy",
        }
        assert told(name, "--peer", "192.0.2.1", *hops)["address"] == "192.0.2.1"
    assert told("plain", "--peer", "10.0.0.1", *hops) == {"address": "10.0.0.1", "rule": "the peer of the connection"}
    assert told("keys", "--peer", "unix")["address"] is None
    lines = run("doctor", "--app", "behind_proxies:wrapped", "--peer", "10.0.0.1").stdout.splitlines()
    assert "seen\tnone" in lines
    assert "by\tthere is no forwarded, though the peer of the connection is a trusted proxy" in lines
    assert run("doctor", *hops).exit_code == 2


@pytest.mark.parametrize("setting", ["*", "127.0.0.1, *", "0.0.0.0/0", "::/0"])
def test_an_environment_that_has_servers_believe_anybody_is_told_of(
    run: Run, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("db", "upgrade")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1,10.0.0.0/8")
    assert "forwarded_allow_ips" not in run("doctor").stdout
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", setting)
    done = run("doctor")
    assert done.exit_code == 0
    assert "warning\tforwarded_allow_ips\tuvicorn believes X-Forwarded-For whoever sends it" in done.stdout
    assert orjson.loads(run("doctor", "--json").stdout)["findings"][-1]["code"] == "forwarded_allow_ips"
