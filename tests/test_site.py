"""The documentation as a site: it is built, whole, and every link, image and anchor of it is there."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import gatepost
from tests.readme import ROOT

DOCS = ROOT / "docs"
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
NOT_IN_THE_MENU = ("decisions", "model")
"""Folders whose pages are reached from others."""


class _Page(HTMLParser):
    """What a page links to and shows, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a folder of its own as `make docs` builds it: mistakes that are noticed there are errors."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(ROOT / "zensical.toml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built: Path = folder / CONFIG["site_dir"]
    return built


def menu(entries: list[dict[str, Any]]) -> Iterator[str]:
    """The files of the menu."""
    for entry in entries:
        for what in entry.values():
            yield from [what] if isinstance(what, str) else menu(what)


def test_every_page_is_in_the_menu_once_and_every_entry_is_a_page() -> None:
    named = list(menu(CONFIG["nav"]))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    expected = {page for page in pages if page.partition("/")[0] not in NOT_IN_THE_MENU} | {"decisions/README.md"}
    assert sorted(named) == sorted(expected)


def test_every_link_image_and_anchor_is_there_and_nothing_comes_from_elsewhere(site: Path) -> None:
    pages = {path: _Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 80
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(to)
            if not to.is_file() or (parts.fragment and known and unquote(parts.fragment) not in known.anchors):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert not broken
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', (site / "index.html").read_text())
    assert not [each for each in loaded if "canonical" not in each]


def test_the_reference_has_what_the_package_gives_out(site: Path) -> None:
    told = "".join(path.read_text() for path in (site / "reference").glob("*.html"))
    names = re.findall(r"import (\w+) as \1", Path(gatepost.__file__).read_text())
    assert len(names) > 70
    assert [name for name in names if f">{name}<" not in told] == []


def test_it_can_be_searched(site: Path) -> None:
    found = (site / "search.json").read_text()
    assert "deactivate" in found
    assert "max_staleness" in found


def test_every_finding_is_told_with_what_it_means() -> None:
    page = (DOCS / "surprises.md").read_text()
    assert sorted(re.findall(r"`([a-z0-9-]+\.sh)`", page)) == sorted(p.name for p in (ROOT / "findings").glob("*.sh"))


def test_the_start_page_has_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    table = (ROOT / "docs" / "index.md").read_text().partition("## Extras")[2]
    named = {name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(extras)
