"""However a path is written and whatever root path there is: what reaches a handler was judged as that handler's."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import django.urls  # type: ignore[import-untyped]
import pytest
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.test import override_settings  # type: ignore[import-untyped]
from fastapi import FastAPI
from litestar import Litestar, asgi
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarWebSocket
from litestar import get as litestar_get
from litestar import websocket as litestar_websocket
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend
from quart import Quart
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.asgi.routes.exempt import FreshPaths
from gatepost.asgi.routes.routing import Routing
from gatepost.base.secret import Presented
from tests.frameworks import test_django  # it configures Django
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, http_scope, websocket_scope

assert test_django

reached: list[str] = []
"""The route, as the app declares it, whose handler ran last."""

PATHS = ["/health", "/secret", "/open/{x}", "/payments/{x}", "/{project}/files", "/api/{x}"]
EXEMPT = ["/health", "/open/*", "/api/*"]
FRESH = ["/payments/*", "/secret"]


def is_open(route: str) -> bool:
    return route == "/health" or route.startswith(("/open/", "/api/"))


def of_first_segment(scope: Scope) -> str | None:
    """As the docs say it."""
    return scope["path"].split("/")[1] or None if "/" in scope["path"] else None


def _note(path: str, values: dict[str, Any]) -> None:
    reached.append(path.format(**values))


# the same routes in each framework


def _starlette_routes() -> list[Route | WebSocketRoute]:
    def http(path: str) -> Any:
        async def handle(request: Request) -> Response:
            _note(path, request.path_params)
            return PlainTextResponse("")

        return handle

    def socket(path: str) -> Any:
        async def handle(websocket: WebSocket) -> None:
            _note(path, websocket.path_params)
            await websocket.accept()
            await websocket.close()

        return handle

    return [Route(path, http(path)) for path in PATHS] + [WebSocketRoute(path, socket(path)) for path in PATHS]


def starlette() -> ASGIApp:
    return Starlette(routes=_starlette_routes())


def fastapi(root: str = "", *routes: BaseRoute) -> FastAPI:
    app = FastAPI(routes=[*(routes or _starlette_routes())], openapi_url=None)
    app.root_path = root  # as its argument does, without a warning
    return app


def litestar(path: str = "/") -> Any:  # Any, as for Quart: they have types of their own for what ASGI hands over
    def http(path: str) -> Any:
        @litestar_get(path.replace("}", ":str}"), name=f"http {path}", sync_to_thread=False)
        def handle(request: LitestarRequest[Any, Any, Any]) -> str:
            _note(path, request.path_params)
            return ""

        return handle

    def live(path: str) -> Any:
        @litestar_websocket(path.replace("}", ":str}"), name=f"websocket {path}")
        async def handle(socket: LitestarWebSocket[Any, Any, Any]) -> None:
            _note(path, socket.path_params)
            await socket.accept()
            await socket.close()

        return handle

    return Litestar([*map(http, PATHS), *map(live, PATHS)], openapi_config=None, path=path)


def quart() -> Any:
    app = Quart("routes")

    def add(path: str) -> None:
        async def http(**values: str) -> str:
            _note(path, values)
            return ""

        async def socket(**values: str) -> None:
            _note(path, values)
            await quart_websocket.accept()

        rule = path.replace("{", "<").replace("}", ">")
        app.add_url_rule(rule, f"http {path}", http)
        app.add_websocket(rule, f"websocket {path}", socket)

    for path in PATHS:
        add(path)
    return app


def _django_view(path: str) -> Any:
    async def view(request: HttpRequest, **values: str) -> HttpResponse:
        _note(path, values)
        return HttpResponse()

    return view


urlpatterns = [django.urls.path(path[1:].replace("{", "<str:").replace("}", ">"), _django_view(path)) for path in PATHS]


# how apps are put together


def _closed_over(inner: ASGIApp) -> ASGIApp:
    async def copying(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(dict(scope), receive, send)

    return copying


class Keeping:
    """Middleware with a name of its own for what it wraps."""

    def __init__(self, inner: ASGIApp) -> None:
        self._wrapped = {"http": inner, "websocket": inner}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wrapped[scope["type"]](scope, receive, send)


async def _partially(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await inner(scope, receive, send)


the_global = fastapi("/api")


async def _names_a_global(scope: Scope, receive: Receive, send: Send) -> None:
    await the_global(scope, receive, send)


APPS: dict[str, Callable[[], ASGIApp]] = {
    "starlette": starlette,
    "fastapi": fastapi,
    "fastapi-root": lambda: fastapi("/api"),
    "fastapi-root-slash": lambda: fastapi("/api/"),
    "fastapi-root-deep": lambda: fastapi("/api/v1"),
    "fastapi-root-is-a-route": lambda: fastapi("/open"),
    "fastapi-root-is-a-project": lambda: fastapi("/acme"),
    "fastapi-root-in-middleware": lambda: GZipMiddleware(fastapi("/api")),
    "fastapi-root-in-a-closure": lambda: _closed_over(_closed_over(fastapi("/api"))),
    "fastapi-root-in-attributes": lambda: Keeping(Keeping(fastapi("/api"))),
    "fastapi-root-in-a-method": lambda: Keeping(fastapi("/api")).__call__,
    "fastapi-root-in-a-partial": lambda: partial(_partially, fastapi("/api")),
    "fastapi-root-in-a-global": lambda: _names_a_global,
    "fastapi-root-at-the-root-of-another": lambda: Starlette(routes=[Mount("/", fastapi("/api"))]),
    "fastapi-root-at-the-root-of-fastapi": lambda: fastapi("/v1", Host("testserver", fastapi("/api"))),
    "litestar": litestar,
    "quart": quart,
    "django": get_asgi_application,
}
"""What gatepost goes around. Each routes `PATHS`."""


def _litestar_mount() -> Any:
    inner = litestar()

    @asgi("/m", is_mount=True, copy_scope=True)
    async def mounted(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None:
        await inner(scope, receive, send)

    return Litestar([mounted], openapi_config=None)


MOUNTED: dict[str, tuple[str, Callable[[], ASGIApp]]] = {
    "starlette": ("/m", lambda: Starlette(routes=[Mount("/m", starlette())])),
    "fastapi": ("/m", lambda: Starlette(routes=[Mount("/m", fastapi("/m"))])),
    "fastapi-root": ("/m/v1", lambda: Starlette(routes=[Mount("/m", fastapi("/m/v1"))])),
    "litestar": ("/m", lambda: litestar("/m")),
    "litestar-mount": ("/m", _litestar_mount),
    "quart": ("/m", lambda: Starlette(routes=[Mount("/m", quart())])),
    "django": ("/m", lambda: Starlette(routes=[Mount("/m", get_asgi_application())])),
}
"""The same, below a path."""

SEGMENTS = ["", ".", "..", "api", "API", "v1", "m", "open", "health", "secret", "payments", "1", "acme", "globex"]
GOOD = ["/health", "/secret", "/open/1", "/payments/1", "/acme/files", "/globex/files", "/api/files", "/api/1"]
ROOTS = ["", "", "/api", "/api/", "/v1", "/api/v1", "/open", "/acme", "/m"]


def odd_scopes(how_many: int) -> Iterator[tuple[str, str]]:
    """Paths with root paths: handlers' own paths behind, among and before segments that may or may not be there."""
    yield from ((before + path, root) for path in GOOD for before in ("", "/api", "/acme") for root in ("", "/api"))
    dice = random.Random(6)
    for _ in range(how_many):
        path, root = dice.choice(GOOD), dice.choice(ROOTS)
        before = "".join("/" + dice.choice(SEGMENTS) for _ in range(dice.choice([0, 0, 1, 1, 2])))
        if dice.random() < 0.3:
            before += dice.choice(["/api", "/v1", "/open", "/m", "/api/v1"])
        path = before + path
        if dice.random() < 0.15:
            path = path.replace("/", "", 1) if dice.random() < 0.5 else path[0] + path[1:].replace("/", "", 1)
        if dice.random() < 0.15:
            path += "/"
        if dice.random() < 0.5:
            path = root + path
        if dice.random() < 0.1:
            path = path.upper()
        yield path or "/", root


