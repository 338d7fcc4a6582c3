"""Who may do what, over REST: each attempt at more is refused, and changes nothing."""

from typing import Any

import pytest

from gatepost import APIKeys
from gatepost.rules.authority import ACCESS_MANAGE, ACCESS_READ
from tests.admin.api.site import Caller, Site, site_of

READS = [
    ("GET", "/keys"),
    ("GET", "/keys/{id}"),
    ("GET", "/keys/{id}/made"),
    ("GET", "/keys/{id}/events"),
    ("GET", "/events"),
]
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/keys", {"description": "more"}),
    ("PATCH", "/keys/{id}", {"description": "more"}),
    ("POST", "/keys/{id}/rotate", {"grace": 0}),
    ("POST", "/keys/{id}/reveal", None),
    ("DELETE", "/keys/{id}", None),
    ("POST", "/keys/activate", {"ids": ["{id}"]}),
    ("POST", "/keys/deactivate", {"ids": ["{id}"]}),
]


def filled(body: Any, key_id: str) -> Any:
    """A body of `CHANGES` for one key."""
    return {"ids": [key_id]} if body is not None and "ids" in body else body


async def seq_of(site: Site) -> int:
    """The number of the last change."""
    return (await site.keys.events(limit=1)).items[0].seq


async def test_looking_needs_read_or_manage_and_changing_needs_manage(site: Site) -> None:
    nobody = await site.caller("FILE_UPLOAD", project="acme")
    reader = await site.caller(ACCESS_READ, project="acme")
    manager = await site.caller(ACCESS_MANAGE, project="acme")
    key_id = (await site.keys.create("a key", project="acme")).key.id
    before = await seq_of(site)
    for method, path in READS:
        response = await nobody.call(method, path.format(id=key_id))
        assert response.status_code == 403
        assert response.json()["code"] == "permission_denied"
        assert response.json()["required"] == response.json()["missing"] == [ACCESS_READ]
        for caller in (reader, manager):
            assert (await caller.call(method, path.format(id=key_id))).status_code == 200
    for caller in (nobody, reader):
        for method, path, body in CHANGES:
            response = await caller.call(method, path.format(id=key_id), filled(body, key_id))
            assert response.status_code == 403, response.text
            assert response.json()["missing"] == [ACCESS_MANAGE]
    assert await seq_of(site) == before
    for method, path, body in CHANGES:
        response = await manager.call(method, path.format(id=key_id), filled(body, key_id))
        assert response.status_code in {200, 201}, response.text
        if path == "/keys/{id}" and method == "DELETE":
            key_id = (await site.keys.create("another", project="acme")).key.id


async def test_another_projects_key_is_unknown_everywhere(site: Site) -> None:
    manager = await site.caller(ACCESS_READ, ACCESS_MANAGE, project="acme")
    await manager.post("/keys", {"description": "own"}, 201)
    others = [(await site.keys.create("hidden", project=project)).key.id for project in ("zeta", None)]
    before = await seq_of(site)
    for key_id in others:
        for method, path in [*READS[1:4], *((method, path) for method, path, _ in CHANGES[1:5])]:
            body = {"PATCH": {"description": "mine"}}.get(method, {"grace": 0} if path.endswith("rotate") else None)
            answer = await manager.refused(method, path.format(id=key_id), body)
            assert answer == (404, "key_not_found"), (method, path)
    for verb in ("activate", "deactivate"):
        done = await manager.post(f"/keys/{verb}", {"ids": others})
        assert [result["result"] for result in done["results"]] == ["unknown", "unknown"]
    for query in ({}, {"project": "zeta"}, {"search": "hidden"}, {"search": others[0]}, {"active": True}):
        listed = (await manager.get("/keys", **query))["items"]
        assert {key["project"] for key in listed} <= {"acme"}
    assert {event["project"] for event in (await manager.get("/events"))["items"]} == {"acme"}
    assert await seq_of(site) == before


async def test_nobody_makes_a_key_outside_of_their_project(site: Site) -> None:
    manager = await site.caller(ACCESS_MANAGE, project="acme")
    for project in ("zeta", None):
        answer = await manager.refused("POST", "/keys", {"description": "far", "project": project})
        assert answer == (403, "permission_denied")
    assert (await manager.post("/keys", {"description": "near"}, 201))["key"]["project"] == "acme"
    company_wide = await site.caller(ACCESS_MANAGE)
    for body, project in (({}, None), ({"project": None}, None), ({"project": "zeta"}, "zeta")):
        made = await company_wide.post("/keys", {"description": "any", **body}, 201)
        assert made["key"]["project"] == project


