"""The plugin in a user's suite (`suite`), run by pytest as users run it: with every warning an error."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "suite"
ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path = SUITE) -> str:
    """What pytest prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GATEPOST"))}
    command = [sys.executable, "-m", "pytest", "-c", str(folder / "pytest.ini"), f"--confcutdir={folder}", *arguments]
    done = subprocess.run(
        [*command, str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_it_works_in_every_arrangement_of_event_loops(processes: tuple[str, ...]) -> None:
    told = run(*processes)
    assert re.search(r"^2\d passed in ", told, re.MULTILINE), told


def user(folder: Path, conftest: str, test: str) -> str:
    """What pytest prints of a suite with these files."""
    (folder / "pytest.ini").write_text((SUITE / "pytest.ini").read_text())
    (folder / "conftest.py").write_text(f'import pytest\npytest_plugins = ["gatepost.testing"]\n{conftest}')
    (folder / "test_one.py").write_text(test)
    return run("-p", "no:anyio", folder=folder)


def test_an_app_may_be_made_with_the_keys_of_the_test_and_read_secrets_from_a_header_of_its_own(tmp_path: Path) -> None:
    conftest = """
from gatepost import Header

@pytest.fixture(scope="session")
def gatepost_source():
    return Header("X-Filerobot-Key")
"""
    test = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from gatepost import APIKeyMiddleware, Header, requires

@requires("FILE_UPLOAD")
async def upload(request):
    return PlainTextResponse(request.scope["api_key"].description)

def test_it(api_keys, key_headers):
    app = APIKeyMiddleware(Starlette(routes=[Route("/", upload)]), api_keys.keys, sources=[Header("X-Filerobot-Key")])
    with TestClient(app) as client:
        assert client.get("/", headers=key_headers("FILE_UPLOAD", description="nightly")).text == "nightly"
        assert client.get("/", headers=key_headers()).status_code == 403
"""
    told = user(tmp_path, conftest, test)
    assert "1 passed" in told, told


def test_keys_that_are_none_are_named_with_what_to_return(tmp_path: Path) -> None:
    conftest = '\n@pytest.fixture(scope="session")\ndef gatepost_keys():\n    return "main:keys"\n'
    told = user(tmp_path, conftest, "def test_it(): pass\n")
    assert "gatepost_keys must return an APIKeys, or a list of them, not str" in told
    told = user(tmp_path, conftest.replace('"main:keys"', "[]"), "def test_it(): pass\n")
    assert "gatepost_keys returned no APIKeys: return those of the app, or None" in told


def test_keys_that_nobody_returned_are_told_of_where_a_test_fails(tmp_path: Path) -> None:
    test = """
from starlette.applications import Starlette
from starlette.testclient import TestClient
from gatepost import APIKeyMiddleware, APIKeys

def test_it(key_headers, api_keys, tmp_path):
    for keys, status in ((api_keys.keys, 404), (APIKeys(f"sqlite:///{tmp_path}/its_own.db"), 404)):
        with TestClient(APIKeyMiddleware(Starlette(), keys)) as client:
            assert client.get("/", headers=key_headers()).status_code == status
"""
    told = user(tmp_path, "", test)
    assert "assert 401 == 404" in told, told
    assert told.count("Keys are opened on the database that they name") == 1
    assert "have the fixture gatepost_keys, in conftest.py, return these too" in told


def test_who_only_has_gatepost_installed_loads_no_plugin_in_a_run_of_pytest() -> None:
    assert not [each for each in entry_points(group="pytest11") if each.value.startswith("gatepost")]


def test_it_is_loaded_by_no_import_of_gatepost_and_loads_no_database_itself() -> None:
    code = """
import sys, gatepost
assert not {"pytest", "gatepost.testing", "fakeredis"} & set(sys.modules)
import gatepost.testing
assert not {"sqlalchemy", "fakeredis", "redis", "aiosqlite"} & set(sys.modules), "only where a test begins"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
