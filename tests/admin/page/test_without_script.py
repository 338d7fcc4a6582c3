"""All of it works in a browser that runs no script."""

import pytest
from playwright.async_api import expect

from tests.admin.page.conftest import Visit
from tests.admin.page.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILES = ["OBJECTS_LIST"]


async def test_a_key_is_made_with_presets_and_groups(served: Served, visit: Visit) -> None:
    visitor = await visit(served, java_script_enabled=False)
    page = visitor.page
    await visitor.sign_in((await served.boss()).secret)
    await page.get_by_role("link", name="Add key").click()
    await page.get_by_label("Description", exact=True).fill("scriptless")
    await page.get_by_role("button", name="Read only").click()
    chosen = page.locator("[name=permission]:checked")
    await expect(chosen).to_have_count(6)
    await page.get_by_role("button", name="Select all of Labels").click()
    await expect(chosen).to_have_count(7)
    await page.get_by_role("button", name="Select none of Access").click()
    await expect(chosen).to_have_count(6)
    await expect(page.get_by_label("Description", exact=True)).to_have_value("scriptless")
    await page.get_by_role("button", name="Create key").click()
    secret = await page.locator("#secret-text").inner_text()
    assert await served.ask(secret) == 200
    await expect(page.locator("#leaving")).to_be_hidden()
    await page.get_by_role("link", name="Done").click()
    await expect(visitor.row("scriptless")).to_be_visible()
    await expect(visitor.banner).to_contain_text("Created")


async def test_keys_are_listed_filtered_and_deactivated_with_a_result_for_each(served: Served, visit: Visit) -> None:
    issued = [await served.keys.create(f"worker {number}", FILES) for number in range(2)]
    visitor = await visit(served, (await served.boss()).secret, java_script_enabled=False)
    page = visitor.page
    await page.get_by_label("Search descriptions").fill("worker")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_role("link", name="Active", exact=True).click()
    for number in range(2):
        await page.get_by_label(f"Select worker {number}").check()
    await page.get_by_role("button", name="Deactivate").click()
    await expect(page.get_by_role("main")).to_contain_text("2 keys will be refused everywhere")
    await page.get_by_role("button", name="Deactivate 2 keys").click()
    await expect(visitor.banner).to_contain_text("2 of 2 keys deactivated")
    await expect(page.locator("[aria-current]")).to_have_text("Active")
    for each in issued:
        assert await served.ask(each.secret) == "key_deactivated"


async def test_all_that_match_are_switched_off_at_once(served: Served, visit: Visit) -> None:
    for number in range(60):
        await served.keys.create(f"worker {number:02}", FILES)
    visitor = await visit(served, (await served.boss()).secret, java_script_enabled=False)
    page = visitor.page
    await visitor.open("?search=worker")
    await page.get_by_label("All 60 that match, on every page").check()
    await page.get_by_role("button", name="Deactivate").click()
    await page.get_by_role("button", name="Deactivate 60 keys").click()
    await expect(visitor.banner).to_contain_text("60 of 60 keys deactivated")
    assert (await served.keys.count(state="active")).number == 1


async def test_what_was_typed_survives_the_end_of_the_session(served: Served, visit: Visit) -> None:
    boss = await served.boss()
    visitor = await visit(served, boss.secret, java_script_enabled=False)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    await page.get_by_label("Description", exact=True).fill("typed before")
    await page.get_by_label("Upload file").check()
    await visitor.context.clear_cookies(name="gatepost_session")
    await page.get_by_role("button", name="Create key").click()
    await visitor.sign_in(boss.secret)
    await expect(page.get_by_label("Description", exact=True)).to_have_value("typed before")
    await expect(page.get_by_label("Upload file")).to_be_checked()
    await page.get_by_role("button", name="Create key").click()
    await expect(page.locator("#secret-text")).to_be_visible()


async def test_a_key_is_edited_rotated_and_deleted_from_its_menu(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret, java_script_enabled=False)
    page = visitor.page
    await visitor.choose("worker", "Edit")
    await page.get_by_label("Description", exact=True).fill("")
    await page.get_by_role("button", name="Save").last.click()
    await expect(page.locator("#description-error")).to_be_visible()
    await page.get_by_label("Description", exact=True).fill("edited")
    await page.get_by_role("button", name="Save").last.click()
    await expect(visitor.banner).to_contain_text("Saved")
    await visitor.choose("edited", "Rotate secret")
    await page.get_by_label("None: it stops working at once").check()
    await page.get_by_role("button", name="Rotate").click()
    secret = await page.locator("#secret-text").inner_text()
    assert await served.ask(key.secret) == "key_invalid"
    assert await served.ask(secret) == 200
    await page.get_by_role("link", name="Done").click()
    await visitor.choose("edited", "History")
    await expect(page.locator(".event")).to_have_count(3)
    await page.get_by_role("link", name="Close").click()
    await visitor.choose("edited", "Delete")
    await page.get_by_role("button", name="Delete").click()
    await expect(visitor.banner).to_contain_text("Deleted")
    assert await served.ask(secret) == "key_invalid"


async def test_what_only_a_script_could_do_is_not_offered(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret, java_script_enabled=False)
    await expect(visitor.page.get_by_label("Select all on this page")).to_be_hidden()
    await visitor.row("the boss").get_by_role("button", name="Actions for").click()
    menu = visitor.page.locator(".menu:popover-open")
    await expect(menu.get_by_role("link", name="History")).to_be_visible()
    await expect(menu.get_by_role("button", name="Copy id")).to_be_hidden()
