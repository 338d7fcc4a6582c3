"""Roles on the page: edited and deleted once it was told who gains and loses what; held by keys; nobody's way up."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from gatepost import APIKeys, RoleNotFoundError
from tests.admin.page.conftest import Visit
from tests.admin.page.served import Served
from tests.admin.page.test_addresses import form_of
from tests.admin.page.test_http import Client, at, held

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANAGER = ["ACCESS_READ", "ACCESS_MANAGE", "OBJECTS_LIST"]


async def role_form(client: Client, path: str) -> dict[str, Any]:
    """The hidden fields of a form of a role."""
    text = (await client.get(path)).text
    return {**dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', text))}


async def told_first(client: Client, path: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The question that a form leads to, and what it sends when it is answered with yes."""
    answer = await client.post(path, await role_form(client, path) | {"seen": ""} | fields)
    assert answer.status_code == 200
    seen = re.search(r'name="seen" value="(\w+)"', answer.text)
    assert seen
    return answer.text, fields | {"seen": seen[1]}


async def test_a_role_is_edited_and_deleted_once_it_was_told_who_gains_and_loses_what(
    served: Served, visit: Visit
) -> None:
    for script in (True, False):
        name = f"editor{script}"
        visitor = await visit(served, (await served.boss()).secret, java_script_enabled=script)
        page = visitor.page
        await page.get_by_role("link", name="Roles", exact=True).click()
        await page.get_by_role("link", name="Add role").click()
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_label("Upload file").check()
        await page.get_by_label("List assets").check()
        await page.get_by_role("button", name="Create role").last.click()
        await expect(visitor.banner).to_contain_text("Role made")
        key = await served.keys.create("holder", roles=[name])
        assert await served.ask(key.secret) == 200
        await page.get_by_role("link", name=f"Edit {name}", exact=True).click()
        await page.get_by_label("List assets").uncheck()
        await page.get_by_label("Move file").check()
        await page.get_by_role("button", name="Go on").click()
        main = visitor.dialog if script else page.get_by_role("main")
        await expect(main).to_contain_text("1 key holds it")
        await expect(main.locator(".lost")).to_contain_text("OBJECTS_LIST")
        await expect(main.locator(".lost")).to_contain_text("holder")
        await expect(main.locator(".gained")).to_contain_text("FILE_MOVE")
        assert await served.ask(key.secret) == 200
        await page.get_by_role("button", name="Save").last.click()
        await expect(visitor.banner).to_contain_text("Role edited")
        await expect(visitor.banner).to_contain_text("In force everywhere")
        assert await served.ask(key.secret) == "permission_denied"
        await page.get_by_role("link", name=f"Delete {name}", exact=True).click()
        await expect(main.locator(".lost")).to_contain_text("FILE_MOVE")
        await page.get_by_role("button", name="Delete role").click()
        await expect(visitor.banner).to_contain_text("Role deleted")
        assert not (await served.keys.get(key.key.id)).permissions
        await served.keys.delete(key.key.id)
        await visitor.open("log")
        await expect(page.get_by_role("main")).to_contain_text("Role deleted")
        await expect(page.get_by_role("main")).to_contain_text("Role edited")
        await expect(page.get_by_role("main")).to_contain_text("Role made")


async def test_keys_are_given_roles_by_the_forms_and_their_page_tells_what_is_from_where(served: Served) -> None:
    await served.keys.roles.create("editor", ["FILE_UPLOAD"])
    await served.keys.roles.create("acme-reader", ["OBJECTS_LIST"], project="acme")
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, "new") | {
            "description": "holder",
            "role": ["", "editor", "acme-reader"],
            "permission": ["DIR_CREATE"],
        }
        wrong = await client.post("new", fields)
        assert wrong.status_code == 400
        assert 'id="roles-error"' in wrong.text
        assert (await client.post("new", fields | {"project": "acme"})).status_code == 200
        (key,) = (await served.keys.list(role="editor")).items
        assert (key.roles, key.own_permissions) == (("acme-reader", "editor"), frozenset({"DIR_CREATE"}))
        page = (await client.get(f"keys/{key.id}")).text
        assert re.search(r'<code>FILE_UPLOAD</code> <span class="tag">editor</span>', page)
        assert re.search(r'<code>DIR_CREATE</code> <span class="tag">its own</span>', page)
        assert "?role=editor" in page
        listed = (await client.get("?role=editor")).text
        assert f'id="key-{key.id}"' in listed
        assert f'id="key-{boss.key.id}"' not in listed
        edit = f"keys/{key.id}/edit"
        unchanged = await form_of(client, edit) | {
            "description": "holder",
            "role": ["", "editor", "acme-reader"],
            "permission": ["DIR_CREATE"],
        }
        assert "Nothing was changed" in (await client.post(edit, unchanged)).text
        assert (await client.post(edit, unchanged | {"role": [""]})).status_code == 200
        bare = await served.keys.get(key.id)
        assert (bare.roles, bare.permissions) == ((), frozenset({"DIR_CREATE"}))
        plain = await served.keys.create("of no project")
        offered = (await client.get(f"keys/{plain.key.id}/edit")).text
        assert 'value="editor"' in offered
        assert 'value="acme-reader"' not in offered


