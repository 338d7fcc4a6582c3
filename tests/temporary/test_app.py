"""`TemporarySecrets`: the brief's form and ours, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Rate, Template, TemporarySecrets
from tests.temporary.conftest import PAGE

MAY = ["FILE_UPLOAD", "OBJECTS_LIST"]
AT = "/temporary"


@pytest.fixture
async def here(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh SQLite file, the only worker."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        await keys.serve()
        yield keys


def client_of(keys: APIKeys, address: str = "192.0.2.7", **arguments: Any) -> httpx2.AsyncClient:
    """Of an app that has it mounted, and everything behind keys."""
    app = Starlette(routes=[Mount(AT, TemporarySecrets(keys, **arguments))])
    guarded = APIKeyMiddleware(app, keys, exempt=TemporarySecrets.paths(AT))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded, client=(address, 1)), base_url="http://app")


async def test_anybody_gets_one_of_a_public_template_in_the_briefs_form(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY, public=True)
    async with client_of(here) as client:
        answer = await client.get(f"{AT}/key/{template.id}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json().keys() == {"status", "key"}
    assert answer.json()["status"] == "success"
    key = (await here.verify(answer.json()["key"])).key
    assert key is not None
    assert (key.id, key.subject) == (template.id, None)
    assert key.permissions == set(MAY)


async def test_all_else_is_one_answer(here: APIKeys) -> None:
    closed = await here.templates.create("closed", MAY)
    off = await here.templates.create("off", MAY, public=True, active=False)
    plain = (await here.create("a key", MAY)).key
    said = []
    async with client_of(here, rate=Rate(100, per=1)) as client:
        for template_id in (closed.id, off.id, plain.id, "000000000000", "nonsense", closed.id[:-1]):
            answer = await client.get(f"{AT}/key/{template_id}")
            said.append((answer.status_code, answer.content))
    assert set(said) == {(404, b'{"status":"error","message":"There is no such template."}')}


async def test_the_app_says_who_gets_one_and_for_whom(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY)
    asked: list[str] = []

    async def authorize(request: Request, template: Template) -> bool | str:
        asked.append(template.id)
        said: dict[str, bool | str] = {"ann": "ann", "": True}
        return said.get(request.headers.get("x-user", "nobody"), False)

    async with client_of(here, authorize=authorize) as client:
        for_ann = await client.get(f"{AT}/key/{template.id}", headers={"X-User": "ann"})
        for_nobody = await client.get(f"{AT}/key/{template.id}", headers={"X-User": ""})
        refused = await client.get(f"{AT}/key/{template.id}")
    assert (for_ann.status_code, for_nobody.status_code, refused.status_code) == (200, 200, 404)
    assert asked == [template.id] * 3
    assert (await here.verify(for_ann.json()["key"], subject="ann")).valid
    assert not (await here.verify(for_ann.json()["key"], subject="eve")).valid
    assert (await here.verify(for_nobody.json()["key"])).valid


async def test_pages_of_other_origins_get_none_and_those_named_may_read_it(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY, public=True, origins=[PAGE])
    async with client_of(here) as client:
        own = await client.get(f"{AT}/key/{template.id}", headers={"Origin": PAGE})
        assert (own.status_code, own.headers["access-control-allow-origin"], own.headers["vary"]) == (
            200,
            PAGE,
            "Origin",
        )
        for headers in ({"Origin": "https://evil.example"}, {}):
            other = await client.get(f"{AT}/key/{template.id}", headers=headers)
            assert (other.status_code, other.json()["status"]) == (403, "error")
            assert "access-control-allow-origin" not in other.headers


async def test_a_template_bound_to_networks_issues_nothing_elsewhere(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY, public=True, allow=["203.0.113.0/24"])
    async with client_of(here) as client, client_of(here, "203.0.113.9") as inside:
        assert (await client.get(f"{AT}/key/{template.id}")).status_code == 403
        assert (await inside.get(f"{AT}/key/{template.id}")).status_code == 200


@pytest.mark.parametrize("has_redis", [False, True])
async def test_one_address_gets_so_many_of_one_template(ready_sqlite_url: str, redis_url: str, has_redis: bool) -> None:
    redis = redis_url if has_redis else None
    async with APIKeys(ready_sqlite_url, redis, poll_interval=0.1, max_staleness=300) as keys:
        await keys.serve()
        one, two = [await keys.templates.create(name, MAY, public=True) for name in ("one", "two")]
        async with client_of(keys) as client, client_of(keys, "192.0.2.8") as other:
            statuses = [(await client.get(f"{AT}/key/{one.id}")).status_code for _ in range(6)]
            assert statuses == [200] * 5 + [429]
            answer = await client.get(f"{AT}/key/{one.id}")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.json()["status"] == "error"
            assert (await client.get(f"{AT}/key/{two.id}")).status_code == 200, "of another template"
            assert (await other.get(f"{AT}/key/{one.id}")).status_code == 200, "from another address"


async def test_whoever_tries_ids_is_slowed(here: APIKeys) -> None:
    async with client_of(here, rate=Rate(100, per=1)) as client:
        statuses = {(await client.get(f"{AT}/key/{number:012}")).status_code for number in range(61)}
    assert statuses == {404, 429}


async def test_who_has_a_key_gets_one_that_is_narrower(here: APIKeys) -> None:
    issued = await here.create("a key", MAY)
    headers = {"Authorization": f"Bearer {issued.secret}"}
    body = {"permissions": ["FILE_UPLOAD"], "lifetime": 60, "subject": "ann", "allow": ["203.0.113.9"]}
    async with client_of(here) as client:
        answer = await client.post(f"{AT}/temporary", json=body, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        told = answer.json()
        assert (told["key_id"], told["permissions"], told["subject"]) == (issued.key.id, ["FILE_UPLOAD"], "ann")
        verdict = await here.verify(told["secret"], subject="ann", address="203.0.113.9")
        assert verdict.key is not None
        assert verdict.key.permissions == {"FILE_UPLOAD"}
        unusable: list[Any] = [{"permissions": ["FILE_DELETE"]}, {"lifetime": 10**6}, {"nonsense": 1}, []]
        for wrong in (*unusable, {"permissions": "A"}):
            refused = await client.post(f"{AT}/temporary", json=wrong, headers=headers)
            assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
        free = (await here.issue_temporary(issued.secret)).secret
        again = await client.post(f"{AT}/temporary", json={}, headers={"Authorization": f"Bearer {free}"})
        assert again.status_code == 403, "a temporary secret issues no others"
        assert (await client.post(f"{AT}/temporary", json={})).status_code == 401


async def test_our_form_of_a_template(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY, public=True)
    app = Starlette(routes=[Mount(AT, TemporarySecrets(here))])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://app") as client:
        answer = await client.post(f"{AT}/temporary", json={"template": template.id, "permissions": ["FILE_UPLOAD"]})
        assert (answer.status_code, answer.json()["permissions"]) == (201, ["FILE_UPLOAD"])
        refused = await client.post(f"{AT}/temporary", json={"template": template.id, "subject": "eve"})
        assert refused.status_code == 400
        assert (await client.post(f"{AT}/temporary", json={})).status_code == 401
        assert (await client.post(f"{AT}/temporary", content=b"x" * 20_000)).status_code == 413


def test_what_it_cannot_be_made_with() -> None:
    keys = APIKeys()
    with pytest.raises(BadInputError):
        TemporarySecrets(keys, rate=5)  # type: ignore[arg-type]
    for mount in ("temporary", "/temporary/", "/a*"):
        with pytest.raises(BadInputError):
            TemporarySecrets.paths(mount)
