"""The Python of every page: what is an app or a script runs, what is a test passes."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.pages.presumed import NAMES, PRESUMED, PROVED, TESTED_APP
from tests.pages.reading import Block, of, pages
from tests.readme import MAIN

TEST_CODE = re.compile(r"^(async )?def test_|^@pytest\.fixture|^pytest_plugins", re.MULTILINE)
ELSEWHERE = {
    "docs/telemetry.md": "one process has metrics in one way: each of its ways runs in tests/telemetry/test_page.py",
}
"""Pages whose Python another test runs, and why not this one."""
RUNS = {block.page for block in of("python") if not TEST_CODE.search(block.text)} - set(ELSEWHERE)
TESTS = {block.page for block in of("python") if TEST_CODE.search(block.text)} - set(ELSEWHERE)
WHOLE = {
    "docs/django.md": ("POST /files FILE_UPLOAD", "GET /files OBJECTS_LIST"),
    "docs/quart.md": ("POST /files FILE_UPLOAD", "GET /files OBJECTS_LIST"),
    "docs/starlette.md": ("POST /files FILE_UPLOAD", "GET /files OBJECTS_LIST"),
    "docs/fastapi.md": ("POST /files FILE_UPLOAD",),
    "docs/litestar.md": ("POST /files FILE_UPLOAD",),
}
"""Pages of frameworks, which begin with a whole app, and the requests that need a permission there."""
ASK = """
import asyncio, sys
import httpx2
import main

ORIGIN = "http://localhost"

async def ask():
    transport = httpx2.ASGITransport(main.app)
    async with main.keys, httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        nobody = await main.keys.create("may nothing")
        for line in sys.argv[1:]:
            method, path, permission = line.split()
            key = await main.keys.create("may", [permission])
            given = {"json": {"name": "a"}} if method == "POST" else {}
            for secret, status in ((None, [401]), (nobody.secret, [403]), (key.secret, [200, 201])):
                headers = {} if secret is None else {"X-API-Key": secret}
                answer = await http.request(method, path, headers=headers, **given)
                assert answer.status_code in status, (line, answer.status_code, answer.text)

asyncio.run(ask())
"""


def python(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, without this shell's settings; what it printed."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GATEPOST_")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(presumed: str, given: Sequence[Block], folder: Path) -> str:
    """Run them one after the other, in one module that awaits, in a process of its own; what it printed."""
    told = [("what the page takes for granted", presumed)]
    for number, block in enumerate(given):
        told.append((str(block), "\n" * block.line + block.text))  # so that errors name the page's line
        told.append((f"what is to come of {block}", PROVED.get((block.page, number), "")))
    return python(folder, "-c", f"{NAMES}\nasyncio.run(_run({told!r}))")


def test_what_is_left_to_other_tests_is_there() -> None:
    assert {block.page for block in of("python")} >= {*ELSEWHERE, *PRESUMED, *(page for page, _ in PROVED)}


@pytest.mark.parametrize("page", sorted(RUNS))
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    given = [block for block in of("python", page=page) if block.text != MAIN and not TEST_CODE.search(block.text)]
    printed = run(PRESUMED.get(page, ""), given, tmp_path)
    if page == "docs/tutorial.md":
        assert {"/files", "/imports", "/me", "/ready", "/settings/api-keys"} <= set(printed.split())


OWN_HEADER = ', sources=[Header("X-Filerobot-Key")]'
"""Of an app that reads another header, as the fixture `gatepost_source` says."""
SUITES = [(page, "") for page in sorted(TESTS)]
SUITES += [(block.page, OWN_HEADER) for block in of("python") if "def gatepost_source" in block.text]


@pytest.mark.parametrize(("page", "options"), SUITES)
def test_the_tests_on_a_page_pass(page: str, options: str, tmp_path: Path) -> None:
    given = of("python", page=page)
    tests = [block.text for block in given if re.search(r"^(async )?def test_", block.text, re.MULTILINE)]
    fixtures = [block.text for block in given if TEST_CODE.search(block.text) and block.text not in tests]
    own = [block for block in fixtures if "def gatepost_source" in block]
    conftest = [block for block in fixtures if options or block not in own]
    (shown,) = [block.text for block in of("python", page="docs/testing.md") if "pytest_plugins" in block.text]
    main = given[0].text if page in WHOLE else TESTED_APP.format(options=options)
    (tmp_path / "main.py").write_text(main)
    (tmp_path / "conftest.py").write_text("\n\n".join(conftest if shown in conftest else [shown, *conftest]))
    (tmp_path / "test_it.py").write_text("\n\n".join(tests))
    python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_it.py")
    assert not [*tmp_path.glob("*.db*")], "the app's own database was not touched"


@pytest.mark.parametrize("page", sorted(WHOLE))
def test_a_page_of_a_framework_begins_with_a_whole_app(page: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(of("python", page=page)[0].text)
    python(tmp_path, "-c", ASK, *WHOLE[page])


def test_a_block_that_fails_is_told_with_its_place(tmp_path: Path) -> None:
    broken = Block("docs/app.md", 40, "python", "\nmissing(1)\n")
    with pytest.raises(AssertionError, match=r'(?s)docs/app.md:40", line 42.*missing'):
        run("", [broken], tmp_path)


def test_pages_are_found() -> None:
    assert {"README.md", "docs/testing.md", "docs/reference/keys.md"} <= set(pages())
    assert not [page for page in pages() if "decisions" in page]
