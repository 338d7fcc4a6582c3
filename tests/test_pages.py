"""What the README and the pages in docs/ show, run as it stands there; each block of code: tests/pages."""

import asyncio
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
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
ORIGIN = "http://app"
PATIENCE_SECONDS = 600
"""Type checkers and servers start slowly on a busy machine."""


def test_the_readme_shows_the_two_commands_and_pages_the_scanners_expression() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in ("pip install gatepost", "make demo", "make test"):
        assert command in readme[:1500]
    for page in ("scanners.md", "tutorial.md"):
        assert gatepost.secret_pattern() in (ROOT / "docs" / page).read_text()


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


@pytest.mark.timeout(PATIENCE_SECONDS)
def test_the_whole_app_of_the_tutorial_passes_its_own_tests(tmp_path: Path) -> None:
    for name in ("main.py", "conftest.py", "test_main.py"):
        (shown,) = (block for block in blocks("docs/tutorial.md")[1:] if block.startswith(f"# {name}\n"))
        (tmp_path / name).write_text(shown)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(pytest_, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout
    asked = [str(BIN / "gatepost"), "coverage", "main:app", "--json"]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r'"FILE_UPLOAD"', told.stdout), told.stderr


class OldStore:
    """PBKDF2 over salted secrets, as other libraries have it. `told`: of each of its keys, beside the name."""

    def __init__(self, *secrets: str) -> None:
        self.asked = 0
        self.told: dict[str, Any] = {"permissions": ["OBJECTS_LIST"]}
        self._names = {self._hash(secret): secret for secret in secrets}

    @staticmethod
    def _hash(secret: str) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", secret.encode(), b"salt", 1)

    async def check(self, secret: str) -> dict[str, Any] | None:
        """What is known of it, until it is marked."""
        self.asked += 1
        name = self._names.get(self._hash(secret))
        await asyncio.sleep(0)  # others come meanwhile
        return None if name is None else {"description": name, **self.told}

    async def mark(self, secret: str) -> None:
        """Refuse it from now on."""
        self._names.pop(self._hash(secret), None)


Told = Callable[[str], Awaitable[tuple[int, str]]]


@asynccontextmanager
async def moving_to(url: str, store: OldStore, **options: Any) -> AsyncIterator[tuple[APIKeys, Told]]:
    """A worker that has the page's way to move on first use, over HTTP, and what a client is told with a secret."""
    names: dict[str, Any] = {}
    exec(blocks("docs/moving.md")[1].partition("\n\napp =")[0], names)

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["api_key"].description.encode()})

    async with APIKeys(url, foreign_secrets=True, **options) as keys:
        app = names["MoveOnFirstUse"](
            gatepost.APIKeyMiddleware(answer, keys), keys, store.check, store.mark, rb"old_\w+"
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:

            async def told(secret: str) -> tuple[int, str]:
                response = await http.get("/", headers={"X-API-Key": secret})
                return response.status_code, response.text if response.status_code == 200 else ""

            yield keys, told


@pytest.fixture
async def moving(sqlite_url: str) -> AsyncIterator[tuple[APIKeys, OldStore, Told]]:
    store = OldStore("old_ann", "old_bob")
    async with moving_to(sqlite_url, store) as (keys, told):
        yield keys, store, told


class SharedStore(OldStore):
    """One that two workers ask: both have been told before either goes on. `is_late`: but the second is told only once
    the first has moved and marked the secret."""

    def __init__(self, *secrets: str, is_late: bool) -> None:
        super().__init__(*secrets)
        self._is_late = is_late
        self._both = asyncio.Barrier(2)
        self._marked = asyncio.Event()

    async def check(self, secret: str) -> dict[str, Any] | None:
        is_second = await self._both.wait() == 1
        if self._is_late and is_second:
            await self._marked.wait()
        return await super().check(secret)

    async def mark(self, secret: str) -> None:
        await super().mark(secret)
        self._marked.set()


@pytest.mark.parametrize("is_late", [False, True])
async def test_two_workers_that_move_a_secret_at_once_both_let_it_in(database_url: str, is_late: bool) -> None:
    store = SharedStore("old_ann", is_late=is_late)
    await APIKeys(database_url).create_schema()
    async with (
        moving_to(database_url, store, poll_interval=60.0, max_staleness=600.0) as (keys, one),
        moving_to(database_url, store, poll_interval=60.0, max_staleness=600.0) as (_, other),
    ):
        assert [*await asyncio.gather(one("old_ann"), other("old_ann"))] == 2 * [(200, "old_ann")]
        assert [await one("old_ann"), await other("old_ann")] == 2 * [(200, "old_ann")]
        assert len((await keys.list()).items) == 1
        assert store.asked == 2


async def test_a_secret_of_a_store_that_cannot_be_imported_is_moved_on_its_first_use(
    moving: tuple[APIKeys, OldStore, Told],
) -> None:
    keys, store, told = moving
    assert await told("old_ann") == (200, "old_ann")
    assert store.asked == 1
    assert await told("old_ann") == (200, "old_ann")
    assert store.asked == 1, "moved for good"
    assert await told("old_eve") == (401, "")
    assert await told("new_bob") == (401, "")
    assert store.asked == 2, "texts of another form are not asked for"
    (moved,) = (await keys.list()).items
    assert moved.permissions == {"OBJECTS_LIST"}
    await keys.deactivate(moved.id)
    assert await told("old_ann") == (401, "")
    assert store.asked == 2, "switched off stays switched off"
    await keys.delete(moved.id)
    assert await told("old_ann") == (401, ""), "deleted does not come back"
    assert await told("old_bob") == (200, "old_bob")


async def test_requests_that_come_at_once_with_a_secret_to_be_moved_are_all_let_in(
    moving: tuple[APIKeys, OldStore, Told],
) -> None:
    keys, store, told = moving
    assert await asyncio.gather(*(told("old_ann") for _ in range(4))) == 4 * [(200, "old_ann")]
    assert store.asked == 1
    assert len((await keys.list()).items) == 1


async def test_a_secret_that_could_not_be_moved_is_moved_when_it_comes_again(
    moving: tuple[APIKeys, OldStore, Told],
) -> None:
    keys, store, told = moving
    store.told = {"permissions": ["OBJECT_LIST"]}
    with pytest.raises(gatepost.BadInputError, match="OBJECT_LIST"):
        await told("old_ann")
    store.told = {"expires_at": datetime.now(UTC) + timedelta(days=1), "limits": [gatepost.Rate(1, per=60)]}
    assert await told("old_ann") == (200, "old_ann")
    assert await told("old_ann") == (429, ""), "what bounds it there bounds it here"
    (moved,) = (await keys.list()).items
    assert moved.expires_at is not None


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
