"""Usage tells the template of the route that the app's router chose, in each framework; never a path."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from gatepost import APIKeyMiddleware, APIKeys, requires
from tests.usage.requests import answering, ask


async def templates(keys: APIKeys, app: ASGIApp, *paths: str, **more: Any) -> dict[str | None, int]:
    """Requests by route, of one for each path."""
    issued = await keys.create("a key")
    protected = APIKeyMiddleware(app, keys)
    for path in paths:
        await ask(protected, issued.secret, path, **more)
    await keys.flush_usage()
    return {line.route: line.count for line in await keys.usage(issued.key.id, by="route")}


async def plain(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


async def test_starlette_with_mounts_whose_paths_have_parameters_too(sqlite_keys: APIKeys) -> None:
    shared = Route("/{id:int}", plain)
    app = Starlette(
        routes=[
            Route("/", plain),
            Route("/a/{name}", plain),
            Route("/b/{name}", plain),
            Mount("/users/{user}", routes=[shared, Mount("/deeper", routes=[Route("/x", plain)])]),
            Mount("/static", app=answering),
            Mount("/whole", app=Starlette(routes=[Route("/leaf", plain)])),
            Host("never.example", app=Starlette()),
        ]
    )
    paths = ("/", "/a/1", "/a/2", "/b/1", "/users/ann/7", "/users/bob/8", "/users/ann/deeper/x", "/static/any/file.js")
    assert await templates(sqlite_keys, app, *paths, "/whole/leaf", "/nowhere", "/nowhere/else") == {
        "/": 1,
        "/a/{name}": 2,
        "/b/{name}": 1,
        "/users/{user}/{id}": 2,
        "/users/{user}/deeper/x": 1,
        "/static/*": 1,
        "/whole/leaf": 1,
        "": 2,
    }


async def test_starlette_where_the_middleware_stands_within_and_for_websockets(sqlite_keys: APIKeys) -> None:
    app = Starlette(routes=[Route("/a/{name}", plain), WebSocketRoute("/chat/{room}", chat)])
    app.add_middleware(APIKeyMiddleware, keys=sqlite_keys)
    issued = await sqlite_keys.create("a key")
    await ask(app, issued.secret, "/a/1")
    await ask(app, issued.secret, "/chat/1", type="websocket", subprotocols=[])
    await sqlite_keys.flush_usage()
    found = {line.route: line.count for line in await sqlite_keys.usage(issued.key.id, by="route")}
    assert found == {"/a/{name}": 1, "/chat/{room}": 1}


async def test_a_refusal_by_requires_has_its_route(sqlite_keys: APIKeys) -> None:
    app = Starlette(routes=[Route("/a/{name}", requires("FILE_UPLOAD")(plain))])
    issued = await sqlite_keys.create("a key")
    await ask(APIKeyMiddleware(app, sqlite_keys), issued.secret, "/a/1")
    await sqlite_keys.flush_usage()
    [line] = await sqlite_keys.usage(issued.key.id, by=("route", "outcome"))
    assert (line.route, line.outcome) == ("/a/{name}", "permission_denied")


async def test_fastapi_with_a_router_that_is_included_twice(sqlite_keys: APIKeys) -> None:
    from fastapi import APIRouter, FastAPI  # noqa: PLC0415

    inner, router, app, sub = APIRouter(), APIRouter(), FastAPI(), FastAPI()

    async def read(id: str) -> str:  # noqa: A002
        return id

    inner.add_api_route("/leaf/{id}", read)
    router.add_api_route("/items/{id}", read)
    router.include_router(inner, prefix="/inner")
    sub.include_router(router, prefix="/sub")
    app.add_api_route("/own/{id}", read)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    app.mount("/mounted/{tenant}", sub)
    paths = (
        "/own/1",
        "/v1/items/1",
        "/v1/items/2",
        "/v2/items/1",
        "/v2/inner/leaf/1",
        "/mounted/acme/sub/items/1",
        "/x",
    )
    assert await templates(sqlite_keys, app, *paths) == {
        "/own/{id}": 1,
        "/v1/items/{id}": 2,
        "/v2/items/{id}": 1,
        "/v2/inner/leaf/{id}": 1,
        "/mounted/{tenant}/sub/items/{id}": 1,
        "": 1,
    }


async def test_litestar_alone_and_mounted(sqlite_keys: APIKeys) -> None:
    from litestar import Litestar, get  # noqa: PLC0415
    from litestar.params import FromPath  # noqa: PLC0415

    @get("/things/{number:int}")
    async def thing(number: FromPath[int]) -> int:
        return number

    app: Any = Litestar([thing])
    mounted = Starlette(routes=[Mount("/api/{version}", app=app)])
    assert await templates(sqlite_keys, app, "/things/1", "/things/2", "/nowhere") == {"/things/{number}": 2, "": 1}
    assert await templates(sqlite_keys, mounted, "/api/v1/things/1") == {"/api/{version}/things/{number}": 1}


async def test_quart(sqlite_keys: APIKeys) -> None:
    from quart import Quart  # noqa: PLC0415

    app = Quart("usage")

    @app.get("/things/<int:number>")
    async def thing(number: int) -> str:
        return str(number)

    @app.websocket("/chat/<room>")
    async def talk(room: str) -> None: ...

    served: Any = app
    found = await templates(sqlite_keys, served, "/things/1", "/things/2", "/nowhere")
    assert found == {"/things/<int:number>": 2, "": 1}


async def test_django(sqlite_keys: APIKeys) -> None:
    from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]  # noqa: PLC0415
    from django.http import HttpResponse  # type: ignore[import-untyped]  # noqa: PLC0415
    from django.test import override_settings  # type: ignore[import-untyped]  # noqa: PLC0415
    from django.urls import include, path  # type: ignore[import-untyped]  # noqa: PLC0415

    from tests.frameworks import test_django  # noqa: F401, PLC0415 - it says what Django's settings are, once for all

    async def view(_request: Any, **_parts: Any) -> HttpResponse:
        return HttpResponse("ok")

    urls = ModuleType("urls_of_usage")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("things/<int:number>/", view),
        path("below/<slug:name>/", include([path("leaf/", view)])),
    ]
    sys.modules[urls.__name__] = urls
    with override_settings(ROOT_URLCONF=urls.__name__):
        found = await templates(
            sqlite_keys, get_asgi_application(), "/things/1/", "/things/2/", "/below/x/leaf/", "/nowhere"
        )
    assert found == {"/things/<int:number>/": 2, "/below/<slug:name>/leaf/": 1, "": 1}


async def test_an_app_without_a_router_has_one_count_whatever_the_paths(sqlite_keys: APIKeys) -> None:
    assert await templates(sqlite_keys, answering, *(f"/{number}" for number in range(50))) == {"": 50}
    assert sqlite_keys.uses is not None
    assert len(sqlite_keys.uses) == 0


async def test_an_app_that_sometimes_tells_a_route_is_counted_apart(sqlite_keys: APIKeys) -> None:
    """Compiled, a memory hit is counted without Python where nothing was told, and only there."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/":
            scope["path_template"] = "/told"
        await answering(scope, receive, send)

    assert await templates(sqlite_keys, app, "/", "/a", "/", "/b", "/", "/") == {"": 4, "/told": 2}


