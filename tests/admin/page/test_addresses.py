"""Where keys may be used from, on the page: the form, what is told, and who is let in."""

import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gatepost import Admin, APIKeyMiddleware, APIKeys, Issued
from tests.admin.page.served import EVERYTHING, MOUNT, Served, serving
from tests.admin.page.test_http import Client, at
from tests.frameworks.connection import ask, http_scope

pytestmark = pytest.mark.asyncio(loop_scope="session")

OFFICE = ("203.0.113.0/24", "2001:db8::/32")


async def form_of(client: Client, path: str) -> dict[str, Any]:
    """The fields of a form, as a browser would send them unchanged, without the permissions."""
    text = (await client.get(path)).text
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', text)
    places = re.search(r'<select id="places".*?<option value="(\w+)" selected', text, re.DOTALL)
    networks = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", text, re.DOTALL)
    assert places
    assert networks
    fields: dict[str, Any] = {**dict(hidden), "places": places[1], "networks": networks[1], "expires": "never"}
    if re.search(r'name="nowhere" checked', text):
        fields["nowhere"] = "on"
    return fields


async def made(served: Served, client: Client, **fields: Any) -> Any:
    """The answer to the form for a new key."""
    return await client.post("new", await form_of(client, "new") | {"description": "a key"} | fields)


async def test_a_key_is_bound_by_the_form_and_its_page_tells_to_what(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        answer = await made(served, client, places="listed", networks=" 2001:db8::/32,\r\n\r\n203.0.113.0/24\r\n")
        assert answer.status_code == 200
        (key,) = (await served.keys.list(search="a key")).items
        assert key.allow == OFFICE
        page = (await client.get(f"keys/{key.id}")).text
        assert all(f'<code translate="no">{each}</code>' in page for each in OFFICE)
        answer = await made(served, client, description="free", places="anywhere", networks="not read")
        assert answer.status_code == 200
        (free,) = (await served.keys.list(search="free")).items
        assert free.allow is None
        assert "<dd>Anywhere</dd>" in (await client.get(f"keys/{free.id}")).text


@pytest.mark.parametrize("path", ["new", "keys/{id}/edit"])
async def test_a_list_without_networks_is_asked_about_before_it_is_saved(served: Served, path: str) -> None:
    boss = await served.boss()
    key = (await served.keys.create("asked about", ["OBJECTS_LIST"])).key
    path = path.format(id=key.id)
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, path) | {"description": "asked", "places": "listed", "networks": " \r\n"}
        fields["permission"] = "OBJECTS_LIST"
        before = await served.keys.count()
        answer = await client.post(path, fields)
        assert answer.status_code == 400
        assert "could be used from nowhere" in answer.text
        assert re.search(r'name="nowhere">', answer.text), "the box is there, and not ticked"
        assert await served.keys.count() == before
        assert (await served.keys.get(key.id)).allow is None
        answer = await client.post(path, {**fields, "nowhere": "on"})
        assert answer.status_code == 200
        saved = (await served.keys.list(search="asked")).items[0]
        assert saved.allow == ()
        assert "Nowhere: every request with it is refused" in (await client.get(f"keys/{saved.id}")).text
        again = await form_of(client, f"keys/{saved.id}/edit")
        assert (again["places"], again["networks"], again["nowhere"]) == ("listed", "", "on")


async def test_an_edit_changes_the_list_where_it_was_typed_otherwise_and_tells_it(served: Served) -> None:
    boss = await served.boss()
    issued = await served.keys.create("bound", ["OBJECTS_LIST"], allow=OFFICE)
    path = f"keys/{issued.key.id}/edit"
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, path) | {"description": "bound", "permission": "OBJECTS_LIST"}
        assert (fields["places"], fields["networks"]) == ("listed", "\n".join(OFFICE))
        answer = await client.post(path, {**fields, "networks": "2001:db8:0::/32 203.0.113.0/24"})
        assert "Nothing was changed" in answer.text
        without = {name: value for name, value in fields.items() if name not in ("places", "networks")}
        await client.post(path, {**without, "description": "renamed"})
        key = await served.keys.get(issued.key.id)
        assert (key.description, key.allow) == ("renamed", OFFICE), "a form that does not ask changes nothing"
        fields |= {"version": key.version, "description": "renamed"}
        answer = await client.post(path, {**fields, "networks": "203.0.113.7/24"})
        assert answer.status_code == 400
        assert "&#39;203.0.113.7/24&#39; has bits set beyond its /24" in answer.text
        assert "allow[0]" not in answer.text.lower()
        assert (await client.post(path, {**fields, "networks": "10.0.0.0/8\r\n203.0.113.0/24"})).status_code == 200
        assert (await served.keys.get(key.id)).allow == ("10.0.0.0/8", "203.0.113.0/24")
        stale = await client.post(path, {**fields, "places": "anywhere"})
        assert stale.status_code == 409
        assert re.search('<th scope="row">May be used from</th>.*10.0.0.0/8 203.0.113.0/24.*anywhere', stale.text)
        history = (await client.get(f"keys/{key.id}/history")).text
        assert "Used from" in history
        assert "10.0.0.0/8" in history


