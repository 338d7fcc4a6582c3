"""Takes the pictures that README and pages show, of the real page with made-up keys, at a fixed moment:

python -m tests.pages.screenshots [FOLDER]
"""

import asyncio
import math
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from unittest.mock import patch

from PIL import Image
from playwright.async_api import Browser, Locator, Page, async_playwright

from gatepost import DAM, APIKeys, Quota, Rate, Slots
from gatepost.admin.entry import session
from tests.admin.page.conftest import FLAGS, TIMEOUT_MS
from tests.admin.page.served import Served, serving
from tests.readme import ROOT
from tests.servers.programs import on_this_machine

IMAGES = ROOT / "docs" / "images"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""What the page and usage take for now."""
SIZE = {"width": 1200, "height": 720}
USED_DAYS = 24
"""So many days back there are uses of each key."""


class _Fixed(datetime):
    """The clock, stopped."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        return cls.fromtimestamp(NOW.timestamp(), tz)


@dataclass(frozen=True)
class Made:
    """A key. `updated`, `used`: ago, `None` = never; `expires`: from now, `None` = never."""

    description: str
    project: str | None
    permissions: Sequence[str]
    hint: str
    updated: timedelta
    used: timedelta | None
    expires: timedelta | None = None
    active: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


def _ago(days: float = 0, hours: float = 0, minutes: float = 0) -> timedelta:
    return timedelta(days=days, hours=hours, minutes=minutes)


_OFFICE = ["203.0.113.0/24"]
MADE = (
    Made(
        "Backup to cold storage",
        None,
        ["OBJECTS_LIST", "OBJECTS_FETCH"],
        "gp_cxDF...l98X",
        _ago(250),
        _ago(9),
        more={"allow": _OFFICE},
    ),
    Made(
        "Translation of captions",
        "press",
        ["OBJECTS_LIST", "FILE_META_CHANGE"],
        "gp_Bvj3...uUcy",
        _ago(130),
        _ago(hours=10),
        _ago(100),
    ),
    Made(
        "Mobile app, uploads",
        "museum",
        ["FILE_UPLOAD"],
        "gp_pvRQ...RGzm",
        _ago(95),
        _ago(minutes=29),
        _ago(28),
        more={"limits": [Rate(60, per=60, name="minute")]},
    ),
    Made("Data warehouse export", None, ["OBJECTS_LIST", "OBJECTS_FETCH"], "gp_HUoD...WD7L", _ago(7), _ago(3)),
    Made(
        "Press kit builder",
        "press",
        ["OBJECTS_LIST", "OBJECTS_FETCH", "COLLECTIONS_LIST"],
        "gp_DcsD...y0RA",
        _ago(61),
        _ago(32),
        _ago(62),
    ),
    Made("Old uploader, to be removed", "acme", ["FILE_UPLOAD"], "gp_XKvX...vHqG", _ago(9), _ago(65), active=False),
    Made(
        "PIM synchronisation",
        "acme",
        [
            "OBJECTS_LIST",
            "OBJECTS_FETCH",
            "FILE_PRODUCT_CHANGE",
            "FILE_META_CREATE",
            "FILE_META_CHANGE",
            "LABELS_LIST",
            "FILE_LABEL_CHANGE",
        ],
        "gp_cva1...p27K",
        _ago(31),
        _ago(minutes=14),
        _ago(310),
        more={"allow": _OFFICE, "limits": [Quota(1_000_000, per="month", name="plan")]},
    ),
    Made(
        "Agency Brandt & Söhne",
        "spring",
        ["OBJECTS_LIST", "OBJECTS_FETCH", "FILE_UPLOAD", "DIR_CREATE", "LABELS_LIST", "COLLECTIONS_LIST"],
        "gp_Ps4M...ACnq",
        _ago(12),
        _ago(hours=12),
        _ago(5, 3),
        more={"resources": ["dir:/campaigns/spring/*"]},
    ),
    Made(
        "Autotagging worker",
        "acme",
        ["OBJECTS_LIST", "OBJECTS_FETCH", "FILE_PROCESS_AUTOTAGGING", "LABELS_LIST"],
        "gp_Bq9r...4pQF",
        _ago(5),
        _ago(minutes=4),
    ),
    Made(
        "Nightly import from ERP",
        "acme",
        ["FILE_UPLOAD", "FILE_META_CREATE", "OBJECTS_LIST"],
        "gp_uY8Y...fB01",
        _ago(2),
        _ago(hours=7),
        _ago(92),
        more={"allow": _OFFICE, "limits": [Rate(100, per=60, burst=20, name="minute"), Slots(10)]},
    ),
    Made(
        "Website: product pictures",
        "acme",
        ["OBJECTS_LIST", "OBJECTS_FETCH"],
        "gp_whtw...J6tR",
        _ago(hours=2),
        _ago(minutes=1),
    ),
)
"""The keys, the last one first in the list."""


async def fill(url: str) -> str:
    """Make the keys in an empty SQLite file; the secret of who looks at them."""
    async with APIKeys(url) as keys:
        boss = await keys.create("Maria, asset team", [*DAM])
        ids = [
            (await keys.create(each.description, each.permissions, project=each.project, **each.more)).key.id
            for each in MADE
        ]
    with sqlite3.connect(url.partition("///")[2]) as database:
        for key_id, made in zip(ids, MADE, strict=True):
            _date(database, key_id, made)
        _date(database, boss.key.id, Made("", None, [], "gp_7hQz...b0Wk", _ago(400), _ago(minutes=3)))
    database.close()
    return boss.secret


