"""Resources over REST: keys, roles, templates and temporary secrets."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gatepost import APIKeyMiddleware, APIKeys, Rate, TemporarySecrets
from tests.admin.api.site import ALL, OUTSIDE, Caller, Site, site_of
from tests.frameworks.connection import bearer, client_of

SPRING = "dir:/campaigns/spring/*"


@pytest.fixture
async def site(ready_sqlite_url: str) -> AsyncIterator[Site]:
    """A site over SQLite."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=5) as keys, site_of(keys) as site:
        yield site


@pytest.fixture
async def boss(site: Site) -> Caller:
    """Somebody with every permission, in every project."""
    return await site.caller(*ALL)


async def test_each_is_made_read_and_edited(site: Site, boss: Caller) -> None:
    body = {"description": "agency", "permissions": ["FILE_UPLOAD"], "resources": [SPRING]}
    key = (await boss.post("/keys", body, 201))["key"]
    assert (key["resources"], key["role_resources"]) == ([SPRING], {})
    edited = await boss.call("PATCH", f"/keys/{key['id']}", {"resources": None})
    assert edited.json()["resources"] is None
    assert (await boss.call("PATCH", f"/keys/{key['id']}", {"resources": []})).json()["resources"] == []
    role = await boss.post("/roles", {"name": "editor", "permissions": ["DIR_CREATE"], "resources": [SPRING]}, 201)
    assert role["resources"] == [SPRING]
    held = (await boss.post("/keys", {"description": "one", "roles": ["editor"]}, 201))["key"]
    assert held["role_resources"] == {"DIR_CREATE": [SPRING]}
    told = (await boss.call("PATCH", "/roles/editor?preview=true", {"resources": ["dir:/other/*"]})).json()
    assert (told["gains"], told["loses"]) == ({"DIR_CREATE": [held["id"]]}, {"DIR_CREATE": [held["id"]]})
    assert (await boss.call("PATCH", "/roles/editor", {"resources": None})).json()["role"]["resources"] is None
    assert (await boss.get(f"/keys/{held['id']}"))["role_resources"] == {}
    template = await boss.post("/templates", body, 201)
    issued = await boss.post(
        f"/templates/{template['id']}/temporary", {"resources": ["dir:/campaigns/spring/a/*"]}, 201
    )
    verdict = await site.keys.verify(issued["secret"])
    assert verdict.key is not None
    assert verdict.key.permits("FILE_UPLOAD", "dir:/campaigns/spring/a/b")
    assert not verdict.key.permits("FILE_UPLOAD", "dir:/campaigns/spring/b")


@pytest.mark.parametrize("wrong", ["dir:/a*", "spring", "dir:/a/", "dir:/../a", 3])
async def test_bad_input_is_told_and_changes_nothing(site: Site, boss: Caller, wrong: object) -> None:
    before = (await site.keys.events(limit=1)).items[0].seq
    for path, body in (
        ("/keys", {"description": "x"}),
        ("/roles", {"name": "x"}),
        ("/templates", {"description": "x"}),
    ):
        refused = await boss.call("POST", path, body | {"resources": [wrong]})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
        assert refused.json()["field"].startswith("resources"), refused.text
    assert (await site.keys.events(limit=1)).items[0].seq == before


async def test_the_apps_own_endpoint_narrows_them(site: Site) -> None:
    template = await site.keys.templates.create("visitors", ["FILE_UPLOAD"], resources=[SPRING], public=True)
    app = APIKeyMiddleware(
        Starlette(routes=[Mount("/temporary", TemporarySecrets(site.keys, rate=Rate(100, per=60)))]),
        site.keys,
        exempt=TemporarySecrets.paths("/temporary"),
    )
    key = await site.keys.create("a server", ["FILE_UPLOAD"], resources=[SPRING])
    async with client_of(app) as client:
        for of in ({}, {"template": template.id}):
            body = {**of, "resources": ["dir:/campaigns/spring/a/*"]}
            made = await client.post("/temporary/temporary", headers=bearer(key.secret), json=body)
            assert made.status_code == 201, made.text
            verdict = await site.keys.verify(made.json()["secret"])
            assert verdict.key is not None
            assert verdict.key.permits("FILE_UPLOAD", "dir:/campaigns/spring/a/b")
            assert not verdict.key.permits("FILE_UPLOAD", "dir:/campaigns/spring/b")
            for wrong in (["dir:/other"], ["dir:/*"], "dir:/campaigns/spring/a", [5], ["dir:/a*"], ["spring"]):
                refused = await client.post(
                    "/temporary/temporary", headers=bearer(key.secret), json={**of, "resources": wrong}
                )
                assert (refused.status_code, "resources" in refused.json()["detail"]) == (400, True), refused.text
        plain = (await client.get(f"/temporary/key/{template.id}")).json()["key"]
    verdict = await site.keys.verify(plain)
    assert verdict.key is not None
    assert verdict.key.permits("FILE_UPLOAD", "dir:/campaigns/spring/b")
    assert not verdict.key.permits("FILE_UPLOAD", "dir:/other")


