"""Descriptions that mean harm are shown as what they are: text."""

import pytest
from playwright.async_api import expect

from tests.admin.page.conftest import Visit
from tests.admin.page.served import Served
from tests.admin.page.stored import put

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = [
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></title></textarea><iframe>",
    "\"><svg onload=document.title='owned'> ' autofocus onfocus=document.title='owned' {{ 7 * 7 }} {% raw %} ${7*7}",
]


@pytest.mark.parametrize("description", MARKUP)
async def test_markup_is_text_wherever_a_description_stands(served: Served, visit: Visit, description: str) -> None:
    key = await served.keys.create(description, [], project=description[:100])
    await served.keys.update(key.key.id, description=f"{description} again")
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    row = page.locator(f"#key-{key.key.id}")
    await expect(row.get_by_role("rowheader")).to_contain_text(f"{description} again")
    await row.get_by_role("button", name="Actions for").click()
    await page.locator(".menu:popover-open").get_by_text("History").click()
    await expect(visitor.dialog).to_contain_text(description)
    await page.keyboard.press("Escape")
    await page.locator(f"#switch-{key.key.id}").click()
    await expect(visitor.dialog).to_contain_text(f"{description} again")
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_contain_text(f"{description} again")
    await visitor.open(f"keys/{key.key.id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{description} again")
    await visitor.open(f"keys/{key.key.id}/edit")
    await expect(page.get_by_label("Description", exact=True)).to_have_value(f"{description} again")
    await visitor.open("log")
    await expect(page.locator(".event").first).to_contain_text(description)
    assert await page.title() != "owned"
    assert await page.locator("main :is(script, img, iframe)").count() == 0


async def test_a_search_for_markup_is_shown_as_text(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_label("Search descriptions").fill(MARKUP[1])
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("heading", name="No key matches")).to_be_visible()
    await expect(visitor.page.get_by_label("Search descriptions")).to_have_value(MARKUP[1])


async def test_marks_that_turn_text_around_stay_inside_their_description(
    served: Served, visit: Visit, ready_sqlite_url: str
) -> None:
    key = await served.keys.create("plain", [], project="acme")
    await put(ready_sqlite_url, "plain", description="abc\u202edef\u2066\u200f")
    visitor = await visit(served, (await served.boss()).secret)
    row = visitor.page.locator(f"#key-{key.key.id}")
    await expect(row.locator(".name bdi")).to_have_text("abc\u202edef\u2066\u200f")
    boxes = [await row.locator(place).bounding_box() for place in (".what", ".hint", ".state", ".col-menu")]
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    await visitor.page.locator(f"#switch-{key.key.id}").click()
    await visitor.press("Deactivate")
    after = visitor.banner.locator(".banner-title")
    await expect(after).to_contain_text("Deactivated")
    subject, title = await after.locator("bdi").bounding_box(), await after.bounding_box()
    assert subject is not None
    assert title is not None
    assert subject["x"] - title["x"] < 2


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_description_of_ten_thousand_characters_breaks_nothing(
    served: Served, visit: Visit, ready_sqlite_url: str, width: int
) -> None:
    key = await served.keys.create("plain", [])
    await put(ready_sqlite_url, "plain", description="x" * 10_000)
    visitor = await visit(served, (await served.boss()).secret, viewport={"width": width, "height": 800})
    row = visitor.page.locator(f"#key-{key.key.id}")
    box = await row.bounding_box()
    assert box is not None
    assert box["height"] < 260
    assert box["width"] <= width
    await visitor.page.locator(f"#switch-{key.key.id}").click()
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_be_visible()
    assert await visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    banner = await visitor.banner.bounding_box()
    assert banner is not None
    assert banner["height"] < 260
