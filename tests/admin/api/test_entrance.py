"""No way in without a usable key, wherever the API is mounted."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Bearer, Header, Query, Subprotocol
from gatepost.admin.api import make_api, make_document
from gatepost.admin.api.operations import OPERATIONS
from gatepost.database.connecting import engine
from tests.admin.api.site import ALL, INSIDE, OUTSIDE, Caller, Site, refusal, serving, site_of
from tests.patience import PATIENCE_SECONDS

ROUTES = [
    *((each.method, each.path.replace("{id}", "000000000000")) for each in OPERATIONS),
    ("GET", "/openapi.json"),
    ("HEAD", "/keys"),
    ("GET", "/no/such/route"),
    ("PUT", "/keys"),
    ("OPTIONS", "/keys"),
]


@pytest.mark.parametrize("base", [OUTSIDE, INSIDE])
async def test_every_route_is_shut_without_a_usable_key(small_site: Site, base: str) -> None:
    off = await small_site.keys.create("off", ALL, active=False)
    http = small_site.http
    for method, path in ROUTES:
        refused = await http.request(method, base + path, json={})
        assert refused.status_code == 401, (method, path)
        assert refused.headers["www-authenticate"].startswith("Bearer")
        if method != "HEAD":
            assert refusal(refused) == (401, "key_missing")
        for secret, code in ((off.secret, "key_deactivated"), ("gp_nonsense", "key_invalid")):
            refused = await http.request(method, base + path, headers={"X-API-Key": secret})
            assert refused.status_code == 401
            if method != "HEAD":
                assert refusal(refused) == (401, code)
    assert refusal(await http.get("/openapi.json")) == (401, "key_missing")
    assert (await http.get("/openapi.json", headers={"X-API-Key": off.secret})).status_code == 401


async def test_refusals_at_the_entrance_carry_the_headers_of_every_answer(small_site: Site) -> None:
    refused = await small_site.http.get("/api/keys")
    assert refused.headers.get_list("cache-control") == ["no-store"]
    assert refused.headers["x-content-type-options"] == "nosniff"


async def test_only_headers_carry_keys(small_site: Site, small_boss: Caller) -> None:
    http = small_site.http
    for name in ("api_key", "X-API-Key", "x-api-key", "access_token", "Authorization"):
        for base in (OUTSIDE, INSIDE):
            assert (await http.get(f"{base}/whoami", params={name: small_boss.secret})).status_code == 401
            cookie = {"Cookie": f"{name}={small_boss.secret}"}
            assert (await http.get(f"{base}/whoami", headers=cookie)).status_code == 401
    for headers in ({"X-API-Key": small_boss.secret}, {"Authorization": f"Bearer {small_boss.secret}"}):
        for base in (OUTSIDE, INSIDE):
            assert (await http.get(f"{base}/whoami", headers=headers)).status_code == 200


async def test_inside_a_wrapped_app_the_api_does_and_refuses_the_same(small_site: Site) -> None:
    manager = await small_site.caller("ACCESS_MANAGE", project="acme", base=INSIDE)
    hidden = (await small_site.keys.create("hidden", project="zeta")).key.id
    made = await manager.call("POST", "/keys", {"description": "made inside"})
    assert made.status_code == 201
    assert made.headers["location"] == f"{INSIDE}/keys/{made.json()['key']['id']}"
    assert (await manager.get("/whoami"))["id"] == manager.key_id
    assert await manager.refused("GET", f"/keys/{hidden}") == (404, "key_not_found")
    too_much = {"description": "x", "permissions": ["FILE_DELETE"]}
    assert await manager.refused("POST", "/keys", too_much) == (403, "permission_denied")
    (event,) = (await manager.get(f"/keys/{made.json()['key']['id']}/events"))["items"]
    assert (event["actor"], event["address"]) == (f"key {manager.key_id}", "127.0.0.1")
    await small_site.keys.deactivate(manager.key_id)
    refused = await small_site.http.get(f"{INSIDE}/whoami", headers={"X-API-Key": manager.secret})
    assert refusal(refused) == (401, "key_deactivated")


async def test_two_secrets_in_one_request_are_an_error(small_site: Site, small_boss: Caller) -> None:
    other = await small_site.caller(*ALL)
    both = {"X-API-Key": small_boss.secret, "Authorization": f"Bearer {other.secret}"}
    for base in (OUTSIDE, INSIDE):
        assert refusal(await small_site.http.get(f"{base}/whoami", headers=both)) == (400, "key_ambiguous")


WRAPPERS: Mapping[str, tuple[Callable[[ASGIApp, APIKeys], ASGIApp], str]] = {
    "strips": (APIKeyMiddleware, "X-API-Key: {}"),
    "strips not": (lambda app, keys: APIKeyMiddleware(app, keys, strip=False), "Authorization: Bearer {}"),
    "another header": (
        lambda app, keys: APIKeyMiddleware(app, keys, sources=[Header("X-Filerobot-Key")]),
        "X-Filerobot-Key: {}",
    ),
    "optional": (lambda app, keys: APIKeyMiddleware(app, keys, optional=True), "X-API-Key: {}"),
    "twice": (lambda app, keys: APIKeyMiddleware(APIKeyMiddleware(app, keys), keys, strip=False), "X-API-Key: {}"),
}
"""What an app that the API stands in may be wrapped with, and the header by which its callers come in."""


@pytest.mark.parametrize("sources", [(Bearer(), Header("X-API-Key")), (Bearer(),), (Header("X-Admin-Key"),)])
@pytest.mark.parametrize("name", WRAPPERS)
async def test_whatever_wraps_the_app_the_callers_own_key_is_judged_again(
    small_site: Site, small_boss: Caller, name: str, sources: Any
) -> None:
    wrap, header = WRAPPERS[name]
    app = wrap(Starlette(routes=[Mount("/api", make_api(small_site.keys, sources=sources))]), small_site.keys)
    carrier, _, value = header.format(small_boss.secret).partition(": ")
    async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        known = await http.get("/api/whoami", headers={"Authorization": "Basic eDp5", carrier: value})
        assert (known.status_code, known.json()["id"]) == (200, small_boss.key_id)
        assert (await http.get("/api/whoami")).status_code == 401


async def test_where_the_app_exempts_the_api_the_api_alone_takes_the_key(small_site: Site, small_boss: Caller) -> None:
    inner = Starlette(routes=[Mount("/api", make_api(small_site.keys, sources=[Header("X-Admin-Key")]))])
    app = APIKeyMiddleware(inner, small_site.keys, exempt=["/api/*"])
    async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        known = await http.get("/api/whoami", headers={"X-Admin-Key": small_boss.secret})
        assert (known.status_code, known.json()["id"]) == (200, small_boss.key_id)
        usual = await http.get("/api/whoami", headers={"X-API-Key": small_boss.secret})
        assert refusal(usual) == (401, "key_missing")


async def test_a_secret_beside_the_one_that_the_app_was_entered_with_is_an_error(
    small_site: Site, small_boss: Caller
) -> None:
    other = await small_site.caller(*ALL)
    wrap, _ = WRAPPERS["another header"]
    app = wrap(Starlette(routes=[Mount("/api", make_api(small_site.keys))]), small_site.keys)
    both = {"X-Filerobot-Key": small_boss.secret, "X-API-Key": other.secret}
    async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        assert refusal(await http.get("/api/whoami", headers=both)) == (400, "key_ambiguous")


async def test_a_link_that_is_a_way_into_the_app_is_none_into_the_api(small_site: Site, small_boss: Caller) -> None:
    inner = Starlette(routes=[Mount("/api", make_api(small_site.keys))])
    sources: Any = [Header("X-API-Key"), Query("key")]
    for exempt in ((), ("/api/*",)):
        app = APIKeyMiddleware(inner, small_site.keys, sources=sources, exempt=exempt)
        async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
            assert refusal(await http.get("/api/whoami", params={"key": small_boss.secret})) == (401, "key_missing")
            with_header = await http.get("/api/whoami", headers={"X-API-Key": small_boss.secret})
            if exempt:
                assert with_header.status_code == 200
            else:  # the app's middleware has taken the header out
                assert refusal(with_header) == (401, "key_missing")
                assert "takes API keys from URLs" in with_header.json()["detail"]


async def test_a_body_that_is_held_back_until_the_secret_is_dead_changes_nothing(
    small_site: Site, small_boss: Caller
) -> None:
    counts = small_site.keys._opened().lookup.counts
    before = counts.lookups

    async def body() -> AsyncIterator[bytes]:
        yield b'{"description": "a key that should not be", '
        while counts.lookups == before:  # noqa: ASYNC110 - the request is let in meanwhile
            await asyncio.sleep(0.005)
        await small_site.keys.rotate(small_boss.key_id, grace=0)
        yield b'"permissions": ["FILE_UPLOAD"]}'

    answer = await small_boss.call("POST", "/keys", content=body(), headers={"Content-Type": "application/json"})
    assert refusal(answer) == (403, "permission_denied")
    assert len((await small_site.keys.list()).items) == 1


async def test_two_secrets_are_an_error_also_where_the_app_exempts_the_api(
    small_site: Site, small_boss: Caller
) -> None:
    inner = Starlette(routes=[Mount("/api", make_api(small_site.keys))])
    other = await small_site.caller(*ALL)
    both = {"X-API-Key": small_boss.secret, "Authorization": f"Bearer {other.secret}"}
    app = APIKeyMiddleware(inner, small_site.keys, exempt=["/api/*"])
    async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        assert refusal(await http.get("/api/whoami", headers=both)) == (400, "key_ambiguous")


async def test_a_key_that_others_put_into_the_scope_is_not_believed(small_site: Site, small_boss: Caller) -> None:
    api = make_api(small_site.keys)
    forged = await small_site.keys.get(small_boss.key_id)

    async def forging(scope: Scope, receive: Receive, send: Send) -> None:
        scope.update({"api_key": forged, "permissions": frozenset(ALL), "user": forged})
        await api(scope, receive, send)

    exempting = APIKeyMiddleware(forging, small_site.keys, exempt=["/*"])
    for app in (forging, APIKeyMiddleware(forging, small_site.keys, optional=True), exempting):
        async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
            assert refusal(await http.get("/whoami")) == (401, "key_missing")


async def test_a_request_that_the_app_makes_to_itself_does_not_inherit_its_callers_key(
    small_site: Site, small_boss: Caller
) -> None:
    api = make_api(small_site.keys)

    async def proxy(_request: Request) -> Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://127.0.0.1") as inner:
            return PlainTextResponse(str((await inner.get("/whoami")).status_code))

    app = APIKeyMiddleware(Starlette(routes=[Route("/proxy", proxy)]), small_site.keys)
    async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        assert (await http.get("/proxy", headers={"X-API-Key": small_boss.secret})).text == "401"


async def test_inside_an_app_with_other_keys_the_api_wants_one_of_its_own(
    small_site: Site, small_boss: Caller, tmp_path: Any
) -> None:
    async with APIKeys(f"sqlite:///{tmp_path}/other.db") as others:
        visitor = await others.create("a visitor")
        app = APIKeyMiddleware(make_api(small_site.keys), others, sources=[Header("X-Visitor-Key")])
        async with serving(app) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
            headers = {"X-Visitor-Key": visitor.secret}
            assert refusal(await http.get("/whoami", headers=headers)) == (401, "key_missing")
            headers["X-API-Key"] = small_boss.secret
            assert (await http.get("/whoami", headers=headers)).json()["id"] == small_boss.key_id


async def test_a_mount_path_that_the_caller_chooses_stays_one_path(small_site: Site, small_boss: Caller) -> None:
    app = Starlette(routes=[Mount("/{tenant}/api", make_api(small_site.keys))])
    headers = {"X-API-Key": small_boss.secret}
    async with (
        serving(app) as origin,
        httpx2.AsyncClient(base_url=origin, headers=headers, timeout=PATIENCE_SECONDS) as http,
    ):
        for tenant in ("a%20b", "%0D%0AX-Evil:%201", "%D0%BA", "%22%3E"):
            made = await http.post(f"/{tenant}/api/keys", json={"description": "x"})
            assert made.status_code == 201
            assert "x-evil" not in made.headers
            assert (await http.get(made.headers["location"])).json() == made.json()["key"]
            document = await http.get(f"/{tenant}/api/openapi.json")
            assert (await http.get(document.json()["servers"][0]["url"] + "/whoami")).status_code == 200


@pytest.mark.parametrize("source", [Query("key"), Subprotocol()])
async def test_other_sources_than_headers_are_an_error(source: Any) -> None:
    for make in (make_api, lambda keys, sources: make_document(keys, api="/api", sources=sources)):
        with pytest.raises(BadInputError, match="headers only"):
            make(APIKeys("sqlite://"), sources=[Bearer(), source])


@pytest.mark.parametrize("with_key", [False, True])
async def test_web_sockets_are_refused(small_site: Site, small_boss: Caller, with_key: bool) -> None:
    url = f"{str(small_site.http.base_url).replace('http', 'ws', 1)}/api/keys"
    headers = {"X-API-Key": small_boss.secret} if with_key else {}
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=headers)
    assert refused.value.response.status_code == (403 if with_key else 401)


async def test_the_keys_are_opened_by_the_first_request(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("early", ALL)).secret
    keys = APIKeys(ready_sqlite_url)
    async with serving(make_api(keys)) as origin, httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http:
        assert (await http.get("/whoami", headers={"X-API-Key": secret})).status_code == 200
    await keys.close()


async def test_an_outage_is_neither_a_refusal_nor_a_way_in(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SQLITE_BUSY_MS", 100)
    async with APIKeys(ready_sqlite_url) as keys, site_of(keys) as site:
        boss = await site.caller(*ALL)
        path = make_url(ready_sqlite_url).database or ""
        with closing(sqlite3.connect(path, timeout=60, check_same_thread=False)) as other:
            # Nobody else can write until it ends. In a thread: this loop's own keys may be about to commit.
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            outage = await boss.call("POST", "/keys", {"description": "not now"})
            assert refusal(outage) == (503, "unavailable")
            assert int(outage.headers["retry-after"]) > 0
        assert (await boss.get("/keys", search="now"))["items"] == []
        await boss.post("/keys", {"description": "now"}, 201)