class Watched(APIKeys):
    """Notes whether the database was asked for its word."""

    was_fresh = False

    async def judge_presented(self, presented: Presented) -> Any:
        self.was_fresh = presented.fresh
        return await super().judge_presented(presented)


async def reach(app: ASGIApp, scope: Scope) -> str | None:
    """The route that answers, if any does."""
    reached.clear()
    given: Iterator[Message] = iter(
        [{"type": "websocket.connect"}] if scope["type"] == "websocket" else [{"type": "http.request", "body": b""}]
    )

    async def receive() -> Message:
        message = next(given, None)
        if message is None:  # nobody hangs up: a framework would stop in the middle
            await asyncio.Event().wait()
        assert message is not None
        return message

    async def send(message: Message) -> None:
        pass

    with suppress(Exception):  # a framework that stumbles over such a path has served nobody
        await app(scope, receive, send)
    return reached[-1] if reached else None


async def holes(
    make: Callable[[], ASGIApp], keys: Watched, issuance: Issuance, *, below: str = "", how_many: int = 150
) -> tuple[list[str], set[str]]:
    """What was reached without having been judged so, and all routes that were reached at all."""
    fresh = APIKeyMiddleware(make(), keys, fresh=[below + path for path in FRESH])
    exempting = APIKeyMiddleware(make(), keys, exempt=[below + path for path in EXEMPT])
    by_project = APIKeyMiddleware(make(), keys, project=of_first_segment)
    found, served = [], set()
    for path, root in odd_scopes(how_many):
        for make_scope in (http_scope, websocket_scope):
            for full in {path, root + below + path if below else path, below + path}:
                where = f"{make_scope.__name__}({full!r}, root_path={root!r})"
                keys.was_fresh = False
                route = await reach(fresh, make_scope(full, bearer(issuance.anywhere.secret), root_path=root))
                if route is not None:
                    served.add(route)
                    if (route.startswith("/payments/") or route == "/secret") and not keys.was_fresh:
                        found.append(f"{where} reached {route}, not fresh")
                route = await reach(exempting, make_scope(full, root_path=root))
                if route is not None and not is_open(route):
                    found.append(f"{where} reached {route} without a key")
                if not below:
                    route = await reach(by_project, make_scope(full, bearer(issuance.uploader.secret), root_path=root))
                    if route is not None and not route.startswith("/acme/"):
                        found.append(f"{where} reached {route} with a key of acme")
    return found, served


