"""What permissions hold on, on the page: the forms of keys and roles, what is told of both."""

import html
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.admin.page.conftest import Visit
from tests.admin.page.served import Served
from tests.admin.page.test_addresses import form_of
from tests.admin.page.test_http import Client, at
from tests.admin.page.test_roles import role_form, told_first

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPRING = ("collection:spring", "dir:/my files, 2026/*")
TYPED = " dir:/my files, 2026/* \r\n\r\ncollection:spring\r\n"


async def reach_of(client: Client, path: str) -> dict[str, Any]:
    """The fields of a form of a key or a role about resources, as a browser would send them unchanged."""
    text = (await client.get(path)).text
    reach = re.search(r'<select id="reach".*?<option value="(\w+)" selected', text, re.DOTALL)
    typed = re.search(r'<textarea id="resources"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    assert reach
    assert typed
    nothing = {"no_resource": "on"} if re.search(r'name="no_resource" checked', text) else {}
    return {"reach": reach[1], "resources": html.unescape(typed[1])} | nothing


async def test_a_key_is_limited_to_resources_by_the_form_and_its_page_tells_to_which(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, "new") | await reach_of(client, "new") | {"description": "limited"}
        assert fields["reach"] == "everything"
        answer = await client.post("new", fields | {"reach": "listed", "resources": TYPED})
        assert answer.status_code == 200
        (key,) = (await served.keys.list(search="limited")).items
        assert key.resources == SPRING
        page = (await client.get(f"keys/{key.id}")).text
        assert all(f'<code translate="no">{each}</code>' in page for each in SPRING)
        listed = (await client.get("?search=limited")).text
        assert f'title="Permissions hold on {", ".join(SPRING)}"' in listed
        assert "on 2 resources</span>" in listed
        new = await form_of(client, "new") | {"description": "free", "reach": "everything", "resources": "not read"}
        assert (await client.post("new", new)).status_code == 200
        (free,) = (await served.keys.list(search="free")).items
        assert free.resources is None
        assert "<dt>Permissions hold on</dt><dd>Everything</dd>" in (await client.get(f"keys/{free.id}")).text
        assert 'title="Permissions hold on' not in (await client.get("?search=free")).text


@pytest.mark.parametrize("path", ["new", "keys/{id}/edit"])
@pytest.mark.parametrize("reach", ["bogus", "LISTED", ""])
async def test_a_word_that_is_neither_is_an_error_and_not_everything(served: Served, path: str, reach: str) -> None:
    boss = await served.boss()
    key = (await served.keys.create("asked about", ["OBJECTS_LIST"], resources=SPRING)).key
    path = path.format(id=key.id)
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, path) | {"description": "asked about", "reach": reach, "resources": TYPED}
        answer = await client.post(path, fields)
        if reach or path == "new":  # an edit that does not ask about them leaves them
            assert answer.status_code == 400
            assert "Say whether permissions hold on" in html.unescape(answer.text)
    assert [each.resources for each in (await served.keys.list(search="asked")).items] == [tuple(SPRING)]


@pytest.mark.parametrize("path", ["new", "keys/{id}/edit"])
async def test_a_list_without_resources_is_asked_about_before_it_is_saved(served: Served, path: str) -> None:
    boss = await served.boss()
    key = (await served.keys.create("asked about", ["OBJECTS_LIST"])).key
    path = path.format(id=key.id)
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, path) | {"description": "asked", "permission": "OBJECTS_LIST"}
        fields |= {"reach": "listed", "resources": " \r\n"}
        before = await served.keys.count()
        answer = await client.post(path, fields)
        assert answer.status_code == 400
        assert re.search('id="resources-error">No resource is named', answer.text)
        assert re.search(r'name="no_resource">', answer.text), "the box is there, and not ticked"
        assert await served.keys.count() == before
        assert (await served.keys.get(key.id)).resources is None
        assert (await client.post(path, {**fields, "no_resource": "on"})).status_code == 200
        saved = (await served.keys.list(search="asked")).items[0]
        assert saved.resources == ()
        assert "Nothing: it may do only what needs no permission" in (await client.get(f"keys/{saved.id}")).text
        again = await reach_of(client, f"keys/{saved.id}/edit")
        assert again == {"reach": "listed", "resources": "", "no_resource": "on"}


async def test_an_edit_changes_resources_where_they_were_typed_otherwise_and_tells_it(served: Served) -> None:
    boss = await served.boss()
    key = (await served.keys.create("bound", ["OBJECTS_LIST"], resources=SPRING)).key
    path = f"keys/{key.id}/edit"
    async with at(served) as client:
        await client.sign_in(boss.secret)
        older = await form_of(client, path) | {"description": "bound", "permission": "OBJECTS_LIST"}
        fields = older | await reach_of(client, path)
        assert (fields["reach"], fields["resources"]) == ("listed", "\n".join(SPRING))
        assert "Nothing was changed" in (await client.post(path, fields | {"resources": TYPED})).text
        assert (await client.post(path, older | {"description": "renamed"})).status_code == 200
        key = await served.keys.get(key.id)
        assert (key.description, key.resources) == ("renamed", SPRING), "a form that does not ask changes nothing"
        fields |= {"version": key.version, "description": "renamed"}
        answer = await client.post(path, {**fields, "resources": "dir:/a/../b"})
        assert answer.status_code == 400
        assert 'id="resources-error">&#39;dir:/a/../b&#39; must be written as it is compared' in answer.text
        assert (await served.keys.get(key.id)).resources == SPRING
        assert (await client.post(path, {**fields, "resources": "dir:/b\r\ncollection:spring"})).status_code == 200
        assert (await served.keys.get(key.id)).resources == ("collection:spring", "dir:/b")
        stale = await client.post(path, {**fields, "reach": "everything"})
        assert stale.status_code == 409
        row = '<th scope="row">Permissions hold on</th>.*collection:spring, dir:/b.*everything'
        assert re.search(row, stale.text)
        assert "Permissions hold on</th>" not in (await client.post(path, older)).text
        history = (await client.get(f"keys/{key.id}/history")).text
        assert re.search(r"<dt>Resources</dt>\s*<dd>.*dir:/b.*dir:/my files", history, re.DOTALL)