async def test_nobody_gives_by_a_role_what_they_do_not_hold(served: Served) -> None:
    await served.keys.roles.create("strong", ["FILE_MOVE"])
    await served.keys.roles.create("weak", ["OBJECTS_LIST"])
    holder = await served.keys.create("holder", roles=["weak"])
    manager = await served.keys.create("a manager", MANAGER)
    said = "Nobody grants what they do not hold: this needs FILE_MOVE"
    async with at(served) as client:
        await client.sign_in(manager.secret)
        new = await role_form(client, "roles/new") | {"name": "mine", "permission": ["FILE_MOVE"]}
        edit = await role_form(client, "roles/weak/edit") | {"permission": ["OBJECTS_LIST", "FILE_MOVE"]}
        give = await form_of(client, "new") | {"description": "by a role", "role": ["", "strong"]}
        keys = f"keys/{holder.key.id}/edit"
        take = await form_of(client, keys) | {"description": "holder", "role": ["", "strong"]}
        own = await form_of(client, f"keys/{manager.key.id}/edit") | {
            "description": "a manager",
            "role": ["", "strong"],
            "permission": MANAGER,
        }
        for path, fields in (
            ("roles/new", new),
            ("roles/weak/edit", edit),
            ("roles/weak/edit", edit | {"seen": "0" * 32}),
            ("new", give),
            (keys, take),
            (f"keys/{manager.key.id}/edit", own),
        ):
            answer = await client.post(path, fields)
            assert answer.status_code == 403, path
            assert said in answer.text, path
        form = (await client.get("new")).text
        assert re.search(r'value="strong" disabled', form)
        assert re.search(r'value="weak">', form)
    with pytest.raises(RoleNotFoundError):
        await served.keys.roles.get("mine")
    assert (await served.keys.roles.get("weak")).permissions == {"OBJECTS_LIST"}
    assert (await served.keys.get(holder.key.id)).permissions == {"OBJECTS_LIST"}
    assert (await served.keys.get(manager.key.id)).permissions == {*MANAGER}
    assert not (await served.keys.list(search="by a role")).items


async def test_a_manager_of_a_project_edits_its_roles_alone(served: Served) -> None:
    await served.keys.roles.create("wide", ["OBJECTS_LIST"])
    await served.keys.roles.create("theirs", ["OBJECTS_LIST"], project="beta")
    await served.keys.roles.create("ours", ["OBJECTS_LIST"], project="acme")
    manager = await served.keys.create("a manager", MANAGER, project="acme")
    looker = await served.keys.create("a looker", ["ACCESS_READ"], project="acme")
    async with at(served) as client:
        await client.sign_in(manager.secret)
        page = (await client.get("roles")).text
        assert "theirs" not in page
        assert 'aria-label="Edit ours"' in page
        assert 'aria-label="Edit wide"' not in page
        assert (await client.get("roles/theirs/edit?project=beta")).status_code == 404
        wide = await role_form(client, "roles/wide/edit")
        for path in ("roles/wide/edit", "roles/wide/delete"):
            answer = await client.post(path, wide | {"permission": [], "project": ""})
            assert answer.status_code == 403, path
        answer = await client.post("roles/theirs/delete", wide | {"project": "beta"})
        assert answer.status_code == 404
        assert "There is no such role" in answer.text
        new = await role_form(client, "roles/new") | {"name": "another", "project": "beta"}
        assert (await client.post("roles/new", new)).status_code == 200
        assert (await served.keys.roles.get("another", project="acme")).permissions == frozenset()
    async with at(served) as client:
        await client.sign_in(looker.secret)
        page = (await client.get("roles")).text
        assert "Add role" not in page
        assert 'aria-label="Edit ours"' not in page
        for path in ("roles/new", "roles/ours/edit?project=acme", "roles/ours/delete?project=acme"):
            assert (await client.get(path)).status_code == 403, path
    assert len(await served.keys.roles.list()) == 4


