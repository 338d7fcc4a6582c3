"""Single keys that do things, unless somebody types or has switched them off."""

import pytest
from playwright.async_api import expect

from tests.admin.page.conftest import Visit
from tests.admin.page.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_key_each_leads_to_the_search_a_new_key_and_the_help(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.locator("h1").click()
    await page.keyboard.press("n")
    await expect(visitor.dialog).to_contain_text("Add key")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(visitor.dialog).to_contain_text("Keyboard shortcuts")


async def test_a_dialog_that_follows_upon_another_at_once_is_not_emptied_by_the_others_end(
    served: Served, visit: Visit
) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.keyboard.press("n")
    await expect(visitor.dialog).to_contain_text("Add key")
    # Browsers tell of a dialog's end a moment later: here the next one is open by then.
    await visitor.page.evaluate(
        """() => {
            document.querySelector("dialog[open]").close();
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true }));
            return new Promise((done) => setTimeout(done, 50));
        }"""
    )
    await expect(visitor.dialog).to_contain_text("Keyboard shortcuts")


async def test_arrows_and_letters_walk_the_rows_select_and_open_them(served: Served, visit: Visit) -> None:
    made = [await served.keys.create(f"worker {number}", []) for number in range(3)]
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page

    async def at_row(name: str) -> None:
        await expect(visitor.row(name).get_by_role("link", name=name, exact=True)).to_be_focused()

    for key, name in (("j", "the boss"), ("j", "worker 2"), ("ArrowDown", "worker 1"), ("k", "worker 2")):
        await page.keyboard.press(key)
        await at_row(name)
    await page.keyboard.press("x")
    await expect(page.get_by_label("Select worker 2")).to_be_checked()
    await page.keyboard.press("x")
    await expect(page.get_by_label("Select worker 2")).not_to_be_checked()
    await page.keyboard.press("e")
    await expect(page.get_by_label("Description", exact=True)).to_have_value("worker 2")
    await page.keyboard.press("Escape")
    await page.keyboard.press(".")
    await expect(page.locator(".menu:popover-open")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{served.url}keys/{made[2].key.id}")


async def test_who_types_only_types(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.locator("#search").focus()
    await page.keyboard.type("n/?jkx.e")
    await expect(page.locator("#search")).to_have_value("n/?jkx.e")
    await expect(page.locator("dialog")).to_be_hidden()
    await page.locator("#search").fill("")
    await page.get_by_role("link", name="Add key").click()
    await page.get_by_label("Description", exact=True).fill("")
    await page.keyboard.type("n/?jkx.e")
    await expect(page.get_by_label("Description", exact=True)).to_have_value("n/?jkx.e")
    await expect(visitor.dialog).to_contain_text("Add key")
    await page.get_by_label("Upload file").focus()
    await page.keyboard.type("n?")
    await expect(visitor.dialog).to_contain_text("Add key")


async def test_with_control_they_are_the_browsers(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    for key in ("Control+j", "Alt+x", "Meta+n"):
        await visitor.page.keyboard.press(key)
    await expect(visitor.page.locator("dialog")).to_be_hidden()
    await expect(visitor.page.locator("[data-row]:focus")).to_have_count(0)


async def test_they_can_be_switched_off_for_good_and_on_again(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    for switched_on in (False, True):
        await page.get_by_role("button", name="Keyboard shortcuts").click()
        await page.get_by_label("Single keys do this").set_checked(switched_on)
        await visitor.press("Close")
        await page.reload()
        await page.keyboard.press("j")
        await expect(page.locator("[data-row]:focus")).to_have_count(1 if switched_on else 0)