async def test_what_a_role_is_limited_to_is_told_before_it_is_changed_and_with_each_key(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        new = await role_form(client, "roles/new") | {"name": "spring", "permission": ["FILE_UPLOAD"]}
        wrong = await client.post("roles/new", new | {"reach": "listed", "resources": "spring"})
        assert wrong.status_code == 400
        assert 'id="resources-error">&#39;spring&#39; must be a kind, a colon and a name' in wrong.text
        assert (await client.post("roles/new", new | {"reach": "listed", "resources": TYPED})).status_code == 200
        assert (await served.keys.roles.get("spring")).resources == SPRING
        assert f'<code translate="no">{SPRING[1]}</code> alone' in (await client.get("roles")).text
        holder = (await served.keys.create("holder", ["DIR_CREATE"], roles=["spring"])).key
        page = (await client.get(f"keys/{holder.id}")).text
        assert re.search(rf'<code>FILE_UPLOAD</code>.*<span class="where">on .*{re.escape(SPRING[1])}.* alone', page)
        assert not re.search(r'<code>DIR_CREATE</code>.*<span class="where">', page)
        assert "on resources of its roles</span>" in (await client.get("?search=holder")).text
        edit = "roles/spring/edit"
        same = {"permission": ["FILE_UPLOAD"]} | await reach_of(client, edit)
        assert "Nothing was changed" in (await client.post(edit, await role_form(client, edit) | same)).text
        less = same | {"resources": SPRING[0]}
        text, _ = await told_first(client, edit, less)
        assert f'hold on <code translate="no">{", ".join(SPRING)}</code> now' in text
        assert f'would on <code translate="no">{SPRING[0]}</code>' in text
        assert re.search(r'class="gains lost".*FILE_UPLOAD.*holder', text, re.DOTALL)
        assert 'class="gains gained"' not in text
        assert (await served.keys.roles.get("spring")).resources == SPRING
        again = {
            name: html.unescape(value)
            for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text)
        }
        assert (again["reach"], again["resources"]) == ("listed", SPRING[0])
        assert "Role edited" in (await client.post(edit, again)).text
        assert (await served.keys.get(holder.id)).role_resources == {"FILE_UPLOAD": SPRING[:1]}
        history = (await client.get(f"keys/{holder.id}/history")).text
        assert "<dt>Limited by its roles</dt>" in history
        assert f"FILE_UPLOAD to {', '.join(SPRING)}" in history
        log = (await client.get("log")).text
        assert re.search(r"<dt>Resources</dt>\s*<dd>.*dir:/my files, 2026", log, re.DOTALL)


async def test_what_was_told_of_a_role_is_told_anew_where_its_resources_are_others(served: Served) -> None:
    await served.keys.roles.create("spring", ["FILE_UPLOAD"], resources=SPRING)
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        _, gone = await told_first(client, "roles/spring/delete", {})
        await served.keys.roles.update("spring", resources=["dir:/b"])
        answer = await client.post("roles/spring/delete", await role_form(client, "roles/new") | gone)
        assert "It is another change now." in answer.text
        assert (await served.keys.roles.get("spring")).resources == ("dir:/b",)


@pytest.mark.parametrize("width", [320, 1280])
async def test_resources_are_for_everybody_and_nothing_is_cut_off(served: Served, visit: Visit, width: int) -> None:
    long = ["dir:/" + "campaigns-" * 18 + "/*", *SPRING]
    await served.keys.roles.create("spring", ["FILE_UPLOAD"], resources=long)
    key = (await served.keys.create("limited", ["DIR_CREATE"], roles=["spring"], resources=long)).key
    boss = await served.boss()
    visitor = await visit(served, boss.secret, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page = visitor.page
    for path in ("", "new", f"keys/{key.id}", f"keys/{key.id}/edit", "roles", "roles/new", "roles/spring/edit"):
        await visitor.open(path)
        assert await visitor.violations() == [], path
        scrolled, shown = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert scrolled <= shown, path
        for button in await page.locator(".task-foot > *").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["x"] >= 0, path
    await page.get_by_label("Permissions hold on").select_option("everything")
    await expect(page.get_by_label("Resources", exact=True)).to_be_hidden()
    await page.get_by_label("Permissions hold on").select_option("listed")
    await page.get_by_label("Resources", exact=True).fill("dir:/b")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator(".lost").first).to_contain_text("FILE_UPLOAD")
    scrolled, shown = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert scrolled <= shown
    await page.get_by_role("button", name="Save").last.click()
    await expect(visitor.banner).to_contain_text("Role edited")
    assert (await served.keys.roles.get("spring")).resources == ("dir:/b",)
