"""Templates and temporary secrets over REST."""

from collections.abc import AsyncIterator

import pytest

from gatepost import APIKeys
from tests.admin.api.site import ALL, INSIDE, OUTSIDE, Caller, Site, site_of
from tests.temporary.conftest import PAGE

MAY = ["FILE_UPLOAD", "OBJECTS_LIST"]


@pytest.fixture
async def site(ready_sqlite_url: str) -> AsyncIterator[Site]:
    """A site over SQLite."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=5) as keys, site_of(keys) as site:
        yield site


@pytest.fixture
async def boss(site: Site) -> Caller:
    """Somebody with every permission, in every project."""
    return await site.caller(*ALL)


async def test_a_template_is_made_read_edited_switched_rotated_and_deleted(site: Site, boss: Caller) -> None:
    body = {"description": "a widget", "permissions": MAY, "lifetime": 600, "origins": [PAGE], "public": True}
    made = await boss.post("/templates", body, 201)
    path = f"/templates/{made['id']}"
    assert (made["lifetime"], made["origins"], made["public"], made["permissions"]) == (600, [PAGE], True, MAY)
    assert (await boss.get(path)) == made
    assert (await boss.get("/templates"))["items"] == [made]
    assert made["id"] not in [each["id"] for each in (await boss.get("/keys"))["items"]]
    edited = await boss.call("PATCH", path, {"origins": None, "description": "another"})
    assert edited.status_code == 200
    assert (edited.json()["origins"], edited.json()["lifetime"], edited.json()["description"]) == (None, 600, "another")
    stale = await boss.call("PATCH", path, {"lifetime": 5}, headers={"If-Match": '"0"'})
    assert stale.status_code == 412
    issued = await boss.post(f"{path}/temporary", {"permissions": ["FILE_UPLOAD"], "subject": "ann"}, 201)
    assert (issued["key_id"], issued["permissions"], issued["subject"]) == (made["id"], ["FILE_UPLOAD"], "ann")
    assert (await site.keys.verify(issued["secret"], subject="ann")).valid
    await boss.post(f"{path}/deactivate")
    assert not (await site.keys.verify(issued["secret"], subject="ann")).valid
    assert (await boss.refused("POST", f"{path}/temporary", {}))[0] == 403
    await boss.post(f"{path}/activate")
    assert (await site.keys.verify(issued["secret"], subject="ann", fresh=True)).valid
    await boss.post(f"{path}/rotate")
    assert not (await site.keys.verify(issued["secret"], subject="ann")).valid
    deleted = await boss.call("DELETE", path)
    assert deleted.status_code == 200
    assert (await boss.call("GET", path)).status_code == 404


async def test_who_holds_less_issues_nothing_and_who_manages_nothing_neither(site: Site, boss: Caller) -> None:
    made = await boss.post("/templates", {"description": "a widget", "permissions": [*MAY, "FILE_DELETE"]}, 201)
    weaker = await site.caller("ACCESS_MANAGE", *MAY)
    reader = await site.caller("ACCESS_READ", *MAY)
    for caller in (weaker, reader):
        assert (await caller.call("POST", f"/templates/{made['id']}/temporary", {})).status_code == 403
        assert (await caller.call("PATCH", f"/templates/{made['id']}", {"public": True})).status_code == 403
        wider = {"description": "x", "permissions": ["FILE_DELETE"]}
        assert (await caller.call("POST", "/templates", wider)).status_code == 403
    plain = (await boss.post("/keys", {"description": "a key", "permissions": MAY}, 201))["key"]["id"]
    for method, path in [
        ("GET", f"/templates/{plain}"),
        ("DELETE", f"/templates/{plain}"),
        ("POST", f"/templates/{plain}/rotate"),
        ("POST", f"/templates/{plain}/deactivate"),
    ]:
        assert (await boss.call(method, path)).status_code == 404
    issued = await boss.post(f"/keys/{plain}/temporary", {}, 201)
    assert issued["key_id"] == plain
    for wrong in ({"lifetime": 0}, {"lifetime": 10**6}, {"permissions": ["FILE_DELETE"]}, {"nonsense": 1}):
        assert (await boss.refused("POST", f"/keys/{plain}/temporary", wrong))[0] == 400


async def test_a_temporary_secret_of_a_manager_looks_and_changes_nothing(site: Site, boss: Caller) -> None:
    """Beside a wrapped app, and inside one, where the middleware around has taken the secret."""
    issued = await site.keys.issue_temporary(boss.secret)
    for base in (OUTSIDE, INSIDE):
        guest = Caller(boss.http, base, boss.key_id, issued.secret)
        assert (await guest.call("GET", "/keys")).status_code == 200
        for path, body in (("/keys", {"description": "for ever"}), ("/templates", {"description": "for ever"})):
            answer = await guest.call("POST", path, body)
            assert answer.status_code == 403, (base, answer.text)
        assert (await guest.call("POST", f"/keys/{boss.key_id}/rotate", {"grace": 0})).status_code == 403
    narrow = await site.keys.issue_temporary(boss.secret, permissions=["FILE_UPLOAD"])
    nobody = Caller(boss.http, boss.base, boss.key_id, narrow.secret)
    assert (await nobody.call("GET", "/keys")).status_code == 403