async def test_what_was_told_is_what_is_done_or_it_is_told_anew(served: Served) -> None:
    keys: APIKeys = served.keys
    await keys.roles.create("editor", ["OBJECTS_LIST"])
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        text, edit = await told_first(client, "roles/editor/edit", {"permission": ["FILE_MOVE"]})
        assert "No key holds it." in text
        _, gone = await told_first(client, "roles/editor/delete", {})
        key = await keys.create("given meanwhile", roles=["editor"])
        for path, fields in (("roles/editor/edit", edit), ("roles/editor/delete", gone)):
            answer = await client.post(path, await role_form(client, "roles/new") | fields)
            assert "It is another change now." in answer.text
            assert "given meanwhile" in answer.text
            assert (await keys.get(key.key.id)).permissions == {"OBJECTS_LIST"}
        _, edit = await told_first(client, "roles/editor/edit", {"permission": ["FILE_MOVE"]})
        answer = await client.post("roles/editor/edit", await role_form(client, "roles/new") | edit)
        assert "Role edited" in answer.text
        assert (await keys.get(key.key.id)).permissions == {"FILE_MOVE"}


async def test_a_form_of_roles_is_kept_over_a_sign_in_and_nothing_is_done_by_it(served: Served) -> None:
    await served.keys.roles.create("editor", ["OBJECTS_LIST"])
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        _, edit = await told_first(client, "roles/editor/edit", {"permission": ["FILE_MOVE"], "description": "typed"})
        _, gone = await told_first(client, "roles/editor/delete", {})
    seq = (await served.keys.events(limit=1)).items[0].seq
    for path, fields, shown in (
        ("roles/new", {"name": "typed"}, 'value="typed"'),
        ("roles/editor/edit", edit, 'value="typed"'),
        ("roles/editor/delete", gone, "No key holds it."),
    ):
        async with at(served) as client:
            answer = await held(client, path, fields, boss.secret)
            assert answer.status_code == 200, path
            assert shown in answer.text
            assert "You are signed in again" in answer.text
    assert (await served.keys.events(limit=1)).items[0].seq == seq


async def test_the_key_in_use_loses_nothing_by_a_role_unless_that_is_meant(served: Served) -> None:
    await served.keys.roles.create("admins", ["ACCESS_MANAGE", "ACCESS_READ"])
    own = await served.keys.create("mine", ["OBJECTS_LIST"], roles=["admins"])
    async with at(served) as client:
        await client.sign_in(own.secret)
        text, edit = await told_first(client, "roles/admins/edit", {"permission": ["ACCESS_READ"]})
        assert "is the key that you are using right now" in text
        assert "would lose, everywhere" in text
        answer = await client.post("roles/admins/edit", await role_form(client, "roles/new") | edit)
        assert answer.status_code == 409
        assert "ACCESS_MANAGE" in (await served.keys.get(own.key.id)).permissions
        answer = await client.post("roles/admins/edit", await role_form(client, "roles/new") | edit | {"force": "on"})
        assert "Role edited" in answer.text
        assert (await served.keys.get(own.key.id)).permissions == {"ACCESS_READ", "OBJECTS_LIST"}


async def test_the_pages_of_roles_are_for_everybody(served: Served, visit: Visit) -> None:
    await served.keys.roles.create("editor", ["OBJECTS_LIST", "FILE_UPLOAD"], description="writes files")
    await served.keys.create("holder", ["DIR_CREATE"], roles=["editor"])
    visitor = await visit(served, (await served.boss()).secret)
    for path in ("roles", "roles/new", "roles/editor/edit", "roles/editor/delete", "new"):
        await visitor.open(path)
        assert await visitor.violations() == [], path
