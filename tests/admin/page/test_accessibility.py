"""The page for everybody: axe finds nothing, in light and dark and on a phone; and all goes by keyboard."""

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.admin.page.conftest import Visit
from tests.admin.page.served import EVERYTHING, Served
from tests.admin.page.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
RULES = {"dark": ["color-contrast"]}
"""axe's rules for a look that differs from the first only in its colours; else all of them."""


async def check(visitor: Visitor, what: str, rules: Sequence[str]) -> None:
    """axe finds nothing wrong, and nothing is cut off at the side."""
    assert await visitor.violations(*rules) == [], what
    widths = "() => [document.documentElement.scrollWidth, innerWidth]"
    scrolled, shown = await visitor.page.evaluate(widths)
    assert scrolled <= shown, what


@pytest.mark.timeout(900)  # all rules, two dozen times
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing(served: Served, visit: Visit, look: str) -> None:
    options = {**LOOKS[look], "reduced_motion": "reduce"}
    rules = RULES.get(look, [])
    stranger = await visit(served, **options)
    await check(stranger, "sign-in", rules)
    await stranger.sign_in("gp_wrong")
    await expect(stranger.page.get_by_role("alert")).to_be_visible()
    await check(stranger, "sign-in with an error", rules)
    boss = await served.boss()
    limited = await served.keys.create("limited", ["ACCESS_MANAGE", *EVERYTHING[:5]], project="acme")
    visitor = await visit(served, boss.secret, **options)
    page = visitor.page
    for number in range(3):
        await served.keys.create(f"worker {number}", EVERYTHING[: number * 9], project="acme")
    await served.keys.deactivate((await served.keys.list(search="worker")).items[0].id)
    await visitor.open()
    await check(visitor, "list", rules)
    await visitor.row("worker 1").get_by_role("button", name="Actions for").click()
    await check(visitor, "menu", rules)
    await page.keyboard.press("Escape")
    for action in ("Edit", "Deactivate", "Rotate secret", "History", "Delete"):
        await visitor.choose("worker 1", action)
        await expect(visitor.dialog).to_be_visible()
        await check(visitor, action, rules)
        await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Add key").click()
    await visitor.press("Create key")
    await expect(visitor.dialog.locator("#description-error")).to_be_visible()
    await check(visitor, "form with an error", rules)
    await page.get_by_label("Description", exact=True).fill("new")
    await visitor.press("Read only")
    await visitor.press("Create key")
    await visitor.secret()
    await check(visitor, "secret", rules)
    await page.keyboard.press("Escape")
    await check(visitor, "secret with a warning", rules)
    await visitor.press("Close without copying")
    await expect(visitor.banner).to_be_visible()
    await check(visitor, "list with news", rules)
    await page.keyboard.press("?")
    await expect(visitor.dialog).to_contain_text("Keyboard shortcuts")
    await check(visitor, "shortcuts", rules)
    await page.keyboard.press("Escape")
    await page.get_by_label("Select worker 0").check()
    await page.get_by_label("Select the boss").check()
    await check(visitor, "bulk bar", rules)
    await page.locator("#bulk").get_by_role("button", name="Deactivate").click()
    await visitor.press("Deactivate 2 keys")
    await expect(visitor.banner).to_be_visible()
    await check(visitor, "results", rules)
    key_path = f"keys/{limited.key.id}"
    for path in ("log", "?search=nothing", "?permission=NOPE", "keys/000000000000", "nothing", "new", key_path):
        await visitor.open(path)
        await check(visitor, path, rules)
    other = await visit(served, limited.secret, **options)
    await check(other, "list of one project", rules)
    await other.page.get_by_role("link", name="Add key").click()
    await expect(other.dialog).to_be_visible()
    await check(other, "form with permissions that are not held", rules)


async def focused(page: Page) -> str:
    """What has the focus: its role's name, as far as the test needs it."""
    script = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    text: str = await page.evaluate(script)
    return text


async def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until what is called `name` has the focus."""
    for _ in range(most):
        if await focused(page) == name:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to {name!r} by Tab")


async def test_a_key_is_made_and_deactivated_by_keyboard_alone(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.keyboard.press("Tab")
    assert await focused(page) == "Skip to the content"
    await tab_to(page, "Add key")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Description", exact=True)).to_be_focused()
    await page.keyboard.type("by keyboard")
    await tab_to(page, "Read only")
    await page.keyboard.press("Space")
    await tab_to(page, "Select all of Files")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-count]")).to_have_text("17 of 31 selected")
    await tab_to(page, "Create key")
    await page.keyboard.press("Enter")
    secret = await visitor.secret()
    await expect(visitor.dialog.get_by_role("button", name="Copy")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#live")).to_have_text("Copied")
    await tab_to(page, "Done")
    await page.keyboard.press("Enter")
    await expect(visitor.row("by keyboard")).to_be_visible()
    await expect(page.get_by_role("link", name="Add key")).to_be_focused()
    assert await served.ask(secret) == 200
    await tab_to(page, "Actions for by keyboard")
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    assert await focused(page) == "Edit"
    await page.keyboard.press("ArrowDown")
    assert await focused(page) == "Deactivate"
    await page.keyboard.press("Enter")
    await expect(visitor.dialog.get_by_role("button", name="Deactivate")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(visitor.banner).to_contain_text("Refused everywhere")
    assert await focused(page) == "Actions for by keyboard"
    assert await served.ask(secret) == "key_deactivated"


async def test_enter_in_a_field_sends_the_form_and_does_not_press_a_preset(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_role("link", name="Add key").click()
    await visitor.page.get_by_label("Description", exact=True).fill("quick")
    await visitor.page.keyboard.press("Enter")
    await visitor.secret()
    (key,) = (await served.keys.list(search="quick")).items
    assert key.permissions == frozenset()
