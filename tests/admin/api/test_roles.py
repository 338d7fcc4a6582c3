"""Roles over REST."""

from tests.admin.api.site import Caller, Site


async def test_roles_are_made_read_edited_held_and_deleted(site: Site, boss: Caller) -> None:
    made = await boss.call("POST", "/roles", {"name": "editor", "permissions": ["FILE_UPLOAD", "DIR_*"]})
    assert made.status_code == 201
    role = made.json()
    assert role["patterns"] == ["DIR_*"]
    assert {"FILE_UPLOAD", "DIR_CREATE"} < set(role["permissions"])
    assert made.headers["location"].endswith("/roles/editor")
    assert await boss.get("/roles/editor") == role
    assert (await boss.get("/roles"))["items"] == [role]
    key = (await boss.post("/keys", {"description": "x", "roles": ["editor"]}, 201))["key"]
    assert (key["roles"], key["own_permissions"]) == (["editor"], [])
    assert key["permissions"] == role["permissions"]
    assert [each["id"] for each in (await boss.get("/keys", role="editor"))["items"]] == [key["id"]]
    edit = {"permissions": ["FILE_UPLOAD", "FILE_RENAME"]}
    preview = (await boss.call("PATCH", "/roles/editor", edit, params={"preview": "true"})).json()
    assert preview["preview"]
    assert preview["seq"] is None
    assert preview["gains"] == {"FILE_RENAME": [key["id"]]}
    assert await boss.get(f"/keys/{key['id']}") == key
    told = (await boss.call("PATCH", "/roles/editor", edit)).json()
    assert told["gains"] == preview["gains"]
    assert told["loses"] == preview["loses"]
    assert told["propagation"]["complete"]
    assert (await boss.get(f"/keys/{key['id']}"))["permissions"] == ["FILE_RENAME", "FILE_UPLOAD"]
    assert {event["kind"] for event in (await boss.get("/events"))["items"]} >= {"role_created", "role_updated"}
    edited = await boss.call("PATCH", f"/keys/{key['id']}", {"roles": []})
    assert (edited.json()["permissions"], edited.json()["own_permissions"]) == ([], None)
    gone = await boss.call("DELETE", "/roles/editor")
    assert (gone.status_code, gone.json()["role"]) == (200, None)
    assert await boss.refused("GET", "/roles/editor") == (404, "role_not_found")
    assert await boss.refused("DELETE", "/roles/editor") == (404, "role_not_found")


async def test_roles_of_a_project_are_found_by_it(site: Site, boss: Caller) -> None:
    made = await boss.call("POST", "/roles", {"name": "editor", "project": "acme & co"})
    assert made.headers["location"].endswith("/roles/editor?project=acme%20%26%20co")
    assert (await boss.get("/roles/editor", project="acme & co"))["project"] == "acme & co"
    assert await boss.refused("GET", "/roles/editor") == (404, "role_not_found")
    of_acme = await site.caller("ACCESS_MANAGE", "FILE_UPLOAD", project="acme & co")
    assert [role["name"] for role in (await of_acme.get("/roles"))["items"]] == ["editor"]
    other = await site.caller("ACCESS_MANAGE", project="other")
    assert (await other.get("/roles"))["items"] == []
    assert await other.refused("GET", "/roles/editor", params={"project": "acme & co"}) == (404, "role_not_found")
    body: dict[str, list[str]] = {"permissions": []}
    params = {"project": "acme & co"}
    assert await other.refused("PATCH", "/roles/editor", body, params=params) == (404, "role_not_found")


async def test_nobody_climbs_by_roles(site: Site, boss: Caller) -> None:
    await boss.post("/roles", {"name": "strong", "permissions": ["FILE_DELETE"]}, 201)
    weak = await site.caller("ACCESS_MANAGE")
    before = await boss.get("/roles")
    for method, path, body in (
        ("POST", "/roles", {"name": "mine", "permissions": ["FILE_DELETE"]}),
        ("POST", "/roles", {"name": "mine", "permissions": ["FILE_*"]}),
        ("PATCH", "/roles/strong", {"permissions": ["FILE_DELETE", "FILE_MOVE"]}),
        ("POST", "/keys", {"description": "x", "roles": ["strong"]}),
        ("PATCH", f"/keys/{weak.key_id}", {"roles": ["strong"]}),
    ):
        assert await weak.refused(method, path, body) == (403, "permission_denied")
    reader = await site.caller("ACCESS_READ")
    assert await reader.get("/roles") == before
    assert await reader.refused("POST", "/roles", {"name": "x"}) == (403, "permission_denied")
    nobody = await site.caller()
    assert await nobody.refused("GET", "/roles") == (403, "permission_denied")
    assert await boss.get("/roles") == before


async def test_bad_input_names_its_field(boss: Caller) -> None:
    for body in (
        {},
        {"name": "two words"},
        {"name": "a/b"},
        {"name": "x", "permissions": ["NONE"]},
        {"name": "x", "no": 1},
    ):
        response = await boss.call("POST", "/roles", body)
        assert response.status_code == 400
    await boss.post("/roles", {"name": "editor"}, 201)
    again = await boss.call("POST", "/roles", {"name": "editor"})
    assert (again.status_code, again.json()["field"]) == (400, "name")
    assert await boss.refused("PATCH", "/roles/editor", {}) == (400, "bad_input")
    assert await boss.refused("POST", "/keys", {"description": "x", "roles": ["none"]}) == (400, "bad_input")
    assert (await boss.get("/keys/count"))["number"] == 1