async def test_a_route_is_known_by_itself_and_not_by_its_place_in_memory(sqlite_keys: APIKeys) -> None:
    first, second = Route("/first", plain), Route("/second", plain)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/0":
            scope["route"] = first if scope["path"] == "/1" else second
        await answering(scope, receive, send)

    issued = await sqlite_keys.create("a key")
    protected = APIKeyMiddleware(app, sqlite_keys)
    for path in ("/0", "/1", "/2", "/1", "/2"):
        await ask(protected, issued.secret, path)
    protected._counting.known_routes[id(second)] = (first, "/first")  # as of one that is gone
    await ask(protected, issued.secret, "/2")
    await sqlite_keys.flush_usage()
    found = {line.route: line.count for line in await sqlite_keys.usage(issued.key.id, by="route")}
    assert found == {"": 1, "/first": 2, "/second": 3}


async def test_a_route_that_fastapi_has_included_is_not_the_one_that_it_was_before(sqlite_keys: APIKeys) -> None:
    route = Route("/{id}", plain)
    included = SimpleNamespace(original_route=route, path_format="/below/{id}")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = route
        if scope["path"] == "/below/1":
            scope["fastapi"] = {"route": included}
        await answering(scope, receive, send)

    found = await templates(sqlite_keys, app, "/1", "/1", "/below/1", "/below/1", "/1")
    assert found == {"/{id}": 3, "/below/{id}": 2}