def _date(database: sqlite3.Connection, key_id: str, made: Made) -> None:
    """Have it made and used when it is said to have been."""
    expires = None if made.expires is None else _stored(NOW + made.expires)
    database.execute(
        "UPDATE gatepost_keys SET created_at = ?1, updated_at = ?1, expires_at = ?2, active = ?3 WHERE id = ?4",
        (_stored(NOW - made.updated), expires, made.active, key_id),
    )
    database.execute("UPDATE gatepost_secrets SET hint = ? WHERE key_id = ?", (made.hint, key_id))
    if made.used is None:
        return
    last = NOW - made.used
    database.execute("UPDATE gatepost_last_used SET last_at = ? WHERE key_id = ?", (_stored(last), key_id))
    for day in range(USED_DAYS):
        at = last - timedelta(days=day)
        uses = 20 + (len(made.description) * 7 + day * day * 31) % 97  # as good as any
        database.execute(
            "INSERT INTO gatepost_usage (key_id, day, by_month, secret, route, outcome, uses, last_at) "
            "VALUES (?, ?, 0, '', '/files', 'valid', ?, ?)",
            (key_id, at.date().isoformat(), uses, _stored(at)),
        )


def _stored(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


async def _keys(page: Page) -> Page:
    """The list, two keys chosen, the menu of another open."""
    for name in ("Agency", "Old uploader"):
        await page.get_by_role("row").filter(has_text=name).get_by_role("checkbox").check()
    await page.get_by_role("button", name="Actions for Nightly import").click()
    await page.locator(".menu:popover-open").wait_for()
    return page


async def _permissions(page: Page) -> Page:
    """The form for a new key, some permissions chosen."""
    await page.get_by_role("link", name="Add key").click()
    form = page.locator("dialog[open]")
    for name in ("FILE_UPLOAD", "FILE_META_CREATE", "OBJECTS_LIST"):
        await form.locator(f"input[value={name}]").check()
    await form.get_by_text("Permissions", exact=True).first.evaluate("each => each.scrollIntoView({block: 'start'})")
    await page.evaluate("document.activeElement.blur()")
    await page.mouse.move(0, 0)
    return page


async def _usage(page: Page) -> Locator:
    """How a key is used, on its own page."""
    await page.locator("a.name", has_text="PIM synchronisation").click()
    return page.locator("section", has=page.locator("figure.usage"))


PICTURES: Mapping[str, Callable[[Page], Awaitable[Page | Locator]]] = {
    "keys.png": _keys,
    "permissions.png": _permissions,
    "usage.png": _usage,
}
"""What is done before each, which answers what is shown."""


async def take(browser: Browser, served: Served, secret: str, name: str, folder: Path) -> Path:
    """Take one picture into a folder."""
    context = await browser.new_context(
        viewport=SIZE,  # type: ignore[arg-type]  # a TypedDict of the same
        color_scheme="light",
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    try:
        context.set_default_timeout(TIMEOUT_MS)
        cookie = {"name": session.COOKIE, "value": served.session(secret), "url": served.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]  # likewise
        page = await context.new_page()
        await page.goto(served.url)
        shown = await PICTURES[name](page)
        await shown.screenshot(path=folder / name, animations="disabled", caret="hide")
    finally:
        await context.close()
    _lighten(folder / name)
    return folder / name


def _lighten(path: Path) -> None:
    """Leave the picture its 256 most frequent colours: a third of the bytes, and it looks no different."""
    with Image.open(path) as taken:
        picture = taken.convert("RGB")
    colours = [colour for colour, _ in Counter(_colours(picture)).most_common()]
    kept = {colour: number for number, colour in enumerate(colours[:256])}
    number = {colour: kept[min(kept, key=partial(math.dist, colour))] for colour in colours}
    light = Image.frombytes("P", picture.size, bytes(number[colour] for colour in _colours(picture)))
    light.putpalette([part for colour in kept for part in colour])
    light.save(path, optimize=True)


def _colours(picture: Image.Image) -> Iterator[tuple[int, ...]]:
    """Of each pixel of an RGB picture, row by row."""
    return zip(*[iter(picture.tobytes())] * 3, strict=True)


async def take_all(browser: Browser, folder: Path, names: Sequence[str] = tuple(PICTURES)) -> None:
    """Take them into a folder."""
    with TemporaryDirectory() as place, ExitStack() as stack:
        url = f"sqlite:///{place}/keys.db"
        secret = await fill(url)
        for module in ("gatepost.admin.page.visit", "gatepost.keys.usage"):
            stack.enter_context(patch(f"{module}.datetime", _Fixed))
        async with serving(url) as served:
            for name in names:
                await take(browser, served, secret, name, folder)


async def main(folder: Path) -> None:
    """Start Chromium, take all pictures, and say where they are."""
    program = os.environ.get("CHROMIUM") or next(map(str, on_this_machine(["chromium", "google-chrome"])), None)
    if program is None:
        raise SystemExit("There is no Chromium on this machine: name one as CHROMIUM=…")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        await take_all(browser, folder)
        await browser.close()
    print(*(f"{folder / name}: {(folder / name).stat().st_size} bytes" for name in PICTURES), sep="\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES))
