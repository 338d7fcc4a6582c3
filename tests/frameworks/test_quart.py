"""Quart: handlers without arguments, method views, WebSockets."""

from collections.abc import AsyncIterator
from typing import Any

import quart
from quart import Quart, websocket
from quart.views import MethodView
from starlette.types import ASGIApp

from gatepost import APIKeyMiddleware, APIKeys, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, bearer, client_of, websocket_scope
from tests.frameworks.contract import FreshContract, SocketContract, ran, report


class Uploads(MethodView):
    @requires("FILE_UPLOAD")
    async def get(self) -> str:
        ran.append("/class")
        return "got"

    @requires("FILE_UPLOAD")
    def post(self) -> str:
        ran.append("/class")
        return "posted"


def make_app() -> Quart:  # noqa: C901 - a list of routes
    app = Quart(__name__)

    @app.get("/me")
    async def me() -> dict[str, Any]:
        return report(quart.request.scope)

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        gate = quart.request.scope["gate"]  # type: ignore[typeddict-item]  # the test's own entry

        async def chunks() -> AsyncIterator[str]:
            yield "one"
            await gate.wait()
            yield "two"

        return chunks()

    @app.post("/upload")
    @requires("FILE_UPLOAD")
    async def upload() -> str:
        ran.append("/upload")
        return "uploaded"

    @app.get("/within/<path:path>")
    @requires("FILE_UPLOAD", on="dir:/{path}")
    async def upload_within(path: str) -> str:
        ran.append(path)
        return "uploaded"

    @app.post("/upload-in-a-thread")
    @requires("FILE_UPLOAD")
    def upload_in_a_thread() -> str:
        ran.append("/upload-in-a-thread")
        return "uploaded"

    @app.post("/fresh")
    @requires("FILE_UPLOAD", fresh=True)
    async def fresh_upload() -> str:
        ran.append("/fresh")
        return "uploaded"

    @app.post("/fresh-in-a-thread")
    @requires("FILE_UPLOAD", fresh=True)
    def fresh_upload_in_a_thread() -> str:
        ran.append("/fresh-in-a-thread")
        return "uploaded"

    @app.post("/upload/<folder>")
    @requires("FILE_UPLOAD")
    async def upload_into(folder: str) -> str:
        ran.append(f"/upload/{folder}")
        return folder

    @app.websocket("/socket")
    @requires("FILE_UPLOAD")
    async def socket() -> None:
        ran.append("/socket")
        assert await websocket.receive() == "ping"
        await websocket.send("pong")

    @app.websocket("/socket-accepted")
    async def accepts_first() -> Any:
        await websocket.accept()
        return await after_accept()

    app.add_url_rule("/class", view_func=Uploads.as_view("class"))
    return app


@requires("FILE_UPLOAD")
async def after_accept() -> None:
    ran.append("after accept")


class TestContract(FreshContract, SocketContract):
    fresh = ("POST /fresh", "POST /fresh-in-a-thread")
    stale = "POST /upload"
    guarded = ("POST /upload", "POST /upload-in-a-thread", "POST /upload/cats", "GET /class", "POST /class")
    sockets = ("/socket",)

    @staticmethod
    def app() -> ASGIApp:
        return make_app()  # type: ignore[return-value]  # Quart's scope is a TypedDict


async def test_a_socket_that_was_accepted_is_closed_before_the_guarded_part(keys: APIKeys, issuance: Issuance) -> None:
    app = APIKeyMiddleware(TestContract.app(), keys)
    async with Connection(app, websocket_scope("/socket-accepted", bearer(issuance.reader.secret))) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["type"] == "websocket.accept"
        assert (await connection.take())["type"] == "websocket.close"
    assert ran == []


async def test_it_can_wrap_quarts_asgi_app_in_place(keys: APIKeys, issuance: Issuance) -> None:
    app = make_app()
    app.asgi_app = APIKeyMiddleware(app.asgi_app, keys)  # type: ignore[method-assign,assignment,arg-type]  # Quart's docs
    as_asgi: Any = app
    async with client_of(as_asgi) as client:
        assert (await client.post("/upload", headers=bearer(issuance.uploader.secret))).text == "uploaded"
        assert (await client.post("/upload")).json()["code"] == "key_missing"
