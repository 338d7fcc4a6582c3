"""`--app MODULE:NAME`: the command reads from the app what the app goes by."""

import os
from pathlib import Path

import orjson
import pytest

from gatepost.base.errors import BadInputError
from gatepost.cli.input.application import load_keys
from gatepost.cli.input.options import KeysOptions
from gatepost.cli.serve import _needed
from tests.cli.conftest import Run, Shell

APP = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from litestar import Litestar
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from gatepost import APIKeyMiddleware, APIKeys, Catalogue

class Notes(Catalogue):
    NOTES_READ = "read notes"
    ACCESS_READ = "view keys"
    ACCESS_MANAGE = "manage keys"

keys = APIKeys("sqlite:///of-the-app.db", catalogue=Notes, prefix="notes", server_keys=[bytes(32)])
added = FastAPI()
added.add_middleware(CORSMiddleware)
added.add_middleware(APIKeyMiddleware, keys=keys)
listed = Starlette(middleware=[Middleware(APIKeyMiddleware, keys)])
wrapped = CORSMiddleware(APIKeyMiddleware(Starlette(), keys))
outside = CORSMiddleware(added)
litestar = Litestar([], middleware=[DefineMiddleware(APIKeyMiddleware, keys=keys)])
plain = Starlette()
number = 7

def make():
    return added

def broken():
    raise RuntimeError("no settings")

def silent():
    raise RuntimeError
