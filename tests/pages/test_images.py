"""The pictures on pages: each that is named is there, each that is there is named, and the script takes them."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser

from tests.pages.reading import pages
from tests.pages.screenshots import IMAGES, PICTURES, SIZE, take_all
from tests.readme import ROOT

BYTES_MAX = 150_000
NAMED = {
    (ROOT / page).parent / name
    for page in pages()
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / page).read_text())
}


def test_each_picture_that_is_named_is_there_and_the_other_way_round() -> None:
    assert {path.resolve() for path in NAMED} == {path.resolve() for path in IMAGES.iterdir()}
    assert {path.name for path in NAMED} > set(PICTURES)


def test_every_picture_is_small() -> None:
    assert [path.name for path in IMAGES.iterdir() if path.stat().st_size > BYTES_MAX] == []


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", PICTURES)
async def test_the_script_takes_what_is_shown(browser: Browser, name: str, tmp_path: Path) -> None:
    """As wide, about as high and as light as the one that is there, and not one colour. Fonts are the machine's."""
    await take_all(browser, tmp_path, [name])
    path = tmp_path / name
    assert 2_000 < path.stat().st_size < BYTES_MAX
    with Image.open(path) as taken, Image.open(IMAGES / name) as shown:
        assert taken.width == shown.width <= SIZE["width"]
        assert abs(taken.height - shown.height) < 40
        assert len(taken.getcolors() or ()) > 20
