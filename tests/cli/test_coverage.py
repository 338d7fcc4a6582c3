"""`gatepost coverage`: an app's routes at the shell, in CI, and joined with keys."""

import gc
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gatepost.cli.codes import ExitCode
from tests.cli.conftest import Run, Shell, Terminal

COLLECTED_MAX = 10
"""Passes of the collector that printing and ending may take; the list alone, of 100,000 objects, is 140 and more."""

APP = """
from fastapi import FastAPI
from gatepost import APIKeyMiddleware, APIKeys, Catalogue, requires

class Shop(Catalogue):
    BUY = "buy things"
    SELL = "sell things"

keys = APIKeys("sqlite:///shop.db", catalogue=Shop)
app = FastAPI(openapi_url=None)
app.add_middleware(APIKeyMiddleware, keys=keys, exempt=["/health", "/old"])

@app.get("/health")
def health(): raise SystemExit("a handler ran")

@app.get("/things")
def things(): raise SystemExit("a handler ran")

@app.post("/things")
@requires("BUY")
def buy(): raise SystemExit("a handler ran")

number = 7
"""

ABOVE = """
@requires("SELL")
@app.delete("/things/{name}")
def sell(name: str): ...
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(APP)
    return file


def test_the_app_is_named_alone_or_by_the_option_of_all_commands(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = run("coverage", "shop:app", "--no-keys")
    assert (alone.exit_code, alone.stderr) == (0, "")
    assert run("coverage", "--app", "shop:app", "--no-keys").stdout == alone.stdout
    monkeypatch.setenv("GATEPOST_APP", "shop:number")
    assert run("coverage", "--app", "shop:app", "--no-keys").stdout == alone.stdout


def test_a_pipe_gets_a_line_per_route_and_one_per_finding(shell: Shell) -> None:
    done = shell("coverage", "shop:app", "--no-keys", "--probe")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[:3] == [
        ["GET /health", "nothing: exempt", "let in", "shop.py:13"],
        ["GET /things", "a key", "refused", "shop.py:16"],
        ["POST /things", "BUY", "refused", "shop.py:19"],
    ]
    assert [line[:3] for line in lines[3:]] == [
        ["warning", "key_only", "GET /things"],
        ["note", "exempt", "GET /health"],
        ["warning", "dead_exempt", "/old"],
        ["note", "unasked", "SELL"],
    ]
    assert "shop.things (shop.py:16)" in lines[3][4]


def test_a_terminal_gets_a_table_and_sums(terminal: Terminal) -> None:
    code, shown = terminal("coverage", "shop:app", "--no-keys")
    assert code == 0
    assert "ROUTE" in shown
    assert "note: no route asks for: SELL" in shown
    assert shown.rstrip().endswith("3 routes; needed: 1 permissions, 1 a key, 1 nothing: exempt")


def test_ci_fails_on_what_is_new_and_says_what_is_gone(shell: Shell, shop: Path) -> None:
    assert shell("coverage", "shop:app", "--write-baseline", "accepted.toml").returncode == 0
    done = shell("coverage", "shop:app", "--check", "accepted.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shop.write_text(APP.replace('"/health", "/old"', '"/health"') + ABOVE)
    done = shell("coverage", "shop:app", "--check", "accepted.toml")
    assert done.returncode == 1
    assert [line.split("\t")[:3] for line in done.stdout.splitlines()] == [
        ["error", "guard_above", "DELETE /things/{name}"]
    ]
    assert "shop.py:25: move @requires below" in done.stdout
    assert done.stderr == "In the baseline, and not found any more: dead_exempt: /old\n"
    told = orjson.loads(shell("coverage", "shop:app", "--check", "accepted.toml", "--json").stdout)
    assert [gap["code"] for gap in told["new"]] == ["guard_above"]
    assert told["gone"] == ["dead_exempt: /old"]


def test_with_keys_what_they_have_is_joined_and_without_a_database_a_note_says_why_not(
    shell: Shell, shop: Path
) -> None:
    done = shell("coverage", "shop:app")
    assert done.returncode == 0
    assert done.stderr.startswith("Keys were not looked at: There is no SQLite file")
    shell("db", "upgrade", "--app", "shop:app")
    shell("keys", "create", "seller", "-p", "SELL,BUY", "--app", "shop:app")
    assert "unused" not in shell("coverage", "shop:app").stdout, "it is a minute old"
    with closing(sqlite3.connect(shop.parent / "shop.db")) as connection, connection:
        connection.execute("UPDATE gatepost_keys SET created_at = '2020-01-31 00:00:00.000000'")
    done = shell("coverage", "shop:app", "--unused-for", "7d")
    assert done.stderr == ""
    assert "BUY\t1\t1\t0" in done.stdout.splitlines()
    assert "warning\tunused\tBUY\t1 active key has BUY, and none has used it in 7 days" in done.stdout
    told = orjson.loads(shell("coverage", "shop:app", "--json").stdout)
    assert told["permissions"] == [{"name": "BUY", "routes": ["POST /things"], "holders": 1, "used_by": 0}]
    assert list(told["keys"]["unused"].values()) == [["BUY", "SELL"]]
    assert told["counts"] == {"permissions": 1, "key": 1, "exempt": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Name the app, as a server is given it: gatepost coverage main:app"),
        (("shop:app", "--app", "shop:other"), 2, "Name one app: 'shop:app', or --app 'shop:other'"),
        (("--app", "shop:number"), 2, "is no ASGI app, but int"),
        (("shop",), 2, "must be MODULE:NAME, such as main:app"),
        (("shop:nothing",), 2, "has no attribute 'nothing'"),
        (("shop:number",), 2, "is no ASGI app, but int"),
        (("shop:app", "--check", "none.toml"), 2, "there is no file none.toml. Make it with --write-baseline"),
        (("shop:app", "--unused-for", "1h"), 2, "--unused-for must be a day or more"),
        (("shop:app", "--no-keys", "--database", "sqlite:///x.db"), 2, "--no-keys and --database exclude each other"),
        (("shop:app", "--database", "sqlite:///x.db"), 4, "There is no SQLite file"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(shell: Shell, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = shell("coverage", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


GROWING = """
import gc

class Collected:
    def __init__(self): self.times = 0
    def __call__(self, phase, info): self.times += phase == "start"

collected = Collected()
gc.callbacks.append(collected)

def looked_at():
    print("collected", collected.times)

import atexit
atexit.register(looked_at)
kept = [[number] for number in range(100_000)]
"""


def test_no_garbage_is_looked_for_while_an_app_is_imported_and_read(shell: Shell, shop: Path) -> None:
    """An app of 1,000 routes and SQLAlchemy are half a million objects, none of them garbage."""
    shop.write_text(GROWING + APP)
    done = shell("coverage", "shop:app", "--no-keys")
    *_, told = done.stdout.splitlines()
    assert done.returncode == 0
    assert int(told.removeprefix("collected ")) <= COLLECTED_MAX


def test_an_app_that_cannot_be_imported_leaves_the_collector_on(run: Run) -> None:
    assert run("coverage", "nowhere:app", "--no-keys").exit_code == ExitCode.BAD_INPUT
    assert gc.isenabled()