async def test_the_page_lets_in_from_where_the_key_may_be_used(served: Served) -> None:
    outside = await served.keys.create("elsewhere", EVERYTHING, allow=OFFICE)
    inside = await served.keys.create("here", EVERYTHING, allow=["127.0.0.1"])
    async with at(served) as client:
        answer = await client.sign_in(outside.secret)
        assert "may not be used from where you are" in answer.text
        assert (await client.get()).status_code == 401
        assert (await client.sign_in(inside.secret)).status_code == 303
        assert (await client.get()).status_code == 200
        await served.keys.update(inside.key.id, allow=OFFICE)
        answer = await client.get()
        assert answer.status_code == 401
        assert "the key that you used may not be used from where you are" in answer.text


async def boss_of(served: Served, *allow: str) -> Issued:
    return await served.keys.create("boss", EVERYTHING, allow=allow or None)


async def test_behind_proxies_page_api_brake_and_audit_log_see_the_same_client(ready_sqlite_url: str) -> None:
    behind: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"], "header": "forwarded"}
    async with serving(ready_sqlite_url, whole=True, **behind) as served:
        boss = await boss_of(served, *OFFICE)
        inside, outside = ({"Forwarded": f"for=198.51.100.1, for={each}"} for each in ("203.0.113.9", "192.0.2.1"))
        async with at(served, headers=outside) as client:
            assert (await client.sign_in(boss.secret)).status_code == 401
            for _ in range(6):
                answer = await client.sign_in("gp_wrong")
            assert answer.status_code == 429
            answer = await client.get("api/whoami", headers={"X-API-Key": boss.secret})
            assert (answer.status_code, answer.json()["code"]) == (403, "address_denied")
        async with at(served, headers=inside) as client:
            assert "Too many" not in (await client.sign_in("gp_wrong")).text, "another client of the same proxy"
            assert (await client.sign_in(boss.secret)).status_code == 303
            assert (await made(served, client, places="listed", networks="203.0.113.9")).status_code == 200
            answer = await client.post(
                "api/keys",
                {},
                json={"description": "by api", "allow": ["203.0.113.9"]},
                headers={"X-API-Key": boss.secret, **inside},
            )
            assert answer.status_code == 201
        events = (await served.keys.events(kind="created", by_kind="key")).items
        assert [event.address for event in events] == ["203.0.113.9", "203.0.113.9"]


async def test_inside_a_wrapped_app_the_proxies_that_this_trusts_are_trusted(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        boss = await keys.create("boss", EVERYTHING, allow=OFFICE)
        app = APIKeyMiddleware(
            Starlette(routes=[Mount(MOUNT, Admin(keys))]),
            keys,
            exempt=Admin.paths(MOUNT),
            trusted_proxies=["10.0.0.0/8"],
            header="forwarded",
        )
        for hop, status in (("203.0.113.9", 200), ("198.51.100.7", 403)):
            lines = {"X-API-Key": boss.secret, "Forwarded": f"for=203.0.113.1, for={hop}"}
            scope = http_scope(f"{MOUNT}/api/whoami", lines, client=("10.0.0.1", 1))
            assert (await ask(app, scope)).status_code == status


async def test_the_options_are_those_of_the_middleware(ready_sqlite_url: str) -> None:
    with pytest.raises(ValueError, match="would believe whatever a client writes"):
        Admin(APIKeys(ready_sqlite_url), trusted_proxies=["*"])
