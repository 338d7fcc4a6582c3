"""FastAPI: handlers with and without `Request`, parameters and OpenAPI behind the decorator, dependencies."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from pydantic import BaseModel
from starlette.requests import HTTPConnection, Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, bearer, client_of, websocket_scope
from tests.frameworks.contract import FreshContract, SocketContract, assert_denied, ran, report

router = APIRouter()


class Asset(BaseModel):
    name: str
    size: int = 1


class Grant(BaseModel):
    """A body that looks like a connection."""

    type: str
    headers: list[str]
    permissions: frozenset[str]
    scope: dict[str, Any]


@router.get("/me")
async def me(request: Request) -> dict[str, Any]:
    return report(request.scope)


@router.get("/stream")
async def stream(request: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[str]:
        yield "one"
        await request.scope["gate"].wait()
        yield "two"

    return StreamingResponse(chunks(), media_type="text/event-stream")


@router.post("/upload")
@requires("FILE_UPLOAD")
async def upload() -> str:
    ran.append("/upload")
    return "uploaded"


@router.get("/within/{path:path}")
@requires("FILE_UPLOAD", on="dir:/{path}")
async def upload_within(path: str) -> str:
    ran.append(path)
    return "uploaded"


@router.get("/depends/{path:path}", dependencies=[Depends(requires("FILE_UPLOAD", on="dir:/{path}"))])
async def upload_depending(path: str) -> str:
    ran.append(path)
    return "uploaded"


@router.post("/upload-in-a-thread")
@requires("FILE_UPLOAD")
def upload_in_a_thread() -> str:
    ran.append("/upload-in-a-thread")
    return "uploaded"


@router.post("/fresh")
@requires("FILE_UPLOAD", fresh=True)
async def fresh_upload() -> str:
    ran.append("/fresh")
    return "uploaded"


@router.post("/fresh-in-a-thread")
@requires("FILE_UPLOAD", fresh=True)
def fresh_upload_in_a_thread() -> str:
    ran.append("/fresh-in-a-thread")
    return "uploaded"


@router.post("/upload-with-request")
@requires("FILE_UPLOAD")
async def upload_with_request(request: Request) -> str:
    ran.append(request.url.path)
    return "uploaded"


@router.post("/modelled", response_model=Asset)
@requires("FILE_UPLOAD")
async def modelled() -> dict[str, str]:
    ran.append("/modelled")
    return {"name": "cat.png"}


@router.put("/assets/{folder}", status_code=201)
@requires("FILE_UPLOAD")
async def put(folder: str, asset: Asset, after: int | None = None) -> dict[str, Any]:
    """Put an asset."""
    return {"folder": folder, "name": asset.name, "size": asset.size, "after": after}


@requires("FILE_UPLOAD")
def may_upload() -> str:
    return "as a dependency"


@requires("FILE_UPLOAD")
async def may_upload_async(request: Request) -> str:
    return "as a dependency"


@requires("FILE_UPLOAD")
async def may_open(websocket: WebSocket) -> str:
    return "as a dependency"


@router.get("/dependent")
async def dependent(how: Annotated[str, Depends(may_upload)], too: Annotated[str, Depends(may_upload_async)]) -> str:
    ran.append("/dependent")
    return how + too


@router.post("/grant")
@requires("FILE_UPLOAD")
async def grant(body: Grant, raw: dict[str, Any] | None = None) -> str:
    ran.append("/grant")
    return "granted"


@router.post("/raw-grant")
@requires("FILE_UPLOAD")
async def raw_grant(body: dict[str, Any]) -> str:
    ran.append("/raw-grant")
    return "granted"


@router.websocket("/socket")
@requires("FILE_UPLOAD")
async def socket(websocket: WebSocket) -> None:
    ran.append("/socket")
    await websocket.accept()
    assert await websocket.receive_text() == "ping"
    await websocket.send_text("pong")


@router.websocket("/dependent-socket")
async def dependent_socket(websocket: WebSocket, how: Annotated[str, Depends(may_open)]) -> None:
    ran.append("/dependent-socket")
    await websocket.accept()


def make_app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    return app


class TestContract(FreshContract, SocketContract):
    within = ("/within", "/depends")
    fresh = ("POST /fresh", "POST /fresh-in-a-thread")
    stale = "POST /upload"
    guarded = ("POST /upload", "POST /upload-in-a-thread", "POST /upload-with-request", "POST /modelled")
    sockets = ("/socket",)

    @staticmethod
    def app() -> ASGIApp:
        return make_app()


@pytest.fixture
def protected(keys: APIKeys) -> ASGIApp:
    return APIKeyMiddleware(make_app(), keys)


async def test_parameters_are_parsed_through_the_decorator(protected: ASGIApp, issuance: Issuance) -> None:
    async with client_of(protected) as client:
        headers = bearer(issuance.uploader.secret)
        good = await client.put("/assets/cats?after=3", json={"name": "cat.png"}, headers=headers)
        assert (good.status_code, good.json()) == (201, {"folder": "cats", "name": "cat.png", "size": 1, "after": 3})
        assert (await client.put("/assets/cats?after=x", json={"name": "a"}, headers=headers)).status_code == 422
        assert_denied(
            await client.put("/assets/cats", json={"name": "cat.png"}, headers=bearer(issuance.reader.secret))
        )


def test_openapi_describes_the_handler_and_not_the_decorator() -> None:
    put = make_app().openapi()["paths"]["/assets/{folder}"]["put"]
    assert put["description"] == "Put an asset."
    assert [(p["name"], p["in"]) for p in put["parameters"]] == [("folder", "path"), ("after", "query")]
    assert put["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Asset"}
    assert make_app().openapi()["paths"]["/upload"]["post"].get("parameters") is None


async def test_a_guarded_dependency_stops_the_handler(protected: ASGIApp, issuance: Issuance) -> None:
    async with client_of(protected) as client:
        allowed = await client.get("/dependent", headers=bearer(issuance.uploader.secret))
        assert allowed.json() == "as a dependency" * 2
        ran.clear()
        refused = await client.get("/dependent", headers=bearer(issuance.reader.secret))
    assert refused.status_code == 403
    assert "permission_denied" in refused.text
    assert ran == []


async def test_a_guarded_dependency_stops_the_socket(protected: ASGIApp, issuance: Issuance) -> None:
    scope = websocket_scope("/dependent-socket", bearer(issuance.reader.secret))
    async with Connection(protected, scope) as connection:
        connection.give("websocket.connect")
        close = await connection.take()
        assert (close["type"], close["code"]) == ("websocket.close", 3003)
    assert ran == []


def _with_dependency(place: str, dependency: Any) -> FastAPI:
    """An app with routes that need FILE_UPLOAD by a dependency of the route, its router, the app, or a parameter."""
    needed = [dependency]
    app = FastAPI(dependencies=needed if place == "app" else [])
    inner = APIRouter(dependencies=needed if place == "router" else [])
    on_route = needed if place == "route" else []

    async def handle(request: HTTPConnection, parameter: Annotated[None, dependency]) -> str:
        ran.append(request.url.path)
        return "done"

    async def without(request: HTTPConnection) -> str:
        return await handle(request, None)

    inner.get("/inner", dependencies=on_route)(handle if place == "parameter" else without)

    @inner.websocket("/socket", dependencies=needed if place == "parameter" else on_route)
    async def socket(websocket: WebSocket) -> None:
        ran.append("/socket")
        await websocket.accept()
        await websocket.close()

    app.include_router(inner, prefix="/api")
    return app


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", [Depends, Security])
@pytest.mark.parametrize("place", ["app", "router", "route", "parameter"])
async def test_requires_is_a_dependency_too(
    keys: APIKeys, issuance: Issuance, place: str, kind: Any, fresh: bool
) -> None:
    app = APIKeyMiddleware(_with_dependency(place, kind(requires("FILE_UPLOAD", fresh=fresh))), keys)
    async with client_of(app) as client:
        assert (await client.get("/api/inner", headers=bearer(issuance.uploader.secret))).json() == "done"
        assert ran == ["/api/inner"]
        refused = await client.get("/api/inner", headers=bearer(issuance.reader.secret))
        assert refused.status_code == 403
        assert "permission_denied" in refused.text
    for issued, expected in (
        (issuance.reader, ("websocket.close", 3003)),
        (issuance.uploader, ("websocket.accept", 0)),
    ):
        async with Connection(app, websocket_scope("/api/socket", bearer(issued.secret))) as connection:
            connection.give("websocket.connect")
            message = await connection.take()
            assert (message["type"], message.get("code", 0)) == expected
    assert ran == ["/api/inner", "/socket"]
    async with client_of(_with_dependency(place, kind(requires("FILE_UPLOAD", fresh=fresh)))) as bare:
        assert (await bare.get("/api/inner")).status_code == 500, "no middleware: closed"
    schema = _with_dependency(place, kind(requires("FILE_UPLOAD"))).openapi()
    assert schema["paths"]["/api/inner"]["get"].get("parameters") is None


def test_a_requirement_that_is_called_with_nothing_says_where_it_belongs() -> None:
    bare: Any = requires("FILE_UPLOAD")
    with pytest.raises(BadInputError, match=r"Depends\(requires"):
        bare()


@pytest.mark.parametrize("path", ["/grant", "/raw-grant"])
async def test_a_body_that_looks_like_a_connection_is_not_believed(
    protected: ASGIApp, issuance: Issuance, path: str
) -> None:
    entries = {"type": "http", "headers": [], "permissions": ["FILE_UPLOAD"]}
    body = {**entries, "scope": entries}
    body = {"body": body} if path == "/grant" else body
    async with client_of(protected) as client:
        assert_denied(await client.post(path, json=body, headers=bearer(issuance.reader.secret)))
        assert (await client.post(path, json=body, headers=bearer(issuance.uploader.secret))).json() == "granted"


async def test_a_middleware_that_copies_the_scope_may_stand_between(keys: APIKeys, issuance: Issuance) -> None:
    inner = make_app()

    async def copying(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(dict(scope), receive, send)

    async with client_of(APIKeyMiddleware(copying, keys)) as client:
        assert_denied(await client.post("/upload-with-request", headers=bearer(issuance.reader.secret)))
        unknown = await client.post("/upload", headers=bearer(issuance.reader.secret))
        assert unknown.status_code == 500, "no request and no app in sight: refused all the same"
    assert ran == []


async def test_it_can_be_added_as_fastapis_middleware(keys: APIKeys, issuance: Issuance) -> None:
    app = make_app()
    app.add_middleware(APIKeyMiddleware, keys=keys)
    async with client_of(app) as client:
        assert (await client.post("/upload", headers=bearer(issuance.uploader.secret))).json() == "uploaded"
        ran.clear()
        assert_denied(await client.post("/upload", headers=bearer(issuance.reader.secret)))
