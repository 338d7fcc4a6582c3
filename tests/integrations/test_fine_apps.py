"""Apps that are as they should be, however odd: they start, and are found to be fine."""

import logging
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import socketio  # type: ignore[import-untyped]
from fastapi import FastAPI
from litestar import Litestar
from litestar import get as litestar_get
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Catalogue, Header, Rate, requires
from gatepost.coverage import coverage_of
from gatepost.integrations.fastapi import Guard as FastAPIGuard
from gatepost.integrations.litestar import Guard
from tests.integrations.test_fastapi import start

Letters = Catalogue.of("LettersOfFineApps", {"LETTERS_READ": "read letters"})
OTHER = [Header("X-Other")]
ORIGIN = "http://app"


async def answer(request: Request) -> Response:
    return Response("done")


@requires("LETTERS_READ")
async def letters(request: Request) -> Response:
    return Response("letters")


class Panel:
    """As panels of others' are: it knows the app that it is mounted in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response("panel")(scope, receive, send)


def events(app: ASGIApp) -> Any:
    return socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), other_asgi_app=app)


def closing_over(app: ASGIApp) -> Any:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(type(app).__name__)(scope, receive, send)

    return serve


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", ["/panel", "/"])
@pytest.mark.parametrize("made", [Panel, events, closing_over])
async def test_what_is_mounted_may_know_the_app_around_it(
    database: str, made: Callable[[ASGIApp], Any], path: str
) -> None:
    keys = APIKeys(database)
    app = FastAPI()
    FastAPIGuard(app, keys)
    app.add_api_route("/files", answer_files)
    app.mount(path, made(app))
    plain = Starlette(routes=[Route("/files", answer)])
    plain.mount(path, made(plain))
    for each in (app, APIKeyMiddleware(plain, APIKeys(database))):
        assert start(each) == ""
        assert any(route.path == "/files" for route, _ in coverage_of(each).routes)
    async with keys, httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:
        secret = (await keys.create("a key")).secret
        assert (await http.get("/files", headers={"X-API-Key": secret})).status_code == 200
        assert (await http.get("/files")).status_code == 401


async def answer_files() -> str:
    return "done"


def mounted_with_keys_of_its_own(database: str) -> Any:
    ops = APIKeyMiddleware(Starlette(routes=[Route("/", answer)]), APIKeys(f"{database}.ops"))
    return APIKeyMiddleware(
        Starlette(routes=[Mount("/metrics", ops)]), APIKeys(database), exempt=["/metrics", "/metrics/"]
    )


def two_for_one_database(database: str) -> Any:
    inner = APIKeyMiddleware(Starlette(routes=[Route("/", answer)]), APIKeys(database))
    return APIKeyMiddleware(Starlette(routes=[Mount("/in", inner)]), APIKeys(database), strip=False)


def route_with_keys_of_its_own(database: str) -> Any:
    own = Middleware(APIKeyMiddleware, keys=APIKeys(f"{database}.own", catalogue=Letters), sources=OTHER)
    return APIKeyMiddleware(Starlette(routes=[Route("/x", letters, middleware=[own])]), APIKeys(database))


def router_with_keys_of_its_own(database: str) -> Any:
    own = Middleware(APIKeyMiddleware, keys=APIKeys(f"{database}.own", catalogue=Letters), sources=OTHER)
    router = Router(routes=[Route("/x", letters)], middleware=[own])
    return APIKeyMiddleware(Starlette(routes=[Mount("/in", router)]), APIKeys(database))


def litestar_with_keys_of_its_own(database: str) -> Any:
    own: Any = DefineMiddleware(
        APIKeyMiddleware,  # type: ignore[arg-type]
        keys=APIKeys(f"{database}.own", catalogue=Letters),
        sources=OTHER,
    )

    @litestar_get("/x", middleware=[own])
    @requires("LETTERS_READ")
    async def read() -> str:
        return "letters"

    return Litestar([read], plugins=[Guard(APIKeys(database))])


def litestar_in_its_list_with_a_source_of_its_own(database: str) -> Any:
    own: Any = DefineMiddleware(APIKeyMiddleware, keys=APIKeys(f"{database}.own"), sources=OTHER)  # type: ignore[arg-type]

    @litestar_get("/x")
    @requires("FILE_MOVE")
    async def read() -> str:
        return "files"

    return APIKeyMiddleware(Litestar([read], middleware=[own]), APIKeys(database))  # type: ignore[arg-type]


def once_open_and_once_guarded(database: str) -> Any:
    async def files() -> str:
        return "done"

    app = FastAPI()
    FastAPIGuard(app, APIKeys(database))
    app.get("/open")(files)
    app.get("/guarded")(requires("FILE_MOVE")(files))
    return app


def once_open_and_once_guarded_in_litestar(database: str) -> Any:
    async def files() -> str:
        return "done"

    handlers = [litestar_get("/open")(files), litestar_get("/guarded")(requires("FILE_MOVE")(files))]
    return Litestar(handlers, plugins=[Guard(APIKeys(database))])


@pytest.mark.parametrize(
    "make",
    [
        mounted_with_keys_of_its_own,
        two_for_one_database,
        route_with_keys_of_its_own,
        router_with_keys_of_its_own,
        litestar_with_keys_of_its_own,
        litestar_in_its_list_with_a_source_of_its_own,
        once_open_and_once_guarded,
        once_open_and_once_guarded_in_litestar,
    ],
)
def test_an_app_that_works_starts(database: str, make: Callable[[str], Any]) -> None:
    assert start(make(database)) == ""


reports: Any = None


def test_an_app_that_a_function_only_names_is_told_of_in_the_log(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    global reports  # noqa: PLW0603 - as it stands in users' modules
    reports = APIKeyMiddleware(Starlette(routes=[Route("/r", answer)]), APIKeys(f"{database}.reports"))

    async def tagged(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"reports": reports.standing.place}
        await Response("done")(scope, receive, send)

    with caplog.at_level(logging.WARNING, "gatepost.middleware"):
        assert start(APIKeyMiddleware(tagged, APIKeys(database))) == ""
    assert "a function that names it: Two APIKeyMiddleware" in caplog.text


def by_fastapis_guard(keys: APIKeys, options: Any) -> Any:
    app = FastAPI()
    FastAPIGuard(app, keys, **options)
    app.add_api_route("/files", answer_files)
    return app


def by_a_list(keys: APIKeys, options: Any) -> Any:
    inner = Starlette(routes=[Route("/files", answer)], middleware=[Middleware(APIKeyMiddleware, keys=keys, **options)])
    return APIKeyMiddleware(Starlette(routes=[Mount("/", inner)]), APIKeys("sqlite://"), optional=True, sources=OTHER)


@pytest.mark.parametrize("make", [by_fastapis_guard, by_a_list])
async def test_options_that_can_be_read_once_hold_as_lists_do(database: str, make: Any) -> None:
    keys = APIKeys(database)
    app = make(keys, {"limits": {"key": iter([Rate(1, per=60)])}, "exempt": iter(["/open"])})
    async with keys, httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:
        headers = {"X-API-Key": (await keys.create("a key")).secret}
        assert [(await http.get("/files", headers=headers)).status_code for _ in range(3)] == [200, 429, 429]


async def test_litestars_guard_reads_its_options_once(database: str) -> None:
    @litestar_get("/files")
    async def files() -> str:
        return "done"

    keys = APIKeys(database)
    app = Litestar([files], plugins=[Guard(keys, limits={"key": iter([Rate(1, per=60)])})])
    async with keys, httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as http:  # type: ignore[arg-type]
        headers = {"X-API-Key": (await keys.create("a key")).secret}
        assert [(await http.get("/files", headers=headers)).status_code for _ in range(2)] == [200, 429]