async def test_nobody_grants_what_they_do_not_hold(site: Site) -> None:
    manager = await site.caller(ACCESS_MANAGE, "OBJECTS_LIST", project="acme")
    strong = await site.keys.create("strong", [ACCESS_MANAGE, "FILE_DELETE"], project="acme", active=False)
    weak = await manager.post("/keys", {"description": "weak", "permissions": ["OBJECTS_LIST"]}, 201)
    before = await seq_of(site)
    attempts: list[tuple[str, str, Any]] = [
        ("POST", "/keys", {"description": "x", "permissions": ["FILE_DELETE", "OBJECTS_LIST"]}),
        ("PATCH", f"/keys/{weak['key']['id']}", {"permissions": ["FILE_DELETE"]}),
        ("PATCH", f"/keys/{manager.key_id}?force=true", {"permissions": [ACCESS_MANAGE, "FILE_DELETE"]}),
        ("POST", f"/keys/{strong.key.id}/rotate?force=true", {"grace": 0}),
        ("POST", f"/keys/{strong.key.id}/reveal", None),
    ]
    for method, path, body in attempts:
        response = await manager.call(method, path, body)
        assert response.status_code == 403, response.text
        assert response.json()["missing"] == ["FILE_DELETE"]
    done = await manager.post("/keys/activate", {"ids": [strong.key.id, weak["key"]["id"]]})
    assert [result["result"] for result in done["results"]] == ["denied", "unchanged"]
    assert "FILE_DELETE" in done["results"][0]["detail"]
    assert await seq_of(site) == before
    assert (await manager.call("PATCH", f"/keys/{strong.key.id}", {"permissions": []})).status_code == 200


async def test_nobody_weakens_the_key_that_they_use_without_force(site: Site) -> None:
    manager = await site.caller(ACCESS_MANAGE, "OBJECTS_LIST", project="acme")
    own = f"/keys/{manager.key_id}"
    before = await seq_of(site)
    attempts: list[tuple[str, str, Any]] = [
        ("PATCH", own, {"permissions": [ACCESS_MANAGE]}),
        ("PATCH", own, {"expires_at": "2999-01-01T00:00:00Z"}),
        ("POST", f"{own}/rotate", {"grace": 0}),
        ("DELETE", own, None),
    ]
    for method, path, body in attempts:
        assert await manager.refused(method, path, body) == (409, "force_needed")
        assert await manager.refused(method, f"{path}?force=false", body) == (409, "force_needed")
    done = await manager.post("/keys/deactivate", {"ids": [manager.key_id]})
    assert done["results"][0]["result"] == "denied"
    assert await seq_of(site) == before

    for method, path, body in attempts[:2]:
        assert (await manager.call(method, f"{path}?force=true", body)).status_code == 200
    rotated = await manager.post(f"{own}/rotate?force=true", {"grace": 0})
    assert await manager.refused("GET", "/whoami") == (401, "key_invalid")
    renewed = Caller(site.http, manager.base, manager.key_id, rotated["secret"])
    done = await renewed.post("/keys/deactivate?force=true", {"ids": [manager.key_id]})
    assert done["results"][0]["result"] == "changed"
    assert await renewed.refused("GET", "/whoami") == (401, "key_deactivated")


async def test_rotating_ones_own_key_with_grace_needs_no_force(site: Site) -> None:
    manager = await site.caller(ACCESS_MANAGE)
    rotated = await manager.post(f"/keys/{manager.key_id}/rotate", {"grace": 60})
    assert await site.let_in(rotated["secret"])
    assert await site.let_in(manager.secret)


@pytest.mark.parametrize("change", ["deactivated", "weakened"])
async def test_a_caller_whose_key_has_just_changed_changes_nothing_any_more(change: str, ready_url: str) -> None:
    """What a worker remembers of the caller is not what decides about a change."""
    far = APIKeys(ready_url)
    async with far, APIKeys(ready_url, poll_interval=5) as keys, site_of(keys) as site:
        manager = await site.caller(ACCESS_MANAGE)
        await manager.get("/whoami")
        if change == "deactivated":
            await far.deactivate(manager.key_id, wait="commit")
        else:
            await far.update(manager.key_id, permissions=[ACCESS_READ], wait="commit")
        response = await manager.call("POST", "/keys", {"description": "too late"})
        assert response.status_code in {401, 403}
        assert not (await far.list(search="late")).items
