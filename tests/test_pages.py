"""What the README and the pages in docs/ show, run as it stands there."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse

import gatepost
from gatepost import APIKeyMiddleware, APIKeys
from gatepost.database.connecting.url import parse_url, to_driver
from gatepost.redis.url import check_url
from tests.readme import INSTALL, MAIN, ROOT, blocks, first_commands

BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 600
"""Type checkers and servers start slowly on a busy machine."""

PRELUDE = """
import ast, asyncio, hashlib, inspect, sys
from typing import Annotated
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from gatepost import *
from gatepost import APIKeyMiddleware, APIKeys, Bearer, Header, ImportedKey, Readiness, requires

class User(BaseModel):
    name: str

async def current_user() -> User:
    return User(name="ann")

async def old_store_check(secret):
    return None

old_rows = [{"sha256": hashlib.sha256(b"old").hexdigest(), "name": "old", "tenant": None, "prefix": "old_"}]
names = dict(globals())

async def run(blocks):
    async with APIKeys("sqlite:///page.db") as keys:
        names.update(app=FastAPI(), keys=keys)
        for number, block in enumerate(blocks):
            code = compile(block, f"block {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waits = eval(code, names)
            if inspect.iscoroutine(waits):
                await waits
        await names["keys"].close()
        app = names["app"]
        print("routes", *sorted({route.path for route in getattr(app, "routes", ()) if hasattr(route, "path")}))
"""


def run_blocks(given: Sequence[str], folder: Path) -> str:
    """Run them one after the other, in one module that awaits, in a process of its own; what it printed."""
    code = f"{PRELUDE}\nasyncio.run(run({list(given)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_shows_the_two_commands_and_the_scanners_expression() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in ("pip install gatepost", "make demo", "make test"):
        assert command in readme[:1500]
    assert gatepost.secret_pattern() in readme
    assert gatepost.secret_pattern() in (ROOT / "docs" / "scanners.md").read_text()


def test_the_index_of_decisions_has_each_of_them_by_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    notes = sorted(folder.glob("0*.md"))
    assert len(notes) >= 30
    for note in notes:
        number, _, title = note.read_text().partition("\n")[0].removeprefix("# ").partition(": ")
        assert note.name.startswith(f"{number}-")
        assert f"| [{number}]({note.name}) | {title[0].upper()}{title[1:]} |" in index


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_what_a_page_for_developers_links_to_is_there(page: str) -> None:
    found = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert all(((ROOT / page).parent / name).exists() for name in found), found


def test_the_page_of_topologies_names_urls_that_are_taken_and_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "topologies.md").read_text()
    urls = re.findall(r"`(\w[\w+]*://[^`]+)`", page)
    for url in urls:
        if url.startswith(("redis", "rediss")):
            check_url(url.replace("/etc/gatepost/ca.pem", __file__))  # there has to be a file
        else:
            to_driver(parse_url(url))
    assert len(urls) >= 10
    files = set(re.findall(r"`(tests/[^`]+)`", page))
    assert len(files) >= 10
    assert not [file for file in files if not (ROOT / file).exists()]


def test_every_page_that_the_readme_names_is_there() -> None:
    pages = re.findall(r"\]\(([^)#:]+)[)#]", (ROOT / "README.md").read_text())
    assert len(pages) > 8
    assert [page for page in pages if not (ROOT / page).exists()] == []


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/app.md",
        "docs/estate.md",
        "docs/moving.md",
        "docs/policies.md",
        "docs/scale.md",
        "docs/scanners.md",
    ],
)
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    given = [block for block in blocks(page) if block != MAIN]
    assert given
    printed = run_blocks(given, tmp_path)
    if page == "README.md":
        assert {"/files", "/imports", "/me", "/ready", "/settings/api-keys"} <= set(printed.split())


@pytest.mark.timeout(PATIENCE_SECONDS)
def test_the_first_app_is_fastapis_own_and_typed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(MAIN)
    code = "import fastapi, main; assert type(main.app) is fastapi.FastAPI; print(*main.app.openapi()['paths'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "/objects\n"
    mypy = [sys.executable, "-m", "mypy", str(tmp_path / "main.py")]  # strict, and with what `make check` has cached
    checked = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.timeout(PATIENCE_SECONDS)
def test_the_first_commands_work_as_they_stand(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    assert INSTALL == "pip install 'gatepost[cli]' fastapi uvicorn\n"
    out, err = first_commands(BIN, tmp_path)
    assert out.endswith('["sunset.jpg"]'), err
    assert "Made the SQLite file" in err


class OldStore:
    """PBKDF2 over salted secrets, as other libraries have it."""

    def __init__(self, *secrets: str) -> None:
        self.asked = 0
        row: dict[str, Any] = {"permissions": [], "tenant": None}
        self._rows = {self._hash(secret): row | {"name": secret} for secret in secrets}

    @staticmethod
    def _hash(secret: str) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", secret.encode(), b"salt", 1)

    async def check(self, secret: str) -> dict[str, Any] | None:
        """The row, once: what was moved is refused from then on."""
        self.asked += 1
        return self._rows.pop(self._hash(secret), None)


async def test_a_secret_of_a_store_that_cannot_be_imported_is_moved_on_its_first_use(sqlite_url: str) -> None:
    names: dict[str, Any] = {}
    exec(blocks("docs/moving.md")[1].partition("\n\napp =")[0], names)
    store = OldStore("old_ann", "old_bob")

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["api_key"].description.encode()})

    async with APIKeys(sqlite_url, foreign_secrets=True) as keys:
        app = names["MoveOnFirstUse"](gatepost.APIKeyMiddleware(answer, keys), keys, store.check)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app") as http:

            async def told(secret: str) -> tuple[int, str]:
                response = await http.get("/", headers={"X-API-Key": secret})
                return response.status_code, response.text if response.status_code == 200 else ""

            assert await told("old_ann") == (200, "old_ann")
            assert store.asked == 1
            assert await told("old_ann") == (200, "old_ann")
            assert store.asked == 1, "moved for good"
            assert await told("old_eve") == (401, "")
            assert await told("new_bob") == (401, "")
            assert store.asked == 2, "texts of another form are not asked for"
            (moved,) = (await keys.list()).items
            await keys.deactivate(moved.id)
            assert await told("old_ann") == (401, "")
            assert store.asked == 2, "switched off stays switched off"
            await keys.delete(moved.id)
            assert await told("old_ann") == (401, ""), "deleted does not come back"
            assert await told("old_bob") == (200, "old_bob")


async def test_a_key_of_one_shard_is_none_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def whoami(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(scope["api_key"].project)(scope, receive, send)

    names: dict[str, Any] = {"APIKeys": APIKeys, "APIKeyMiddleware": APIKeyMiddleware, "app": whoami}
    (shown,) = blocks("docs/scale.md")
    exec(shown, names)
    site, shards = names["site"], names["shards"]
    async with site.router.lifespan_context(site):
        secret = (await shards["acme"].create("a key", project="acme")).secret
        origin, transport = "http://site", httpx2.ASGITransport(site)
        async with httpx2.AsyncClient(transport=transport, base_url=origin) as client:
            client.headers["X-API-Key"] = secret
            assert (await client.get("/acme/")).text == "acme"
            assert (await client.get("/globex/")).status_code == 401
            reads = shards["globex"]._opened().lookup.counts.reads
        assert reads == 0
