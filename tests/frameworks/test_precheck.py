"""`PermissionsFirst`: 403 before FastAPI reads a body, tells a schema, or runs a dependency; for routers too."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, File, UploadFile
from pydantic import BaseModel
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, ConfigurationError, PermissionsFirst, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope
from tests.frameworks.contract import assert_denied, ran


class Asset(BaseModel):
    name: str


def note() -> None:
    """A dependency with a side effect."""
    ran.append("dependency")


def traced(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    async def outer(*args: Any, **kwargs: Any) -> Any:
        return await handler(*args, **kwargs)

    return outer


Noted = Annotated[None, Depends(note)]
NEEDED = [Depends(requires("FILE_UPLOAD"))]


def fill(router: APIRouter | FastAPI) -> None:
    @router.post("/decorated")
    @requires("FILE_UPLOAD")
    async def decorated(asset: Asset, _: Noted) -> str:
        return "done"

    @router.post("/twice")
    @traced
    @requires("OBJECTS_LIST")
    @requires("FILE_UPLOAD")
    async def twice(asset: Asset, _: Noted) -> str:
        return "done"

    @router.post("/sync")
    @requires("FILE_UPLOAD")
    def in_a_thread(asset: Asset, _: Noted) -> str:
        return "done"

    @router.post("/upload")
    @requires("FILE_UPLOAD")
    async def upload(file: Annotated[UploadFile, File()], _: Noted) -> str:
        return "done"

    @router.post("/depends", dependencies=[Depends(note), *NEEDED])
    async def depends(asset: Asset) -> str:
        return "done"

    @router.post("/open")
    async def anybody(asset: Asset, _: Noted) -> str:
        return "done"


class Classy(HTTPEndpoint):
    @requires("FILE_UPLOAD")
    async def post(self, request: Request) -> Response:
        return PlainTextResponse(request.url.path)


def make(keys: APIKeys, *, first: bool = True, dependencies: bool = False) -> FastAPI:
    """The routes on the app, on a router in a router, and on an app that is mounted."""
    app, router, deeper, mounted = FastAPI(), APIRouter(), APIRouter(), FastAPI()
    for each in (app, deeper, mounted):
        fill(each)
    router.include_router(deeper, prefix="/deeper")
    app.include_router(router, prefix="/router")
    if dependencies:
        by_router = APIRouter()
        fill(by_router)
        app.include_router(by_router, prefix="/by-router", dependencies=NEEDED)
    app.mount("/mounted", mounted)
    app.router.routes.append(Route("/classy", Classy))
    if first:
        app.add_middleware(PermissionsFirst)
    app.add_middleware(APIKeyMiddleware, keys=keys)
    return app


def post(path: str, secret: str) -> dict[str, Any]:
    return http_scope(path, {**bearer(secret), "content-type": "application/json"}, method="POST")


GUARDED = ["decorated", "twice", "sync", "upload", "depends"]
PLACES = ["", "/router/deeper", "/mounted"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", GUARDED)
async def test_a_caller_without_the_permission_is_refused_before_anything_else(
    keys: APIKeys, issuance: Issuance, place: str, name: str
) -> None:
    app = make(keys)
    for _ in range(2):
        async with Connection(app, post(f"{place}/{name}", issuance.reader.secret)) as connection:
            assert_denied(await connection.answer())  # not a byte of the body has been given
    allowed = await ask(app, post(f"{place}/{name}", issuance.uploader.secret), b'{"name": 1}')
    assert allowed.status_code == 422
    if name != "upload":
        allowed = await ask(app, post(f"{place}/{name}", issuance.uploader.secret), b'{"name": "a"}')
        assert (allowed.status_code, allowed.json()) == (200, "done")


async def test_without_it_fastapi_runs_what_it_runs_first(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys, first=False)
    assert (await ask(app, post("/decorated", issuance.reader.secret), b"{}")).status_code == 422
    assert ran == ["dependency"], "is the test above about anything?"


async def test_what_a_router_is_included_with_counts_there_and_not_elsewhere(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys, dependencies=True)
    async with Connection(app, post("/by-router/open", issuance.reader.secret)) as connection:
        assert_denied(await connection.answer())
    assert (await ask(app, post("/by-router/open", issuance.uploader.secret), b'{"name": "a"}')).json() == "done"
    assert (await ask(app, post("/open", issuance.reader.secret), b'{"name": "a"}')).json() == "done"
    assert (await ask(app, post("/router/deeper/open", issuance.reader.secret), b"{}")).status_code == 422


async def test_a_router_may_be_included_at_two_places_that_ask_for_different_things(
    keys: APIKeys, issuance: Issuance
) -> None:
    app, router = FastAPI(), APIRouter()
    fill(router)
    app.include_router(router, prefix="/free")
    app.include_router(router, prefix="/guarded", dependencies=NEEDED)
    app.add_middleware(PermissionsFirst)
    app.add_middleware(APIKeyMiddleware, keys=keys)
    for _ in range(2):
        assert (await ask(app, post("/free/open", issuance.reader.secret), b'{"name": "a"}')).json() == "done"
        ran.clear()
        async with Connection(app, post("/guarded/open", issuance.reader.secret)) as connection:
            assert_denied(await connection.answer())


async def test_methods_of_classes_and_wrong_methods(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys)
    assert_denied(await ask(app, post("/classy", issuance.reader.secret)))
    assert (await ask(app, post("/classy", issuance.uploader.secret))).text == "/classy"
    assert (await ask(app, http_scope("/decorated", bearer(issuance.reader.secret)))).status_code == 405
    assert (await ask(app, http_scope("/nothing", bearer(issuance.reader.secret)))).status_code == 404


async def test_a_dependency_that_the_app_overrides_is_not_asked(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys)
    app.dependency_overrides[NEEDED[0].dependency] = lambda: None
    assert (await ask(app, post("/depends", issuance.reader.secret), b'{"name": "a"}')).json() == "done"


async def test_it_belongs_into_the_app_and_says_so(keys: APIKeys, issuance: Issuance) -> None:
    around = APIKeyMiddleware(PermissionsFirst(make(keys, first=False)), keys)
    with pytest.raises(ConfigurationError, match="add_middleware"):
        await ask(around, post("/decorated", issuance.uploader.secret))
