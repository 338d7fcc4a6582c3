"""Starlette: functions, endpoint classes, its own `requires`, its middlewares, its TestClient."""

import asyncio
import functools
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from gatepost import APIKeyMiddleware, APIKeys, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, bearer, client_of, websocket_scope
from tests.frameworks.contract import FreshContract, SocketContract, assert_denied, ran, report


async def me(request: Request) -> Response:
    assert request.user is request.scope["user"]
    assert request.auth.scopes == request.scope["auth"].scopes
    return JSONResponse(report(request.scope))


async def stream(request: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "one"
        await request.scope["gate"].wait()
        yield "two"

    return StreamingResponse(chunks(), media_type="text/event-stream")


@requires("FILE_UPLOAD")
async def upload(request: Request) -> Response:
    ran.append(request.url.path)
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD", on="dir:/{path}")
async def upload_within(request: Request) -> Response:
    ran.append(request.url.path)
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD")
def upload_in_a_thread(anything_but_request: Request) -> Response:
    ran.append(anything_but_request.url.path)
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD", fresh=True)
async def fresh_upload(request: Request) -> Response:
    assert request.user is request["api_key"]
    ran.append(request.url.path)
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD", fresh=True)
def fresh_upload_in_a_thread(request: Request) -> Response:
    ran.append(request.url.path)
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD", any_of=["OBJECTS_LIST", "DIR_CREATE"])
async def upload_and_either(request: Request) -> Response:
    return await upload(request)


class Uploads(HTTPEndpoint):
    @requires("FILE_UPLOAD")
    async def get(self, request: Request) -> Response:
        ran.append(request.url.path)
        return PlainTextResponse("got")

    @requires("FILE_UPLOAD")
    def post(self, request: Request) -> Response:
        ran.append(request.url.path)
        return PlainTextResponse("posted")


class Uploader:
    """A handler that is an object, and one that is a bound method."""

    async def __call__(self, request: Request) -> Response:
        ran.append(request.url.path)
        return PlainTextResponse("uploaded")

    @requires("FILE_UPLOAD")
    async def method(self, request: Request) -> Response:
        return await self(request)


@starlette_requires("FILE_UPLOAD")
async def starlettes_own(request: Request) -> Response:
    return PlainTextResponse("uploaded")


@requires("FILE_UPLOAD")
async def echo(websocket: WebSocket) -> None:
    ran.append(websocket.url.path)
    await websocket.accept()
    assert await websocket.receive_text() == "ping"
    await websocket.send_text("pong")


class Echo(WebSocketEndpoint):
    encoding = "text"

    @requires("FILE_UPLOAD")
    async def on_connect(self, websocket: WebSocket) -> None:
        ran.append(websocket.url.path)
        await websocket.accept()

    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        assert data == "ping"
        await websocket.send_text("pong")


class GuardedMessages(WebSocketEndpoint):
    encoding = "text"

    @requires("FILE_UPLOAD")
    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        ran.append(data)
        await websocket.send_text("pong")


class FreshMessages(WebSocketEndpoint):
    encoding = "text"

    @requires("FILE_UPLOAD", fresh=True)
    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        assert data == "ping"
        await websocket.send_text("pong")


@requires("FILE_UPLOAD")
async def after_accept(websocket: WebSocket) -> None:
    ran.append("after accept")


async def accepts_first(websocket: WebSocket) -> None:
    await websocket.accept()
    await after_accept(websocket)


ROUTES = [
    Route("/me", me),
    Route("/stream", stream),
    Route("/upload", upload, methods=["POST"]),
    Route("/upload-in-a-thread", upload_in_a_thread, methods=["POST"]),
    Route("/upload-and-either", upload_and_either, methods=["POST"]),
    Route("/fresh", fresh_upload, methods=["POST"]),
    Route("/fresh-in-a-thread", fresh_upload_in_a_thread, methods=["POST"]),
    Route("/within/{path:path}", upload_within),
    Route("/class", Uploads),
    WebSocketRoute("/fresh-messages", FreshMessages),
    Route("/object", requires("FILE_UPLOAD")(Uploader())),
    Route("/method", Uploader().method),
    Route("/partial", functools.partial(upload)),
    Route("/starlettes-own", starlettes_own),
    Mount("/mounted", routes=[Route("/upload", upload)]),
    WebSocketRoute("/socket", echo),
    WebSocketRoute("/socket-class", Echo),
    WebSocketRoute("/socket-messages", GuardedMessages),
    WebSocketRoute("/socket-accepted", accepts_first),
]


class TestContract(FreshContract, SocketContract):
    fresh = ("POST /fresh", "POST /fresh-in-a-thread")
    stale = "POST /upload"
    guarded = (
        "POST /upload",
        "POST /upload-in-a-thread",
        "POST /upload-and-either",
        "GET /class",
        "POST /class",
        "GET /object",
        "GET /method",
        "GET /partial",
        "GET /mounted/upload",
    )
    sockets = ("/socket", "/socket-class")

    @staticmethod
    def app() -> ASGIApp:
        return Starlette(routes=ROUTES)


@pytest.fixture
def protected(keys: APIKeys) -> ASGIApp:
    return APIKeyMiddleware(Starlette(routes=ROUTES), keys)


async def test_starlettes_own_requires_sees_the_permissions(protected: ASGIApp, issuance: Issuance) -> None:
    async with client_of(protected) as client:
        allowed = await client.get("/starlettes-own", headers=bearer(issuance.uploader.secret))
        refused = await client.get("/starlettes-own", headers=bearer(issuance.reader.secret))
    assert (allowed.status_code, refused.status_code) == (200, 403)


async def test_it_can_be_added_as_starlettes_middleware(keys: APIKeys, issuance: Issuance) -> None:
    app = Starlette(routes=ROUTES, middleware=[Middleware(APIKeyMiddleware, keys=keys)])
    async with client_of(app) as client:
        assert (await client.post("/upload", headers=bearer(issuance.uploader.secret))).text == "uploaded"
        assert (await client.post("/upload")).status_code == 401


@pytest.mark.parametrize("path", ["/socket-messages", "/socket-accepted"])
async def test_a_socket_that_was_accepted_is_closed_as_forbidden(
    protected: ASGIApp, issuance: Issuance, path: str
) -> None:
    async with Connection(protected, websocket_scope(path, bearer(issuance.reader.secret))) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["type"] == "websocket.accept"
        connection.give("websocket.receive", text="ping")
        close = await connection.take()
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 3003, "permission_denied")
        connection.give("websocket.disconnect", code=3003)
        await connection.end()
    assert ran == []


