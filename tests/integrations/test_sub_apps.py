"""What FastAPI's `Guard` does for an app it does for those in it, however they are put there."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Host, Mount, Router
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Catalogue, Header, Rate, requires
from gatepost.integrations.fastapi import Guard
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of

HOST = "files.example.org"

ran: list[str] = []


async def noting() -> None:
    ran.append("dependency")


def sub_app() -> FastAPI:
    app = FastAPI()

    @app.post("/upload", dependencies=[Depends(noting), Depends(requires("FILE_UPLOAD"))])
    async def upload(body: dict[str, str]) -> str:
        return "done"

    once = Rate(1, per=3600, name="once")

    @app.get("/limited", dependencies=[Depends(requires("OBJECTS_LIST", limit=once))])
    async def limited() -> str:
        return "done"

    return app


def mounted(app: FastAPI, sub: FastAPI) -> None:
    app.mount("/in", sub)


def in_a_wrapper(app: FastAPI, sub: FastAPI) -> None:
    app.mount("/in", GZipMiddleware(sub))


def in_a_function(app: FastAPI, sub: ASGIApp) -> None:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await sub(scope, receive, send)

    app.mount("/in", wrapped)


def with_middleware(app: FastAPI, sub: FastAPI) -> None:
    app.router.routes.append(Mount("/in", sub, middleware=[Middleware(GZipMiddleware)]))


def of_a_host(app: FastAPI, sub: FastAPI) -> None:
    app.router.routes.append(Host(HOST, Router(routes=[Mount("/in", sub)])))


def in_a_mount(app: FastAPI, sub: FastAPI) -> None:
    app.mount("/in", Starlette(routes=[Mount("/deep", routes=[Mount("/er", sub)])]))


def in_an_app(app: FastAPI, sub: FastAPI) -> None:
    between = FastAPI()
    between.mount("/deep", GZipMiddleware(sub))
    app.mount("/in", between)


def in_a_router(app: FastAPI, sub: FastAPI) -> None:
    router, around = APIRouter(), APIRouter()
    router.mount("/er", sub)
    around.include_router(router, prefix="/deep")
    app.include_router(around, prefix="/in")


PLACES = [
    (mounted, "/in", True),
    (in_a_mount, "/in/deep/er", True),
    (in_a_wrapper, "/in", False),
    (in_a_function, "/in", False),
    (with_middleware, "/in", False),
    (of_a_host, "/in", False),
    (in_an_app, "/in/deep", False),
    (in_a_router, "/in/deep/er", False),
]


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("place", PLACES, ids=[put.__name__ for put, *_ in PLACES])
async def test_a_sub_app_is_guarded_and_told_as_the_app_is(
    keys: APIKeys,
    issuance: Issuance,
    place: tuple[Callable[[FastAPI, FastAPI], None], str, bool],
    is_first: bool,
) -> None:
    put, at, has_pages = place
    app, sub = FastAPI(), sub_app()
    if is_first:
        put(app, sub)
    Guard(app, keys)
    if not is_first:
        put(app, sub)
    ran.clear()
    reader, uploader = bearer(issuance.reader.secret), bearer(issuance.uploader.secret)
    async with client_of(app) as client:
        client.headers["host"] = HOST
        broken = {"content-type": "application/json"}
        denied = await client.post(f"{at}/upload", headers={**reader, **broken}, content=b"{")
        assert (denied.status_code, denied.headers["content-type"]) == (403, "application/problem+json")
        assert denied.json()["missing"] == ["FILE_UPLOAD"]
        assert ran == []
        assert (await client.post(f"{at}/upload", headers=uploader, json={"name": "a"})).json() == "done"
        assert ran == ["dependency"]
        for status in (200, 429):
            answer = await client.get(f"{at}/limited", headers=reader)
            assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["message"] == answer.json()["detail"]
        document = (await client.get(f"{at}/openapi.json", headers=reader)).json()
        asked = document["paths"]["/upload"]["post"]["security"]
        assert {name: ["FILE_UPLOAD"] for each in asked for name in each} == {
            name: ["FILE_UPLOAD"] for name in document["components"]["securitySchemes"]
        }
        expected = 200 if has_pages else 401  # what a wrapper, another host or a router makes of it is not known
        assert (await client.get(f"{at}/docs")).status_code == expected


@pytest.mark.parametrize("wrapped", [FastAPI, GZipMiddleware, Starlette], ids=["bare", "wrapper", "mount"])
def test_a_sub_app_with_keys_and_a_catalogue_of_its_own_starts(database: str, wrapped: Any) -> None:
    shop = Catalogue.of("ShopOfSubApps", {"BUY": "buy things"})
    inner, deep = FastAPI(), FastAPI()

    @deep.get("/x", dependencies=[Depends(requires("BUY"))])
    async def bought() -> None: ...

    inner.mount("/deep", deep)
    inner.get("/x", dependencies=[Depends(requires("BUY"))])(bought)
    Guard(inner, APIKeys(database, catalogue=shop), sources=[Header("X-Shop-Key")])
    around: dict[Any, Any] = {
        FastAPI: inner,
        GZipMiddleware: GZipMiddleware(inner),
        Starlette: Starlette(routes=[Mount("/a", inner)]),
    }
    app = FastAPI()
    Guard(app, APIKeys(database))
    app.mount("/in", around[wrapped])
    with TestClient(app) as client:
        assert client.get("/openapi.json").status_code == 200


def test_a_sub_app_behind_a_middleware_of_its_own_is_left_to_that(database: str) -> None:
    app, sub = FastAPI(), sub_app()
    Guard(app, APIKeys(database))
    app.mount("/in", APIKeyMiddleware(sub, APIKeys(database), sources=[Header("X-Other-Key")]))
    with TestClient(app) as client:
        assert client.get("/openapi.json").status_code == 200
    assert "security" not in sub.openapi()["paths"]["/upload"]["post"]


def test_apps_that_know_each_other_are_walked_once(database: str) -> None:
    app, sub = FastAPI(), FastAPI()
    Guard(app, APIKeys(database))
    sub.mount("/back", app)
    app.mount("/in", sub)
    with TestClient(app) as client:
        assert client.get("/in/back/in/openapi.json").status_code == 401
        assert client.get("/in/docs").status_code == 200
