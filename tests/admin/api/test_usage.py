"""Usage over REST."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gatepost import Admin, APIKeyMiddleware, APIKeys, Outcome
from tests.admin.api.site import ALL, Site
from tests.usage.requests import ask


async def test_usage_is_told_of_keys_that_the_caller_reaches(site: Site, keys: APIKeys) -> None:
    boss, ann = await site.caller(*ALL), await site.caller("ACCESS_READ", project="acme")
    mine, other = await keys.create("mine", project="acme"), await keys.create("other", project="other")
    assert keys.uses is not None
    for issued in (mine, other):
        for outcome in (Outcome.VALID, Outcome.VALID, Outcome.PROJECT_DENIED):
            keys.uses.count(outcome, issued.key.id, bytes(32), keys.uses.clock(), "/a", ("192.0.2.7", 1))
    await keys.flush_usage()
    told = await boss.get(f"/keys/{other.key.id}/usage", by="day,outcome")
    assert [(line["outcome"], line["count"]) for line in told["items"]] == [("valid", 2), ("project_denied", 1)]
    assert told["items"][0]["route"] is None
    [line] = (await ann.get(f"/keys/{mine.key.id}/usage", by="secret"))["items"]
    assert (line["count"], line["secret_state"], line["last_address"]) == (3, "gone", "192.0.2.7")
    assert await ann.refused("GET", f"/keys/{other.key.id}/usage") == (404, "key_not_found")
    assert (await boss.call("GET", f"/keys/{mine.key.id}/usage?by=week")).status_code == 400
    assert (await ann.get(f"/keys/{mine.key.id}"))["last_used_at"] is not None
    listed = await boss.get("/keys", sort="-last_used", limit=2)
    assert {key["id"] for key in listed["items"]} == {mine.key.id, other.key.id}
    assert (await boss.get("/keys", never_used="true", project="acme"))["items"][0]["id"] != mine.key.id


@pytest.mark.parametrize("exempt", [True, False])
async def test_a_call_of_the_api_is_counted_once_whatever_stands_around_it(keys: APIKeys, exempt: bool) -> None:
    app = Starlette(routes=[Mount("/access", Admin(keys))])
    around = APIKeyMiddleware(app, keys, exempt=Admin.paths("/access") if exempt else ())
    issued = await keys.create("a key", ["ACCESS_READ"])
    for _ in range(3):
        sent = await ask(around, issued.secret, "/access/api/whoami")
        assert sent[0]["status"] == 200
    await keys.flush_usage()
    [line] = await keys.usage(issued.key.id, by="outcome")
    assert (line.count, line.outcome) == (3, Outcome.VALID)