class Stamped(BaseHTTPMiddleware):
    """Starlette's base class runs the app in another task."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = request.user.display_name
        return response


class GuardedDispatch(BaseHTTPMiddleware):
    @requires("FILE_UPLOAD")
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


async def test_a_base_http_middleware_may_stand_between(keys: APIKeys, issuance: Issuance) -> None:
    app = APIKeyMiddleware(Starlette(routes=ROUTES, middleware=[Middleware(Stamped)]), keys)
    async with client_of(app) as client:
        response = await client.post("/upload-in-a-thread", headers=bearer(issuance.uploader.secret))
        assert (response.text, response.headers["x-stamp"]) == ("uploaded", "uploader")
        ran.clear()
        response = await client.post("/upload-in-a-thread", headers=bearer(issuance.reader.secret))
        assert response.headers["x-stamp"] == "reader"
        assert_denied(response)


async def test_a_middlewares_dispatch_can_be_guarded(keys: APIKeys, issuance: Issuance) -> None:
    app = APIKeyMiddleware(Starlette(routes=ROUTES, middleware=[Middleware(GuardedDispatch)]), keys)
    async with client_of(app) as client:
        assert (await client.get("/me", headers=bearer(issuance.uploader.secret))).status_code == 200
        assert_denied(await client.get("/me", headers=bearer(issuance.reader.secret)))


PREFLIGHT = {
    "Origin": "https://shop.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization",
}


async def test_with_cors_outside_preflights_need_no_key_and_refusals_can_be_read(
    keys: APIKeys, issuance: Issuance
) -> None:
    guarded = APIKeyMiddleware(Starlette(routes=ROUTES), keys)
    app = CORSMiddleware(
        guarded, allow_origins=["https://shop.example"], allow_methods=["POST"], allow_headers=["authorization"]
    )
    async with client_of(app) as client:
        preflight = await client.options("/upload", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
        for headers, status in (
            ({}, 401),
            (bearer(issuance.reader.secret), 403),
            (bearer(issuance.uploader.secret), 200),
        ):
            response = await client.post("/upload", headers={"Origin": "https://shop.example", **headers})
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == "https://shop.example"


async def test_with_cors_inside_preflights_are_refused(keys: APIKeys) -> None:
    inner = CORSMiddleware(
        Starlette(routes=ROUTES), allow_origins=["*"], allow_methods=["POST"], allow_headers=["authorization"]
    )
    async with client_of(APIKeyMiddleware(inner, keys)) as client:
        preflight = await client.options("/upload", headers=PREFLIGHT)
    assert preflight.status_code == 401
    assert "access-control-allow-origin" not in preflight.headers


def test_starlettes_test_client_runs_it_all(database: str, issuance: Issuance) -> None:
    keys = APIKeys(database)
    with TestClient(APIKeyMiddleware(Starlette(routes=ROUTES), keys)) as client:
        assert keys.is_open
        assert client.post("/upload", headers=bearer(issuance.uploader.secret)).text == "uploaded"
        assert client.post("/upload").json()["code"] == "key_missing"
        with client.websocket_connect("/socket", headers=bearer(issuance.uploader.secret)) as socket:
            socket.send_text("ping")
            assert socket.receive_text() == "pong"
        with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect("/socket"):
            pass
        assert denial.value.status_code == 401
        with client.websocket_connect("/socket-messages", headers=bearer(issuance.reader.secret)) as socket:
            socket.send_text("ping")
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
        assert closed.value.code == 3003
    assert not keys.is_open


async def test_concurrent_requests_each_see_their_own_caller(protected: ASGIApp, issuance: Issuance) -> None:
    async with client_of(protected) as client:
        secrets = [issuance.uploader.secret, issuance.reader.secret, issuance.anywhere.secret] * 20
        responses = await asyncio.gather(*(client.get("/me", headers=bearer(secret)) for secret in secrets))
    assert [r.json()["user"] for r in responses] == ["uploader", "reader", "anywhere"] * 20
