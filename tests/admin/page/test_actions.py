"""Each thing that people do on the page, from the click to a request that is then refused or let in elsewhere."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from playwright.async_api import expect

from gatepost.admin.page import key_change
from gatepost.base.actor import Actor
from gatepost.base.errors import UnavailableError
from tests.admin.page.conftest import Visit
from tests.admin.page.served import EVERYTHING, Served, serving
from tests.admin.page.stored import put
from tests.admin.page.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILES = ["OBJECTS_LIST", "OBJECTS_FETCH"]
EVERYWHERE = "2 of 2 workers"


async def test_a_new_keys_secret_is_shown_once_copied_and_let_in(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    await expect(page.get_by_label("Description", exact=True)).to_be_focused()
    await page.get_by_label("Description", exact=True).fill("Nightly import")
    await visitor.dialog.get_by_label("Project").fill("acme")
    await page.get_by_label("Filter permissions").fill("list assets")
    await page.get_by_label("List assets").check()
    await page.get_by_label("Expires").select_option("90")
    await visitor.press("Create key")
    secret = await visitor.secret()
    assert await served.ask(secret) == 200
    await visitor.press("Copy")
    await expect(visitor.dialog.get_by_role("button", name="Copied")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("Copied")
    assert await visitor.clipboard() == secret
    await visitor.dialog.get_by_role("link", name="Done").click()
    row = visitor.row("Nightly import")
    await expect(row).to_contain_text("acme")
    await expect(row).to_contain_text("in 3 months")
    assert secret not in await page.content()
    (key,) = (await served.keys.list(search="nightly")).items
    assert key.permissions == {"OBJECTS_LIST"}
    assert key.hint is not None
    await expect(row).to_contain_text(key.hint)
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - datetime.now(UTC) < timedelta(days=91)


async def make(visitor: Visitor, description: str) -> str:
    """Make a key; its secret is on the screen then."""
    await visitor.page.get_by_role("link", name="Add key").click()
    await visitor.page.get_by_label("Description", exact=True).fill(description)
    await visitor.press("Create key")
    return await visitor.secret()


WAYS_OUT = ["Escape", "Close", "Done"]


async def go_out(visitor: Visitor, way: str) -> None:
    """Try to close the dialog."""
    if way == "Escape":
        await visitor.page.keyboard.press("Escape")
    else:
        await visitor.dialog.get_by_role("link", name=way, exact=True).click()


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_each_way_out_warns_for_all_to_see_while_a_secret_is_not_copied(
    served: Served, visit: Visit, way: str
) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    secret = await make(visitor, "x")
    warning = visitor.dialog.get_by_role("alert").filter(has_text="You have not copied the secret yet")
    await expect(warning).to_be_hidden()
    for _ in range(2):
        await go_out(visitor, way)
        await expect(warning).to_be_visible()
        await expect(warning).to_be_focused()
        assert await visitor.secret() == secret
    await visitor.press("Close without copying")
    await expect(visitor.page.locator("dialog")).to_be_hidden()
    await expect(visitor.banner).to_contain_text("Created")


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("copied_by", ["the button", "the warning's button", "hand"])
async def test_once_it_was_copied_no_way_out_asks_anything(
    served: Served, visit: Visit, way: str, copied_by: str
) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    secret = await make(visitor, "x")
    if copied_by == "hand":
        await visitor.dialog.locator("#secret-text").click()
        await visitor.page.keyboard.press("Control+c")
    elif copied_by == "the button":
        await visitor.press("Copy")
    else:
        await go_out(visitor, way)
        await visitor.dialog.locator("#leaving").get_by_role("button", name="Copy", exact=True).click()
        await expect(visitor.dialog.locator("#leaving")).to_be_hidden()
    assert await visitor.clipboard() == secret
    await go_out(visitor, way)
    await expect(visitor.page.locator("dialog")).to_be_hidden()


async def test_copying_something_else_is_not_copying_the_secret(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await make(visitor, "x")
    await visitor.page.evaluate("() => getSelection().selectAllChildren(document.getElementById('task-title'))")
    await visitor.page.keyboard.press("Control+c")
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.dialog.locator("#leaving")).to_be_visible()


async def test_a_new_key_is_told_of_above_the_list_and_marked_in_it(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await make(visitor, "fresh one")
    await visitor.press("Copy")
    await go_out(visitor, "Done")
    await expect(visitor.banner).to_contain_text("fresh one")
    await expect(visitor.banner).to_contain_text("Created")
    await expect(visitor.row("fresh one").locator(".tag")).to_have_text("Created")
    await expect(visitor.row("fresh one")).to_have_class("active news")
    assert visitor.page.url == served.url
    await visitor.page.reload()
    await expect(visitor.banner).to_have_count(0)


async def test_a_link_tells_no_news_of_a_key_that_was_not_made_just_now(served: Served, visit: Visit) -> None:
    key = (await served.keys.create("worker", FILES)).key
    await served.keys.deactivate(key.id)
    visitor = await visit(served, (await served.boss()).secret)
    for query in (f"news=created&key={key.id}", f"news=rotated&key={key.id}", "news=created&key=000000000000"):
        await visitor.open(f"?{query}")
        await expect(visitor.row("worker")).to_be_visible()
        await expect(visitor.banner).to_have_count(0)


async def test_the_line_to_try_a_secret_with_holds_no_secret_and_works(ready_sqlite_url: str, visit: Visit) -> None:
    async with serving(ready_sqlite_url, whole=True) as served:
        visitor = await visit(served, (await served.boss()).secret)
        secret = await make(visitor, "tried")
        await visitor.dialog.get_by_text("Try it in a shell").click()
        await visitor.press("Copy the line")
        line = await visitor.clipboard()
        await visitor.page.keyboard.press("Escape")
        await expect(visitor.dialog.locator("#leaving")).to_be_visible()
        assert secret not in line
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await shell.communicate(f"{secret}\n".encode())
        assert '"description":"tried"' in said.decode()


async def test_a_row_leads_to_a_page_of_the_key_that_can_be_shared(served: Served, visit: Visit) -> None:
    key = await served.keys.create("reader of a rather long name " * 5, FILES, project="acme")
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await visitor.open("?search=reader")
    await visitor.row("reader").locator(".permissions-cell").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(key.key.description)
    assert page.url.startswith(f"{served.url}keys/{key.key.id}")
    main = page.get_by_role("main")
    for text in ("acme", key.key.hint or "", key.key.id, "List assets", "OBJECTS_FETCH", "2 permissions", "Created"):
        await expect(main).to_contain_text(text)
    await page.get_by_role("button", name="Copy a link to this page").click()
    await expect(page.locator("#live")).to_have_text("Copied")
    assert await visitor.clipboard() == f"{served.url}keys/{key.key.id}"
    await page.get_by_role("link", name="As filtered").click()
    await expect(page.get_by_label("Search")).to_have_value("reader")


async def test_what_is_done_on_a_keys_page_leads_back_to_it(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await visitor.open(f"keys/{key.key.id}")
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Description", exact=True).fill("edited")
    await visitor.press("Save")
    await expect(visitor.banner).to_contain_text("Saved")
    await expect(page.get_by_role("heading", level=1)).to_have_text("edited")
    await page.get_by_role("link", name="Rotate secret").click()
    await visitor.press("Rotate")
    await visitor.secret()
    await visitor.press("Copy")
    await go_out(visitor, "Done")
    await expect(visitor.banner).to_contain_text("New secret")
    await page.get_by_role("link", name="Deactivate").click()
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_contain_text("Deactivated")
    await expect(page.locator(".badge")).to_have_text("Deactivated")
    await page.get_by_role("link", name="Delete").click()
    await visitor.press("Delete")
    await expect(visitor.banner).to_contain_text("Deleted")
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert page.url == served.url
    await visitor.open(f"keys/{key.key.id}")
    await expect(page.locator(".event").first).to_contain_text("Deleted")


async def test_bad_input_is_named_beside_its_field_which_keeps_what_was_typed(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    field = page.get_by_label("Description", exact=True)
    await field.fill("x" * 201)
    await page.get_by_label("Upload file").check()
    await visitor.press("Create key")
    await expect(visitor.dialog.locator("#description-error")).to_contain_text("1 to 200")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_attribute("aria-describedby", "description-error")
    await expect(field).to_have_value("x" * 201)
    await expect(page.get_by_label("Upload file")).to_be_checked()
    assert len((await served.keys.list()).items) == 1


async def test_the_permission_picker_filters_counts_and_picks_at_once(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    count = page.locator("[data-count]")
    chosen = page.locator("dialog [name=permission]:checked")
    await expect(count).to_have_text("0 of 31 selected")
    await visitor.press("Read only")
    await expect(count).to_have_text("6 of 31 selected")
    await visitor.press("Everything I hold")
    await expect(chosen).to_have_count(31)
    await visitor.press("Select none of Directories")
    await expect(chosen).to_have_count(25)
    await visitor.press("Clear")
    await expect(chosen).to_have_count(0)
    await page.get_by_label("Filter permissions").fill("label")
    await expect(page.locator("dialog .choice:visible")).to_have_count(3)
    await expect(page.locator("#live")).to_have_text("3 match")
    await visitor.press("Select all 3")
    await expect(chosen).to_have_count(3)
    await page.get_by_label("Filter permissions").fill("no such thing")
    await expect(page.get_by_text("No permission matches.")).to_be_visible()
    await page.get_by_label("Filter permissions").press("Enter")
    await expect(visitor.dialog).to_contain_text("Add key")


async def test_a_new_key_ends_in_90_days_unless_somebody_chooses_otherwise(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_role("link", name="Add key").click()
    select = visitor.page.locator("dialog").get_by_label("Expires", exact=True)
    await expect(select).to_be_visible()
    choices = await select.locator("option").all_inner_texts()
    assert [choice.partition(":")[0] for choice in choices] == [
        "In 7 days", "In 30 days", "In 90 days", "In 1 year", "On a day …", "Never"
    ]  # fmt: skip
    await visitor.page.get_by_label("Description", exact=True).fill("mortal")
    await visitor.press("Create key")
    await visitor.secret()
    (key,) = (await served.keys.list(search="mortal")).items
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - datetime.now(UTC) < timedelta(days=91)


async def test_what_the_visitor_does_not_hold_cannot_be_picked_and_says_why(served: Served, visit: Visit) -> None:
    limited = await served.keys.create("limited", ["ACCESS_MANAGE", *FILES], project="acme")
    strong = await served.keys.create("strong", ["FILE_DELETE", "OBJECTS_LIST"], project="acme")
    visitor = await visit(served, limited.secret)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    await expect(page.locator("dialog .choice")).to_have_count(3)
    await expect(page.get_by_label("Delete file")).to_have_count(0)
    rest = page.get_by_text("28 more permissions that you do not hold, so you cannot give them")
    await expect(visitor.dialog.get_by_text("Delete file")).to_be_hidden()
    await rest.click()
    await expect(visitor.dialog.get_by_text("Delete file")).to_be_visible()
    await expect(page.get_by_label("Project")).to_have_count(0)
    await visitor.press("Select all 3")
    await expect(page.locator("[data-count]")).to_have_text("3 of 3 selected")
    await page.keyboard.press("Escape")
    await visitor.row("strong").get_by_role("button", name="Actions for").click()
    await expect(page.locator(".menu:popover-open")).to_contain_text("It has permissions that you do not hold")
    await page.keyboard.press("Escape")
    await visitor.choose("strong", "Edit")
    await expect(page.get_by_label("Delete file")).to_be_checked()
    await expect(page.get_by_label("Delete file")).to_be_disabled()
    await page.get_by_label("Description", exact=True).fill("still strong")
    await page.get_by_label("List assets").uncheck()
    await visitor.press("Save")
    await expect(visitor.banner).to_contain_text("Saved")
    assert (await served.keys.get(strong.key.id)).permissions == {"FILE_DELETE"}


async def test_an_edit_that_takes_a_permission_away_holds_everywhere(served: Served, visit: Visit) -> None:
    key = await served.keys.create("reader", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    assert await served.ask(key.secret) == 200
    await visitor.choose("reader", "Edit")
    await visitor.page.get_by_label("List assets").uncheck()
    await visitor.page.get_by_label("Description", exact=True).fill("fetcher")
    await visitor.press("Save")
    await expect(visitor.banner).to_contain_text(f"In force everywhere: {EVERYWHERE}")
    assert await served.ask(key.secret) == "permission_denied"
    assert await served.ask(key.secret, "/anything") == 200
    await expect(visitor.row("fetcher").locator(".permissions-cell")).to_contain_text("1 Fetch assets")


async def test_a_key_is_deactivated_and_activated_again(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    assert await served.ask(key.secret) == 200
    await visitor.choose("worker", "Deactivate")
    await expect(visitor.dialog).to_contain_text("The key will be refused everywhere")
    await expect(visitor.dialog).to_contain_text("worker")
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_contain_text(f"Refused everywhere: {EVERYWHERE}")
    assert await served.ask(key.secret) == "key_deactivated"
    switch = visitor.row("worker").get_by_role("link", name="Deactivated: activate worker")
    await expect(visitor.page.locator("#live")).to_contain_text("Refused everywhere")
    await switch.click()
    await visitor.press("Activate")
    await expect(visitor.banner).to_contain_text(f"Let in everywhere: {EVERYWHERE}")
    assert await served.ask(key.secret) == 200


async def test_a_rotation_without_grace_ends_the_old_secret_at_once(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    assert await served.ask(key.secret) == 200
    await visitor.choose("worker", "Rotate secret")
    await visitor.page.get_by_label("None: it stops working at once").check()
    await visitor.press("Rotate")
    secret = await visitor.secret()
    await expect(visitor.dialog).to_contain_text(f"refused everywhere: {EVERYWHERE}")
    assert await served.ask(key.secret) == "key_invalid"
    assert await served.ask(secret) == 200


async def test_a_rotation_with_grace_lets_both_in_for_that_long(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.choose("worker", "Rotate secret")
    await visitor.page.get_by_label("Another time").check()
    await visitor.press("Rotate")
    await expect(visitor.dialog.get_by_role("alert")).to_contain_text("as a number")
    await visitor.page.get_by_label("How many").fill("1.5")
    await visitor.press("Rotate")
    secret = await visitor.secret()
    assert await served.ask(key.secret) == 200
    assert await served.ask(secret) == 200
    detail = (await served.keys.events(key.key.id)).items[0].detail
    assert detail is not None
    assert detail["grace_seconds"] == 5400


async def test_a_deleted_key_is_unknown_everywhere_and_its_history_stays(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    assert await served.ask(key.secret) == 200
    await visitor.choose("worker", "Delete")
    await expect(visitor.dialog).to_contain_text("This cannot be undone")
    await expect(visitor.dialog.get_by_role("link", name="Cancel")).to_be_focused()
    await visitor.press("Delete")
    await expect(visitor.banner).to_contain_text("Deleted")
    await expect(visitor.row("worker")).to_have_count(0)
    assert await served.ask(key.secret) == "key_invalid"
    await visitor.open(f"keys/{key.key.id}/history")
    await expect(visitor.page.locator(".event").first).to_contain_text("Deleted")


async def test_a_dialog_that_is_cancelled_changes_nothing_and_gives_the_focus_back(
    served: Served, visit: Visit
) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.choose("worker", "Deactivate")
    await visitor.dialog.get_by_role("link", name="Cancel").click()
    await expect(visitor.page.locator("dialog")).to_be_hidden()
    await expect(visitor.page.locator(f"#menu-{key.key.id}")).to_be_focused()
    assert await served.ask(key.secret) == 200


async def test_many_keys_are_deactivated_at_once_with_a_result_for_each(served: Served, visit: Visit) -> None:
    issued = [await served.keys.create(f"worker {number}", FILES) for number in range(3)]
    await served.keys.deactivate(issued[2].key.id)
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    page = visitor.page
    await expect(page.locator("#bulk")).to_be_hidden()
    for name in ("worker 0", "worker 1", "worker 2", "the boss"):
        await page.get_by_label(f"Select {name}").check()
    bulk = page.get_by_role("form", name="With the selected keys")
    await expect(bulk).to_contain_text("4 selected")
    await bulk.get_by_role("button", name="Deactivate").click()
    await expect(visitor.dialog).to_contain_text("4 keys will be refused everywhere")
    await expect(visitor.dialog).to_contain_text("One of these is the key that you are using")
    await visitor.press("Deactivate 4 keys")
    banner = visitor.banner
    await expect(banner).to_contain_text("2 of 4 keys deactivated, 1 was already")
    await expect(banner).to_contain_text(f"Refused everywhere: {EVERYWHERE}")
    await expect(banner.locator("li", has_text="worker 0")).to_contain_text("Deactivated")
    await expect(banner.locator("li", has_text="worker 2")).to_contain_text("Was deactivated already")
    await expect(banner.locator("li", has_text="the boss")).to_contain_text("is the one you are using")
    for each in issued:
        assert await served.ask(each.secret) == "key_deactivated"
    assert await served.ask(boss.secret) == 200


async def test_many_keys_that_needed_no_change_are_no_success(served: Served, visit: Visit) -> None:
    for number in range(3):
        await served.keys.create(f"worker {number}", FILES, active=False)
    visitor = await visit(served, (await served.boss()).secret)
    for number in range(3):
        await visitor.page.get_by_label(f"Select worker {number}").check()
    await visitor.page.locator("#bulk").get_by_role("button", name="Deactivate").click()
    await visitor.press("Deactivate 3 keys")
    await expect(visitor.banner.locator(".banner-title")).to_have_text(
        "Nothing to do: all 3 keys were deactivated already"
    )
    await expect(visitor.banner).to_have_class("banner notice")


async def test_with_shift_a_click_selects_a_range(served: Served, visit: Visit) -> None:
    for number in range(6):
        await served.keys.create(f"worker {number}", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_label("Select worker 1").click()
    await visitor.page.get_by_label("Select worker 4").click(modifiers=["Shift"])
    await expect(visitor.page.locator("#bulk")).to_contain_text("4 selected")
    await visitor.page.get_by_label("Select worker 2").click(modifiers=["Shift"])
    await expect(visitor.page.locator("#bulk")).to_contain_text("1 selected")


async def test_select_all_takes_what_is_on_the_page_and_clear_gives_it_back(served: Served, visit: Visit) -> None:
    await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_label("Select all on this page").check()
    await expect(page.locator("#bulk")).to_contain_text("2 selected")
    await page.get_by_label("Select worker").uncheck()
    await expect(page.locator("#bulk")).to_contain_text("1 selected")
    assert await page.locator("[data-select-all]").evaluate("box => box.indeterminate")
    await page.locator("#bulk").get_by_role("button", name="Clear").click()
    await expect(page.locator("#bulk")).to_be_hidden()


async def test_the_key_in_use_is_only_taken_away_from_who_ticks_that_they_mean_it(served: Served, visit: Visit) -> None:
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    await visitor.choose("the boss", "Deactivate")
    await expect(visitor.dialog).to_contain_text("This is the key that you are using right now")
    await visitor.press("Deactivate")
    await expect(visitor.dialog.get_by_role("alert")).to_contain_text("Tick the box if you mean it")
    assert await served.ask(boss.secret) == 200
    await visitor.page.get_by_label("I mean it, even so").check()
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_contain_text("Refused everywhere")
    assert await served.ask(boss.secret) == "key_deactivated"
    await visitor.open()
    await expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_change_that_is_still_spreading_warns_and_says_by_when(
    ready_sqlite_url: str, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_change, "WAIT_SECONDS", 0.0)
    async with serving(ready_sqlite_url, poll_there=5.0) as served:
        await served.keys.create("worker", FILES)
        visitor = await visit(served, (await served.boss()).secret)
        await visitor.choose("worker", "Deactivate")
        await visitor.press("Deactivate")
        await expect(visitor.banner).to_contain_text("Committed, and 1 of 2 workers confirmed it so far.")
        await expect(visitor.banner).to_contain_text("It holds everywhere by")
        await expect(visitor.banner).to_have_class("banner warning")


async def test_the_history_tells_who_changed_what_when_and_from_where(served: Served, visit: Visit) -> None:
    key = await served.keys.create("reader", FILES, actor="maria on the shell")
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    await visitor.choose("reader", "Edit")
    await visitor.page.get_by_label("Fetch assets").uncheck()
    await visitor.page.get_by_label("Upload file").check()
    await visitor.page.get_by_label("Description", exact=True).fill("writer")
    await visitor.press("Save")
    await visitor.choose("writer", "History")
    edited, created = visitor.dialog.locator(".event").nth(0), visitor.dialog.locator(".event").nth(1)
    await expect(edited).to_contain_text("Edited")
    await expect(edited).to_contain_text(f"key {boss.key.description} {boss.key.id} (you) from 127.0.0.1")
    await expect(edited.locator("del", has_text="reader")).to_be_visible()
    await expect(edited.locator("ins", has_text="writer")).to_be_visible()
    await expect(edited.locator("ins", has_text="FILE_UPLOAD")).to_be_visible()
    await expect(edited.locator("del", has_text="OBJECTS_FETCH")).to_be_visible()
    await expect(edited.locator("time").first).to_have_text("just now")
    await expect(created).to_contain_text("Created")
    await expect(created).to_contain_text("operator maria on the shell")
    assert key.secret not in await visitor.page.content()


async def test_the_log_lists_the_changes_of_all_keys(served: Served, visit: Visit) -> None:
    for number in range(55):
        await served.keys.create(f"worker {number}", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_role("link", name="Log").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log")
    await expect(page.locator(".event")).to_have_count(50)
    await expect(page.locator(".event").nth(1)).to_contain_text("worker 54")
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator(".event").first).to_contain_text("worker 5")
    await page.get_by_role("link", name="Newest").click()
    await expect(page.locator(".event")).to_have_count(50)


async def test_a_stored_secret_is_copied_from_the_menu_and_that_is_logged(ready_sqlite_url: str, visit: Visit) -> None:
    async with serving(ready_sqlite_url, vault_keys=[Fernet.generate_key()]) as served:
        key = await served.keys.create("worker", FILES)
        visitor = await visit(served, (await served.boss()).secret)
        await visitor.choose("worker", "Copy secret")
        assert await visitor.secret() == key.secret
        await expect(visitor.dialog.get_by_role("button", name="Copied")).to_be_visible()
        assert await visitor.clipboard() == key.secret
        event = (await served.keys.events(key.key.id)).items[0]
        assert event.kind == "revealed"


async def test_without_a_vault_a_keys_page_says_why_its_secret_cannot_be_copied(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.open(f"keys/{key.key.id}")
    await expect(visitor.page.get_by_role("main")).to_contain_text("Only a digest is stored")
    await visitor.open()
    await visitor.row("worker").get_by_role("button", name="Actions for").click()
    menu = visitor.page.locator(".menu:popover-open")
    await expect(menu).not_to_contain_text("Copy secret")
    await menu.get_by_role("button", name="Copy id").click()
    await expect(menu).to_contain_text("Copied")
    assert await visitor.clipboard() == key.key.id


async def test_two_browsers_that_edit_one_key_lose_nothing(served: Served, visit: Visit) -> None:
    key = await served.keys.create("shared", FILES)
    boss = await served.boss()
    first, second = await visit(served, boss.secret), await visit(served, boss.secret)
    await first.choose("shared", "Edit")
    await second.choose("shared", "Edit")
    await first.page.get_by_label("Upload file").check()
    await first.page.get_by_label("Description", exact=True).fill("of the first")
    await first.press("Save")
    await expect(first.banner).to_contain_text("Saved")
    await second.page.get_by_label("Description", exact=True).fill("of the second")
    await second.press("Save")
    both = second.dialog.get_by_role("alert")
    await expect(both).to_contain_text("Somebody else has changed this key since you opened it")
    await expect(both).to_be_focused()
    await expect(both.get_by_role("row", name="Description")).to_have_text("Descriptionof the firstof the second")
    await expect(both.get_by_role("row", name="Permissions")).to_contain_text("FILE_UPLOAD")
    await expect(second.page.get_by_label("Description", exact=True)).to_have_value("of the second")
    assert (await served.keys.get(key.key.id)).description == "of the first"
    await second.dialog.get_by_role("link", name="Start again").click()
    await expect(second.page.get_by_label("Description", exact=True)).to_have_value("of the first")
    await expect(second.page.get_by_label("Upload file")).to_be_checked()
    await second.page.get_by_label("Description", exact=True).fill("of both")
    await second.press("Save")
    await expect(second.banner).to_contain_text("Saved")
    found = await served.keys.get(key.key.id)
    assert found.description == "of both"
    assert found.permissions == {*FILES, "FILE_UPLOAD"}


async def test_what_was_typed_over_a_change_of_somebody_else_can_be_saved_knowingly(
    served: Served, visit: Visit
) -> None:
    key = await served.keys.create("shared", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.choose("shared", "Edit")
    await served.there.update(key.key.id, description="of the other")
    await visitor.page.get_by_label("Description", exact=True).fill("mine")
    await visitor.press("Save")
    await expect(visitor.dialog.get_by_role("alert")).to_contain_text("of the other")
    await visitor.press("Save")
    await expect(visitor.banner).to_contain_text("Saved")
    assert (await served.keys.get(key.key.id)).description == "mine"


async def test_the_list_is_searched_filtered_sorted_and_paged(served: Served, visit: Visit) -> None:
    for number in range(60):
        await served.keys.create(f"worker number{number:02}", ["FILE_UPLOAD"] if number < 2 else FILES, project="acme")
    await served.keys.deactivate((await served.keys.list(search="number07")).items[0].id)
    visitor = await visit(served, (await served.boss()).secret)
    page, rows = visitor.page, visitor.page.locator("tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("link", name="Next").click()
    await expect(rows).to_have_count(11)
    await page.get_by_role("link", name="Previous").click()
    await expect(rows).to_have_count(50)
    await page.get_by_role("link", name="Description").click()
    await expect(page.get_by_role("columnheader", name="Description")).to_have_attribute("aria-sort", "ascending")
    await expect(rows.first).to_contain_text("the boss")
    await page.get_by_role("link", name="Description").click()
    await expect(rows.first).to_contain_text("worker number59")
    await expect(page.get_by_role("columnheader", name="Description")).to_have_attribute("aria-sort", "descending")
    await page.get_by_label("Search descriptions").fill("work number07")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    await expect(page.get_by_label("Search descriptions")).to_be_focused()
    await page.get_by_role("link", name="Active", exact=True).click()
    await expect(page.get_by_role("heading", name="No key matches")).to_be_visible()
    await page.get_by_role("link", name="Deactivated", exact=True).click()
    await expect(rows).to_have_count(1)
    await page.get_by_role("link", name="Clear").click()
    await expect(rows).to_have_count(50)
    await page.get_by_label("Permission", exact=True).select_option("Upload file")
    await expect(rows).to_have_count(3)
    await page.get_by_label("Project", exact=True).select_option("Keys of no project")
    await expect(rows).to_have_count(1)
    await page.go_back()
    await expect(rows).to_have_count(3)
    await page.reload()
    await expect(rows).to_have_count(3)


async def test_keys_are_filtered_by_state_expiry_permissions_and_project_and_counted(
    served: Served, visit: Visit, ready_sqlite_url: str
) -> None:
    soon, later = datetime.now(UTC) + timedelta(days=9), datetime.now(UTC) + timedelta(days=99)
    await served.keys.create("endless", FILES, project="acme")
    await served.keys.create("soon over", FILES, project="acme", expires_at=soon)
    await served.keys.create("over", FILES, project="globex", expires_at=later)
    await served.keys.create("off", [], active=False, expires_at=later)
    over = datetime.now(UTC) - timedelta(days=1)
    await put(ready_sqlite_url, "over", expires_at=over.strftime("%Y-%m-%d %H:%M:%S.%f"))
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    total, names = page.locator("#total"), page.locator("tbody .name")
    await expect(total).to_have_text("5 keys")
    for state, shown in {
        "Active": ["the boss", "soon over", "endless"],
        "Expiring soon": ["soon over"],
        "Expired": ["over"],
        "Deactivated": ["off"],
        "Never expire": ["the boss", "endless"],
        "All": ["the boss", "off", "over", "soon over", "endless"],
    }.items():
        await page.get_by_role("link", name=state, exact=True).click()
        await expect(names).to_have_text(shown)
        if state != "All":
            await expect(total).to_have_text(f"{len(shown)} key{'s that match' if len(shown) > 1 else ' that matches'}")
    await page.get_by_role("link", name="Expires").click()
    await expect(page.get_by_role("columnheader", name="Expires")).to_have_attribute("aria-sort", "ascending")
    await expect(names).to_have_count(5)
    assert (await names.all_inner_texts())[:3] == ["over", "soon over", "off"]
    await page.get_by_label("Permission", exact=True).select_option("No permission at all")
    await expect(names).to_have_text(["off"])
    await page.get_by_role("link", name="Clear").click()
    await expect(names).to_have_count(5)
    await page.get_by_label("Project", exact=True).select_option("acme")
    await expect(names).to_have_text(["soon over", "endless"])
    await page.get_by_label("Project", exact=True).select_option("Keys of no project")
    await expect(names).to_have_text(["off", "the boss"])


async def test_what_a_row_shows_of_a_secret_finds_it(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    await served.keys.create("other", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    shown = await visitor.row("worker").locator("code").first.inner_text()
    assert shown == key.key.hint
    for text in (shown, shown[-4:], shown[:7]):
        await visitor.page.get_by_label("Search").fill(text)
        await visitor.page.keyboard.press("Enter")
        await expect(visitor.page.locator("tbody .name")).to_have_text(["worker"])


async def test_a_list_is_walked_forth_and_back(served: Served, visit: Visit) -> None:
    for number in range(120):
        await served.keys.create(f"worker {number:03}", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page, first = visitor.page, visitor.page.locator("tbody .name").first
    await expect(page.get_by_role("link", name="Previous")).to_have_count(0)
    for link, shown in (
        ("Next", "worker 070"),
        ("Next", "worker 020"),
        ("Previous", "worker 070"),
        ("Next", "worker 020"),
        ("Previous", "worker 070"),
        ("Previous", "the boss"),
    ):
        await page.get_by_role("link", name=link).click()
        await expect(first).to_have_text(shown)
    await page.get_by_role("link", name="Next").click()
    await page.get_by_role("link", name="Start", exact=True).click()
    await expect(first).to_have_text("the boss")


async def test_all_that_match_are_switched_off_at_once_with_an_answer_for_each(served: Served, visit: Visit) -> None:
    made = [await served.keys.create(f"worker {number:03}", FILES, project="acme") for number in range(120)]
    other = await served.keys.create("other", FILES)
    await served.keys.deactivate(made[5].key.id)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await visitor.open("?search=worker&project=acme")
    everything = page.get_by_label("All 120 that match, on every page")
    await expect(everything).to_be_hidden()
    await page.get_by_label("Select all on this page").check()
    await everything.check()
    await expect(page.locator("#bulk")).to_contain_text("120 selected")
    await page.locator("#bulk").get_by_role("button", name="Deactivate").click()
    await expect(visitor.dialog).to_contain_text("120 keys will be refused everywhere")
    await expect(visitor.dialog).to_contain_text("and 112 more")
    late = await served.keys.create("worker late", FILES, project="acme")  # was not confirmed
    await visitor.press("Deactivate 120 keys")
    await expect(visitor.banner.locator(".banner-title")).to_have_text("119 of 120 keys deactivated, 1 was already")
    await visitor.banner.get_by_text("1 · Was deactivated already").click()
    await expect(visitor.banner).to_contain_text(made[5].key.id)
    await visitor.banner.get_by_text("119 · Deactivated").click()
    told = (await visitor.banner.locator(".result-ids code").all_inner_texts())[1].split()
    assert sorted(told) == sorted(each.key.id for each in made if each is not made[5])
    assert {key.id for key in (await served.keys.list(active=True, permission=FILES[0])).items} >= {
        other.key.id,
        late.key.id,
    }
    assert (await served.keys.count(state="deactivated")).number == 120


async def test_unticking_one_key_takes_all_the_others_pages_back(served: Served, visit: Visit) -> None:
    for number in range(60):
        await served.keys.create(f"worker {number:03}", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await page.get_by_label("Select all on this page").check()
    await page.get_by_label("All 61, on every page").check()
    await page.get_by_label("Select worker 030").uncheck()
    await expect(page.locator("#bulk")).to_contain_text("49 selected")
    await page.locator("#bulk").get_by_role("button", name="Deactivate").click()
    await expect(visitor.dialog).to_contain_text("49 keys")


async def test_the_older_secret_is_shown_until_when_it_works_and_is_ended_alone(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await visitor.choose("worker", "Rotate secret")
    await visitor.press("Rotate")
    secret = await visitor.secret()
    await visitor.press("Copy")
    await go_out(visitor, "Done")
    await expect(visitor.banner).to_contain_text("The old secret opens it too, until")
    await expect(visitor.row("worker").locator(".hint")).to_contain_text("+1 older secret")
    await visitor.row("worker").locator(".name").click()
    await expect(page.locator(".facts").first).to_contain_text(f"{key.key.hint} opens this key too")
    await expect(page.locator(".facts").first).to_contain_text("in 1 day")
    assert await served.ask(key.secret) == 200
    await page.get_by_role("link", name="End it now").click()
    await expect(visitor.dialog).to_contain_text("with its newest secret only")
    await visitor.press("End the old secret")
    await expect(visitor.banner).to_contain_text(f"Refused everywhere: {EVERYWHERE}")
    await expect(page.locator(".facts").first).not_to_contain_text("opens this key too")
    await expect(page.locator(".event").first).to_contain_text("Old secret ended")
    assert await served.ask(key.secret) == "key_invalid"
    assert await served.ask(secret) == 200


async def test_only_graces_that_are_allowed_are_offered(ready_sqlite_url: str, visit: Visit) -> None:
    async with serving(ready_sqlite_url, max_grace=7200.0) as served:
        await served.keys.create("worker", FILES)
        visitor = await visit(served, (await served.boss()).secret)
        await visitor.choose("worker", "Rotate secret")
        labels = visitor.dialog.locator(".radios > .check")
        await expect(labels).to_have_text(["None: it stops working at once", "1 hour", "Another time, 2 hours at most"])


async def test_a_keys_page_tells_who_made_it_and_what_it_made(served: Served, visit: Visit) -> None:
    lead = await served.keys.create("team lead", EVERYTHING)
    child = await served.keys.create("child", FILES, actor=Actor.of(lead.key))
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    await visitor.open(f"keys/{child.key.id}")
    await expect(page.locator(".facts").first).to_contain_text("by key team lead")
    await page.get_by_role("link", name="team lead").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log")
    await visitor.open(f"keys/{lead.key.id}")
    made = page.get_by_role("region", name="Keys that it made")
    await expect(made).to_contain_text("child")
    await made.get_by_role("link", name="All of them, to switch off").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Keys made by team lead")


async def test_a_new_key_gets_one_of_the_projects_there_are_or_another(served: Served, visit: Visit) -> None:
    for project in ("acme", "globex"):
        await served.keys.create("x", project=project)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_role("link", name="Add key").click()
    field = visitor.dialog.get_by_label("Project")
    listed = await field.evaluate("field => [...field.list.options].map(option => option.value)")
    assert listed == ["acme", "globex"]


async def test_a_change_keeps_the_list_as_it_was_filtered(served: Served, visit: Visit) -> None:
    for name in ("one", "two"):
        await served.keys.create(name, FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.open("?search=one")
    await visitor.choose("one", "Deactivate")
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_be_visible()
    await expect(visitor.page.locator("tbody tr")).to_have_count(1)
    await expect(visitor.page.get_by_label("Search descriptions")).to_have_value("one")


async def test_a_secret_that_is_pasted_into_the_search_finds_its_key_and_stays_out_of_the_url(
    served: Served, visit: Visit
) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_label("Search descriptions").fill(key.secret)
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("tbody tr")).to_have_count(1)
    assert visitor.page.url == f"{served.url}?search={key.key.id}"


async def test_an_empty_installation_says_what_to_do(served: Served, visit: Visit) -> None:
    manager = await served.keys.create("manager", ["ACCESS_MANAGE"], project="acme")
    visitor = await visit(served, manager.secret)
    await visitor.open("?state=deactivated")
    await expect(visitor.page.get_by_role("heading", name="No key matches")).to_be_visible()
    await visitor.page.get_by_role("link", name="Show all keys").click()
    await expect(visitor.row("manager")).to_contain_text("In use by you")


async def test_a_server_that_cannot_be_reached_is_said_and_the_form_stays(served: Served, visit: Visit) -> None:
    key = await served.keys.create("worker", FILES)
    visitor = await visit(served, (await served.boss()).secret)
    await visitor.choose("worker", "Deactivate")
    await visitor.page.route("**/change", lambda route: route.abort())
    await visitor.press("Deactivate")
    await expect(visitor.dialog.get_by_role("alert")).to_contain_text("The server could not be reached")
    assert await served.ask(key.secret) == 200
    await visitor.page.unroute("**/change")
    await visitor.press("Deactivate")
    await expect(visitor.banner).to_contain_text("Refused everywhere")


async def test_what_was_typed_survives_a_fault_of_the_server(
    served: Served, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_args: object, **_options: object) -> None:
        raise UnavailableError("The database is away", 7)

    visitor = await visit(served, (await served.boss()).secret)
    await visitor.page.get_by_role("link", name="Add key").click()
    await visitor.page.get_by_label("Description", exact=True).fill("patient")
    monkeypatch.setattr(served.keys, "create", away)
    await visitor.press("Create key")
    await expect(visitor.dialog.get_by_role("alert")).to_contain_text("The database does not answer")
    await expect(visitor.page.get_by_label("Description", exact=True)).to_have_value("patient")
    monkeypatch.undo()
    await visitor.press("Create key")
    await visitor.secret()


async def test_what_was_typed_survives_the_end_of_the_session(served: Served, visit: Visit) -> None:
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    page = visitor.page
    await page.get_by_role("link", name="Add key").click()
    await page.get_by_label("Description", exact=True).fill("typed before")
    await page.get_by_label("Upload file").check()
    await page.get_by_label("Expires").select_option("On a day …")
    await page.get_by_label("Day of expiry").fill("2090-05-04")
    await visitor.context.clear_cookies(name="gatepost_session")
    await visitor.context.add_cookies([{"name": "gatepost_signed_in", "value": "1", "url": served.url}])
    await visitor.press("Create key")
    await expect(page.get_by_role("main")).to_contain_text("the page was not used for a while")
    await expect(page.get_by_role("main")).to_contain_text("What you typed is kept")
    await visitor.sign_in("gp_wrong")
    await expect(page.get_by_role("alert")).to_be_visible()
    await visitor.sign_in(boss.secret)
    await expect(page.get_by_role("main")).to_contain_text("You are signed in again")
    await expect(page.get_by_label("Description", exact=True)).to_have_value("typed before")
    await expect(page.get_by_label("Upload file")).to_be_checked()
    await expect(page.get_by_label("Day of expiry")).to_have_value("2090-05-04")
    assert len((await served.keys.list()).items) == 1
    await page.get_by_role("button", name="Create key").click()
    await visitor.secret()
    (key,) = (await served.keys.list(search="typed")).items
    assert key.permissions == {"FILE_UPLOAD"}


async def signed_out(visitor: Visitor, why: str) -> None:
    """The page shows the sign-in with that reason, and has forgotten the session."""
    await expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    await expect(visitor.page.get_by_role("main")).to_contain_text(why)
    assert "gatepost_session" not in {cookie["name"] for cookie in await visitor.context.cookies()}


async def test_deactivating_the_key_of_a_session_ends_it_at_once(served: Served, visit: Visit) -> None:
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    await served.there.deactivate(boss.key.id)
    await visitor.page.get_by_role("link", name="Add key").click()
    await signed_out(visitor, "the key that you used has been deactivated")


async def test_rotating_its_secret_away_or_deleting_its_key_ends_a_session_at_once(
    served: Served, visit: Visit
) -> None:
    first, second = await served.boss(), await served.boss()
    for issued in (first, second):
        visitor = await visit(served, issued.secret)
        if issued is first:
            await served.there.rotate(issued.key.id, grace=0)
        else:
            await served.there.delete(issued.key.id)
        await visitor.open("log")
        await signed_out(visitor, "was deleted, or its secret was replaced")


async def test_a_session_whose_key_may_no_longer_look_is_refused_and_can_sign_out(served: Served, visit: Visit) -> None:
    boss = await served.boss()
    visitor = await visit(served, boss.secret)
    await served.there.update(boss.key.id, permissions=FILES)
    await visitor.open()
    await expect(visitor.page.get_by_role("main")).to_contain_text("needs ACCESS_READ or ACCESS_MANAGE")
    await visitor.page.get_by_role("button", name="Sign out").click()
    await expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_link_on_another_site_leads_to_the_page_and_not_to_the_sign_in(served: Served, visit: Visit) -> None:
    visitor = await visit(served, (await served.boss()).secret)
    page = visitor.page
    elsewhere = served.origin.replace("127.0.0.1", "localhost")
    await page.goto(f"{elsewhere}/anything")
    async with page.expect_response(f"{served.url}log") as first:
        await page.evaluate("url => { location.href = url }", f"{served.url}log")
    assert (await first.value).status == 401
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log")


async def test_a_secret_that_is_wrong_is_said_beside_the_field(served: Served, visit: Visit) -> None:
    visitor = await visit(served)
    await visitor.sign_in("gp_wrong")
    field = visitor.page.get_by_label("Secret key")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("not a key that is known here")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("")


async def test_the_page_works_over_postgresql(ready_postgres_url: str, visit: Visit) -> None:
    async with serving(ready_postgres_url) as served:
        visitor = await visit(served, (await served.boss()).secret)
        page = visitor.page
        await page.get_by_role("link", name="Add key").click()
        await page.get_by_label("Description", exact=True).fill("worker")
        await page.get_by_label("List assets").check()
        await visitor.press("Create key")
        secret = await visitor.secret()
        assert await served.ask(secret) == 200
        await visitor.press("Copy")
        await visitor.dialog.get_by_role("link", name="Done").click()
        await visitor.choose("worker", "Deactivate")
        await visitor.press("Deactivate")
        await expect(visitor.banner).to_contain_text(f"Refused everywhere: {EVERYWHERE}")
        assert await served.ask(secret) == "key_deactivated"
        await visitor.choose("worker", "History")
        await expect(visitor.dialog.locator(".event")).to_have_count(2)