@pytest.fixture
async def watched(database: str) -> Any:
    async with Watched(database) as keys:
        yield keys


ALL_SERVED = {"/health", "/secret", "/open/1", "/payments/1", "/acme/files", "/globex/files", "/api/1"}


@pytest.mark.parametrize("app", APPS)
async def test_what_is_reached_was_judged_as_what_it_is(app: str, watched: Watched, issuance: Issuance) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        found, served = await holes(APPS[app], watched, issuance)
    assert found == []
    assert served >= ALL_SERVED, "is this test about anything?"


@pytest.mark.parametrize("root", ["/api", "/api/", "/open", "/acme"])
async def test_so_it_is_under_djangos_own_root_path(root: str, watched: Watched, issuance: Issuance) -> None:
    with override_settings(ROOT_URLCONF=__name__, FORCE_SCRIPT_NAME=root):
        found, served = await holes(lambda: _closed_over(get_asgi_application()), watched, issuance)
    assert found == []
    assert served >= ALL_SERVED


@pytest.mark.parametrize("app", MOUNTED)
async def test_so_it_is_where_the_app_is_mounted_within(app: str, watched: Watched, issuance: Issuance) -> None:
    below, make = MOUNTED[app]
    with override_settings(ROOT_URLCONF=__name__):
        found, served = await holes(make, watched, issuance, below=below, how_many=80)
    assert found == []
    assert served >= ALL_SERVED


@pytest.mark.parametrize("app", ["fastapi-root", "fastapi-root-in-a-closure", "fastapi-root-at-the-root-of-another"])
async def test_the_search_finds_holes_where_only_the_servers_root_path_is_looked_at(
    app: str, watched: Watched, issuance: Issuance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.asgi.middleware.Routing", lambda _: Routing())
    found, _ = await holes(APPS[app], watched, issuance)
    assert any(hole.startswith("http_scope") and "without a key" in hole for hole in found)
    assert any(hole.startswith("websocket_scope") and "without a key" in hole for hole in found)
    found, _ = await holes(APPS["fastapi-root-is-a-project"], watched, issuance)
    assert any("reached /globex/files with a key of acme" in hole for hole in found)


async def test_the_search_finds_holes_where_a_path_is_fresh_only_from_its_start(
    watched: Watched, issuance: Issuance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.asgi.middleware.Routing", lambda _: Routing())
    monkeypatch.setattr(
        FreshPaths, "_takes_in", lambda _, path: path in ("/payments", "/secret") or path.startswith("/payments/")
    )
    found, _ = await holes(APPS["fastapi-root"], watched, issuance)
    assert any(hole.startswith("http_scope") and "not fresh" in hole for hole in found)
    assert any(hole.startswith("websocket_scope") and "not fresh" in hole for hole in found)


@pytest.mark.parametrize("around", [True, False])
async def test_below_fastapis_own_root_path_the_same_is_exempt_from_outside_and_from_inside(
    around: bool, watched: Watched
) -> None:
    app: ASGIApp = fastapi("/api")
    if around:
        app = APIKeyMiddleware(app, watched, exempt=["/health", "/open/*"])
    else:
        assert isinstance(app, FastAPI)
        app.add_middleware(APIKeyMiddleware, keys=watched, exempt=["/health", "/open/*"])
    for path in ("/health", "/api/health", "/open/1", "/api/open/1"):
        assert await reach(app, http_scope(path)) == path.removeprefix("/api")
    for path in ("/secret", "/api/secret", "/api/api/health", "/api/1", "/api/api/1"):
        assert await reach(app, http_scope(path)) is None


async def test_functions_are_shown_the_path_as_the_app_routes_it_and_no_root_path(
    watched: Watched, issuance: Issuance
) -> None:
    seen: list[tuple[str, str]] = []

    def look(scope: Scope) -> str:
        seen.append((scope["path"], scope["root_path"]))
        return "acme"

    app = APIKeyMiddleware(fastapi("/api"), watched, project=look)
    scope = http_scope("/api/acme/files", bearer(issuance.uploader.secret))
    assert await reach(app, scope) == "/acme/files"
    assert seen == [("/acme/files", "")]
    assert scope["path"] == "/api/acme/files"
    app = APIKeyMiddleware(starlette(), watched, project=look)
    scope = http_scope("/v1/acme/files", bearer(issuance.uploader.secret), root_path="/v1")
    assert await reach(app, scope) == "/acme/files"
    assert seen[1:] == [("/acme/files", "")]
    await reach(app, http_scope("/v1", bearer(issuance.uploader.secret), root_path="/v1"))
    assert seen[2:] == [("/", "")]
