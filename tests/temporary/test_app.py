"""`TemporarySecrets`: the brief's form and ours, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, ImportedKey, Quota, Rate, Template, TemporarySecrets
from gatepost.base import digest
from tests.temporary.conftest import ORIGIN, PAGE

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
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded, client=(address, 1)), base_url=ORIGIN)


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


@pytest.mark.parametrize("has_redis", [False, True])
async def test_one_template_gives_so_many_in_all(ready_sqlite_url: str, redis_url: str, has_redis: bool) -> None:
    redis = redis_url if has_redis else None
    rates: Any = {"rate_of_template": Rate(4, per=60), "authorize": lambda request, _: "x-good" in request.headers}
    async with APIKeys(ready_sqlite_url, redis, poll_interval=0.1, max_staleness=300) as keys:
        await keys.serve()
        one, two = [await keys.templates.create(name, MAY) for name in ("one", "two")]
        statuses = []
        for number in range(12):
            async with client_of(keys, f"192.0.2.{number}", **rates) as client:
                headers = {} if number < 6 else {"X-Good": "1"}
                statuses.append((await client.get(f"{AT}/key/{one.id}", headers=headers)).status_code)
        assert statuses == [404] * 6 + [200] * 4 + [429] * 2, "who is refused takes nothing"
        async with client_of(keys, **rates) as client:
            assert (await client.get(f"{AT}/key/{two.id}", headers={"X-Good": "1"})).status_code == 200
            issued = await keys.create("a key", MAY)
            told = await client.post(f"{AT}/temporary", json={}, headers={"X-API-Key": issued.secret})
            assert told.status_code == 201


@pytest.mark.parametrize("has_redis", [False, True])
async def test_an_office_behind_one_address_may_be_given_more(
    ready_sqlite_url: str, redis_url: str, has_redis: bool
) -> None:
    redis = redis_url if has_redis else None
    async with APIKeys(ready_sqlite_url, redis, poll_interval=0.1, max_staleness=300) as keys:
        await keys.serve()
        template = await keys.templates.create("a widget", MAY, public=True)
        for rate, let_in in ((Rate(7, per=60), 7), (None, 70)):
            address = "192.0.2.7" if rate else "192.0.2.8"
            async with client_of(keys, address, rate=None, rate_of_address=rate, rate_of_template=None) as client:
                said = [
                    (await client.get(f"{AT}/key/{template.id}")).status_code
                    for _ in range(let_in + (rate is not None))
                ]
            assert said == [200] * let_in + [429] * (rate is not None)


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
        assert told["resources"] is None
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
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as client:
        answer = await client.post(f"{AT}/temporary", json={"template": template.id, "permissions": ["FILE_UPLOAD"]})
        assert (answer.status_code, answer.json()["permissions"]) == (201, ["FILE_UPLOAD"])
        bound = await client.post(f"{AT}/temporary", json={"template": template.id, "resources": ["dir:/a"]})
        assert bound.json()["resources"] == ["dir:/a"]
        refused = await client.post(f"{AT}/temporary", json={"template": template.id, "subject": "eve"})
        assert refused.status_code == 400
        assert (await client.post(f"{AT}/temporary", json={})).status_code == 401
        assert (await client.post(f"{AT}/temporary", content=b"x" * 20_000)).status_code == 413


def test_what_it_cannot_be_made_with() -> None:
    keys = APIKeys()
    for name in ("rate", "rate_of_address", "rate_of_template"):
        for wrong in (5, "5/60s", [Rate(5, per=60)], Quota(5, per="day")):
            with pytest.raises(BadInputError, match=f"^{name} must be a Rate"):
                TemporarySecrets(keys, **{name: wrong})  # type: ignore[arg-type]
    for mount in ("temporary", "/temporary/", "/a*"):
        with pytest.raises(BadInputError):
            TemporarySecrets.paths(mount)


async def test_who_comes_with_a_secret_that_was_imported_is_told_what_to_do(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, foreign_secrets=True) as keys:
        imported = ImportedKey(digest=digest(b"legacy-4711"), description="CI", permissions=MAY)
        (key,) = await keys.import_digests([imported])
        async with client_of(keys) as client:
            answer = await client.post(f"{AT}/temporary", json={}, headers={"X-API-Key": "legacy-4711"})
            assert answer.status_code == 400
            assert "rotate the key first" in answer.json()["detail"]
            rotated = await keys.rotate(key.id, grace=0)
            answer = await client.post(f"{AT}/temporary", json={}, headers={"X-API-Key": rotated.secret})
            assert answer.status_code == 201


async def test_a_look_without_a_body_issues_nothing(here: APIKeys) -> None:
    template = await here.templates.create("a widget", MAY, public=True)
    async with client_of(here) as client:
        for _ in range(6):
            answer = await client.head(f"{AT}/key/{template.id}")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert (await client.get(f"{AT}/key/{template.id}")).status_code == 200, "none of them has counted"
