"""Wherever it is mounted, by whatever framework, behind whatever proxy: its API answers, its page leads to itself."""

import re
from collections.abc import AsyncIterator, Callable
from itertools import product
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI
from hypercorn.middleware import DispatcherMiddleware
from litestar import Litestar, asgi
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend
from quart import Quart
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import Admin, APIKeys
from gatepost.admin.mount import below_mount
from tests.frameworks.connection import ask, http_scope
from tests.frameworks.test_django import TestContract as Django

MOUNT = "/settings/keys"


def in_starlette(admin: ASGIApp) -> Any:
    return Starlette(routes=[Mount(MOUNT, admin)])


def in_fastapi(admin: ASGIApp) -> Any:
    app = FastAPI()
    app.mount(MOUNT, admin)
    return app


def in_litestar(admin: ASGIApp) -> Any:
    @asgi(MOUNT, is_mount=True, copy_scope=True)
    async def mounted(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None:
        await admin(scope, receive, send)  # type: ignore[arg-type]  # Litestar's types of the same

    return Litestar([mounted], openapi_config=None)


def beside_quart(admin: ASGIApp) -> Any:
    return DispatcherMiddleware({MOUNT: admin, "": Quart("an app")})  # type: ignore[dict-item]  # hypercorn's types


def beside_django(admin: ASGIApp) -> Any:
    """As Django's documentation has it for other protocols: a function in `asgi.py`."""
    site = Django.app()

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        below = scope["path"].removeprefix(scope["root_path"])
        if below == MOUNT or below.startswith(MOUNT + "/"):
            await admin({**scope, "root_path": scope["root_path"] + MOUNT}, receive, send)
        else:
            await site(scope, receive, send)

    return dispatch


FRAMEWORKS: dict[str, Callable[[ASGIApp], Any]] = {
    "starlette": in_starlette,
    "fastapi": in_fastapi,
    "litestar": in_litestar,
    "quart": beside_quart,
    "django": beside_django,
}

PROXIES = {
    "no proxy": ("", ""),
    "the server's root path, which it puts before the path": ("/proxy", "/proxy"),
    "the server's root path, which the proxy has taken off": ("/proxy", ""),
}
"""What stands in `root_path`, and what the server says of it in `path`."""


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as keys:
        yield keys


PLACES = [
    (framework, proxy)
    for framework, (proxy, (_, prefix)) in product(FRAMEWORKS, PROXIES.items())
    if framework != "quart" or not prefix
]
"""Without one: hypercorn's dispatcher does not look below a root path, and hypercorn puts none before the path."""


@pytest.mark.parametrize(("framework", "proxy"), PLACES)
async def test_it_works_wherever_it_is_mounted(framework: str, proxy: str, keys: APIKeys) -> None:
    root, prefix = PROXIES[proxy]
    app = FRAMEWORKS[framework](Admin(keys))
    issued = await keys.create("admin", ["ACCESS_READ", "ACCESS_MANAGE"])
    key = {"X-API-Key": issued.secret}

    async def get(path: str, headers: dict[str, str], body: bytes = b"", **entries: Any) -> httpx2.Response:
        return await ask(app, http_scope(prefix + MOUNT + path, headers, root_path=root, **entries), body)

    base = root + MOUNT
    for slash in ("", "/"):
        document = await get(f"/openapi.json{slash}" if framework == "litestar" else "/openapi.json", key)
        if slash and framework == "litestar":
            assert document.status_code == 404, "another path, as anywhere else"
            continue
        assert document.status_code == 200
        assert [server["url"] for server in document.json()["servers"]] == [
            f"http://testserver{base}/api",
            f"{base}/api",
        ]
    assert (await get("/api/keys", key)).status_code == 200
    assert (await get(f"/api/keys/{issued.key.id}", key)).json()["description"] == "admin"
    assert (await get("/api/keys", {})).status_code == 401
    made = await get(
        "/api/keys",
        {**key, "Content-Type": "application/json"},
        b'{"description": "a new one", "permissions": ["ACCESS_READ"]}',
        method="POST",
    )
    assert made.status_code == 201
    assert made.headers["location"] == f"{base}/api/keys/{made.json()['key']['id']}"

    for path in ("/", "", "/log"):
        page = await get(path, {})
        if page.status_code in {307, 308}:
            assert (framework, path) in {("starlette", ""), ("fastapi", "")}, "theirs, for a mount without its slash"
            continue
        assert page.status_code == 401
        assert page.headers["content-type"].startswith("text/html")
        links = re.findall(r'(?:action|href|src)="([^"#][^"]*)"', page.text)
        assert f"{base}/sign-in" in links
        assert all(link.startswith(f"{base}/") for link in links), links
        for link in links:
            if "/static/" in link:
                assert (await get(link.removeprefix(base), {})).status_code == 200
    page = await get("/log", {})
    (token,) = set(re.findall(r'name="csrf_token" value="([^"]*)"', page.text))
    (asked,) = set(re.findall(r'name="next" value="([^"]*)"', page.text))
    cookies = [each.partition(";")[0] for each in page.headers.get_list("set-cookie")]
    assert all(f"Path={base};" in each for each in page.headers.get_list("set-cookie"))
    signed_in = await get(
        "/sign-in",
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(cookies),
            "Host": "elsewhere.example",
        },
        urlencode({"csrf_token": token, "next": asked, "secret": issued.secret}).encode(),
        method="POST",
    )
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"{base}/log")
    session = signed_in.headers["set-cookie"].partition(";")[0]
    assert (await get("/log", {"Cookie": session})).status_code == 200


@pytest.mark.parametrize(
    ("path", "raw", "root", "expected"),
    [
        ("/x", "/x", "", ("", "/x")),
        ("/keys/x", "/keys/x", "/keys", ("/keys", "/keys/x")),
        ("/keys", "/keys", "/keys", ("/keys", "/keys/")),
        ("/keys/x", "/keys/x", "/proxy/keys", ("/proxy/keys", "/proxy/keys/x")),
        ("/x/", "/keys/x", "", ("/keys", "/keys/x")),
        ("/x/", "/keys/x/", "", ("/keys", "/keys/x/")),
        ("/", "/keys", "", ("/keys", "/keys/")),
        ("/", "/keys/", "", ("/keys", "/keys/")),
        ("/x/", "/keys/x?q=/y/", "", ("/keys", "/keys/x")),
        ("/a b/", "/keys/a%20b", "", ("/keys", "/keys/a b")),
        ("/x/", "/proxy/keys/x", "/proxy", ("/proxy/keys", "/proxy/keys/x")),
        ("/x/", "/keys/x", "/proxy", ("/proxy/keys", "/proxy/keys/x")),
        ("/x/", "//evil.example//keys//x", "", ("/evil.example/keys", "/evil.example/keys/x")),
        ("/x/", "/rewritten/y", "", ("", "/x/")),
        ("/keysx", "/keysx", "/keys", ("/keys", "/keys/keysx")),
    ],
)
def test_the_mount_is_found(path: str, raw: str, root: str, expected: tuple[str, str]) -> None:
    for entries in ({}, {"headers": [(b"host", b"evil.example")]}):
        found = below_mount({"type": "http", "path": path, "raw_path": raw.encode(), "root_path": root, **entries})
        assert (found["root_path"], found["path"]) == expected


def test_servers_need_not_tell_the_raw_path() -> None:
    assert below_mount({"type": "http", "path": "/keys/x/", "root_path": "/keys"})["path"] == "/keys/x/"
    assert below_mount({"type": "http", "path": "/x/", "raw_path": None})["path"] == "/x/"