async def test_keys_that_fit_a_selection_are_given_them_together(site: Site, boss: Caller) -> None:
    made = [
        (await boss.post("/keys", {"description": name, "permissions": ["FILE_UPLOAD"], "owner": "ann"}, 201))["key"]
        for name in ("one", "two")
    ]
    body = {"selection": {"owner": "ann"}, "changes": {"resources": [SPRING]}}
    for wrong in (["dir:/a*"], ["dir:/a/"], "dir:/a"):
        refused = await boss.call("POST", "/selected/update", body | {"changes": {"resources": wrong}})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    await boss.post("/selected/update", body | {"preview": True})
    assert {(await boss.get(f"/keys/{key['id']}"))["resources"] is None for key in made} == {True}
    await boss.post("/selected/update", body)
    assert [(await boss.get(f"/keys/{key['id']}"))["resources"] for key in made] == [[SPRING]] * 2


async def test_who_is_limited_to_some_resources_gets_nothing_more_by_any_call(site: Site) -> None:
    keys = site.keys
    await keys.roles.create("uploads", ["FILE_UPLOAD"], resources=[SPRING])
    issued = await keys.create("manager", ["ACCESS_MANAGE", "DIR_CREATE"], roles=["uploads"])
    manager = Caller(site.http, OUTSIDE, issued.key.id, issued.secret)
    other = (await keys.create("other", ["FILE_UPLOAD"], resources=[SPRING])).key
    template = await keys.templates.create("visitors", ["FILE_UPLOAD"], resources=[SPRING])
    every = ["ACCESS_MANAGE", "DIR_CREATE", "FILE_UPLOAD"]
    before = (await keys.events(limit=1)).items[0].seq
    for method, path, body in (
        ("POST", "/keys", {"description": "more", "permissions": ["FILE_UPLOAD"], "resources": [SPRING]}),
        ("POST", "/keys", {"description": "more", "roles": ["uploads"]}),
        ("PATCH", f"/keys/{manager.key_id}?force=true", {"permissions": every}),
        ("PATCH", f"/keys/{other.id}", {"resources": None}),
        ("POST", f"/keys/{other.id}/rotate", {"grace": 0}),
        ("POST", f"/keys/{other.id}/temporary", {}),
        ("PATCH", "/roles/uploads", {"resources": None}),
        ("POST", "/roles", {"name": "all", "permissions": ["FILE_UPLOAD"]}),
        ("POST", "/templates", {"description": "more", "permissions": ["FILE_UPLOAD"]}),
        ("PATCH", f"/templates/{template.id}", {"resources": None}),
        ("POST", f"/templates/{template.id}/temporary", {}),
    ):
        assert await manager.refused(method, path, body) == (403, "permission_denied"), (method, path)
    assert (await keys.events(limit=1)).items[0].seq == before


async def test_nobody_changes_what_the_app_believes_of_the_key_that_they_use(site: Site, boss: Caller) -> None:
    issued = await site.keys.create("limited", ["ACCESS_MANAGE"], limits=[Rate(5, per=60)])
    limited = Caller(site.http, OUTSIDE, issued.key.id, issued.secret)
    calls: list[tuple[Caller, dict[str, Any]]] = [
        (boss, {"owner": "ann"}),
        (boss, {"metadata": {"plan": "gold"}}),
        (limited, {"limits": []}),
    ]
    for caller, body in calls:
        path = f"/keys/{caller.key_id}?force=true"
        assert await caller.refused("PATCH", path, body) == (403, "permission_denied"), body