"""

TWO = APP + "\nothers = APIKeys('sqlite:///others.db')\nboth = APIKeyMiddleware(wrapped, others)\n"


@pytest.fixture(autouse=True)
def _module(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "two.py").write_text(TWO)


FOUND = ["keys", "added", "listed", "wrapped", "outside", "litestar", "plain", "make()"]


@pytest.mark.parametrize("name", FOUND)
def test_the_keys_are_found_wherever_an_app_has_them(shell: Shell, tmp_path: Path, name: str) -> None:
    made = orjson.loads(shell("keys", "create", "x", "-p", "NOTES_READ", "--app", f"shop:{name}", "--json").stdout)
    assert made["secret"].startswith("notes_")
    assert made["file_made"] == str(tmp_path / "of-the-app.db")
    assert shell("permissions", "--app", f"shop:{name}").stdout.startswith("NOTES_READ\tread notes\n")


def test_a_key_made_through_the_app_is_one_that_the_app_takes(shell: Shell, tmp_path: Path) -> None:
    os.environ["GATEPOST_APP"] = "shop:added"
    try:
        secret = shell("keys", "create", "x", "-p", "NOTES_READ", "-q").stdout.strip()
        assert shell("keys", "whoami", "--json", given=secret).returncode == 0
        assert "database\tsqlite+aiosqlite:///of-the-app.db" in shell("doctor").stdout.splitlines()
        assert "fits" in shell("db", "status").stdout
    finally:
        del os.environ["GATEPOST_APP"]
    assert shell("keys", "whoami", "--database", f"sqlite:///{tmp_path}/of-the-app.db", given=secret).returncode == 7


def test_what_is_typed_counts_more_than_the_app_and_the_app_more_than_the_environment(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_DATABASE", "sqlite:///of-the-environment.db")
    monkeypatch.setenv("GATEPOST_PREFIX", "env")
    assert "of-the-app.db" in shell("db", "upgrade", "--app", "shop:keys").stdout
    assert "typed.db" in shell("db", "upgrade", "--app", "shop:keys", "--database", "sqlite:///typed.db").stdout
    typed = shell("keys", "create", "x", "--app", "shop:keys", "--database", "sqlite:///typed.db", "-q").stdout
    assert typed.startswith("notes_")
    assert {each.name for each in tmp_path.glob("*.db")} == {"of-the-app.db", "typed.db"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("shop", "must be MODULE:NAME, such as main:app"),
        ("nowhere:app", "No module named 'nowhere'"),
        ("shop:nothing", "has no attribute 'nothing'"),
        ("shop:broken()", "RuntimeError: no settings"),
        ("shop:silent()", "--app 'shop:silent()': RuntimeError\n"),
        ("two:plain", "leads to 2 different APIKeys: name the variable that holds them, such as two:keys"),
        ("two:both", "leads to 2 different APIKeys"),
        ("json:dumps", "leads to no APIKeys"),
    ],
)
def test_what_leads_to_no_keys_or_to_several_is_one_clear_line(shell: Shell, given: str, told: str) -> None:
    done = shell("keys", "list", "--app", given)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_app_that_wraps_itself_ends_the_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "round.py").write_text("class A: pass\na = A()\na.app = a\n")
    with pytest.raises(BadInputError, match="leads to no APIKeys"):
        load_keys("round:a", "--app")


def test_without_a_name_no_database_is_made(shell: Shell, tmp_path: Path) -> None:
    done = shell("keys", "create", "x")
    assert done.returncode == 4
    assert f"There is no SQLite file {tmp_path}/gatepost.db" in done.stderr
    assert f"gatepost db upgrade --database sqlite:///{tmp_path}/gatepost.db" in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_a_variable_with_a_letter_wrong_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_DATABSE", "postgresql://user:hunter2@host/name")
    done = shell("keys", "create", "x")
    assert done.returncode == 2
    assert "GATEPOST_DATABSE means nothing to gatepost. Did you mean GATEPOST_DATABASE?" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "text", "typed"),
    [
        ("GATEPOST_DATABASE", "mongodb://hunter2@localhost/keys", ()),
        ("GATEPOST_REDIS", "http://hunter2@localhost", ("--redis", "http://localhost")),
        ("GATEPOST_CATALOGUE", "json:dumps", ("--catalogue", "json:loads")),
        ("GATEPOST_PREFIX", "Gp", ("--prefix", "Gq")),
        ("GATEPOST_SERVER_KEYS", "abcd", None),
        ("GATEPOST_VAULT_KEYS", "hunter2", None),
        ("GATEPOST_MAX_GRACE", "-1", ("--max-grace", "9000w")),
        ("GATEPOST_ENVIRONMENT", "prod", None),
        ("GATEPOST_APP", "nowhere:app", ("--app", "nowhere:keys")),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_what_is_typed_is_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, typed: tuple[str, str] | None
) -> None:
    assert run("db", "upgrade").exit_code == 0
    monkeypatch.setenv(variable, text)
    done = run("keys", "list")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: {variable}")
    assert "hunter2" not in done.stderr
    if typed:
        done = run("keys", "list", *typed)
        assert done.exit_code == 2
        assert variable not in done.stderr


def test_what_a_command_prints_to_be_pasted_leads_to_the_same_keys_and_holds_no_password(tmp_path: Path) -> None:
    typed = frozenset({"database", "prefix"})
    assert KeysOptions(database="sqlite:///a b.db").place() == f"--database 'sqlite:///{tmp_path}/a b.db'"
    assert KeysOptions(database="mysql://u@h/db", prefix="my").place() == "--database mysql://u@h/db --prefix my"
    secret = KeysOptions(database="postgresql://u:hunter2@h/db?sslpassword=hunter2")
    assert secret.place() == '--database "$GATEPOST_DATABASE"'
    assert list(_needed(secret)) == [
        "export GATEPOST_DATABASE='postgresql+asyncpg://u:***@h/db'    # with its password in place of ***"
    ]
    app = KeysOptions(app="shop:keys", database="sqlite:///x.db").prepared(frozenset({"app"}))
    assert app.place() == "--app shop:keys"
    assert list(_needed(app)) == [f"cd {tmp_path}"]
    both = KeysOptions(app="shop:keys", database="sqlite:///x.db", prefix="my").prepared(typed)
    assert both.place() == f"--database sqlite:///{tmp_path}/x.db --prefix my"
