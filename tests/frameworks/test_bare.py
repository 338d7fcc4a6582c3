"""A bare ASGI function, and what the middleware passes through to it untouched."""

import asyncio

import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, ConfigurationError, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope
from tests.frameworks.contract import FreshContract, SocketContract, ran, report


async def respond(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@requires("FILE_UPLOAD")
async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    ran.append(scope["path"])
    await respond(send, b"uploaded")


@requires("FILE_UPLOAD", fresh=True)
async def fresh_upload(scope: Scope, receive: Receive, send: Send) -> None:
    ran.append(scope["path"])
    await respond(send, b"uploaded")


@requires("FILE_UPLOAD", on=lambda connection: f"dir:{connection.scope['path'].removeprefix('/within')}")
async def upload_within(scope: Scope, receive: Receive, send: Send) -> None:
    ran.append(scope["path"])
    await respond(send, b"uploaded")


class Uploads:
    @requires("FILE_UPLOAD")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - an ASGI app
        ran.append(scope["path"])
        await respond(send, b"uploaded")


@requires("FILE_UPLOAD")
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    ran.append(scope["path"])
    await receive()
    await send({"type": "websocket.accept"})
    assert (await receive())["text"] == "ping"
    await send({"type": "websocket.send", "text": "pong"})


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    await scope["gate"].wait()
    await send({"type": "http.response.body", "body": b"two", "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["path"]:
        case "/me":
            await respond(send, orjson.dumps(report(scope)))
        case "/stream":
            await stream(scope, receive, send)
        case "/upload":
            await upload(scope, receive, send)
        case "/fresh":
            await fresh_upload(scope, receive, send)
        case "/upload-by-keywords":
            await upload(scope=scope, receive=receive, send=send)
        case path if path.startswith("/within/"):
            await upload_within(scope, receive, send)
        case "/class":
            await Uploads()(scope, receive, send)
        case "/socket":
            await echo(scope, receive, send)


class TestContract(FreshContract, SocketContract):
    fresh = ("GET /fresh",)
    stale = "GET /upload"
    guarded = ("GET /upload", "GET /upload-by-keywords", "GET /class")
    sockets = ("/socket",)

    @staticmethod
    def app() -> ASGIApp:
        return app


async def test_a_guarded_function_can_be_the_whole_app(keys: APIKeys, issuance: Issuance) -> None:
    guarded = APIKeyMiddleware(upload, keys)
    assert (await ask(guarded, http_scope("/", bearer(issuance.uploader.secret)))).text == "uploaded"
    assert (await ask(guarded, http_scope("/", bearer(issuance.reader.secret)))).status_code == 403


async def test_messages_pass_through_as_the_very_same_objects(keys: APIKeys, issuance: Issuance) -> None:
    """Neither body nor response is copied or held back. What is not watched over gets the server's own functions."""
    seen: list[object] = []
    sent: list[object] = []
    messages: list[Message] = [
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body", "body": b"all"},
    ]

    async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([scope, receive, send])
        for message in messages:
            await send(message)

    async def receive() -> dict[str, object]:
        return {}

    async def send(message: object) -> None:
        sent.append(message)

    scope = http_scope("/", bearer(issuance.reader.secret))
    await APIKeyMiddleware(keeping, keys)(scope, receive, send)
    assert seen[0] is scope
    assert seen[1] is receive
    assert [given is got for given, got in zip(messages, sent, strict=True)] == [True] * 2
    seen.clear()
    scope = http_scope("/", bearer(issuance.reader.secret))
    await APIKeyMiddleware(keeping, keys, end_connections=False)(scope, receive, send)
    assert [given is got for given, got in zip([scope, receive, send], seen, strict=True)] == [True] * 3


async def test_a_request_body_reaches_the_app_chunk_by_chunk(keys: APIKeys, issuance: Issuance) -> None:
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            chunks.put_nowait(message["body"])
            more = message.get("more_body", False)
        await respond(send, b"read")

    scope = http_scope("/", bearer(issuance.reader.secret), method="POST")
    async with Connection(APIKeyMiddleware(reading, keys), scope) as connection, asyncio.timeout(120):
        for number in range(3):
            connection.give("http.request", body=b"%d" % number, more_body=True)
            assert await chunks.get() == b"%d" % number
        connection.give("http.request", body=b"end")
        assert (await connection.answer()).text == "read"


async def test_a_refusal_of_head_has_no_body(keys: APIKeys) -> None:
    response = await ask(APIKeyMiddleware(app, keys), http_scope("/me", method="HEAD"))
    assert (response.status_code, response.content) == (401, b"")
    assert int(response.headers["content-length"]) > 0


async def test_connections_of_an_unknown_type_are_not_let_in(keys: APIKeys, issuance: Issuance) -> None:
    scope = http_scope("/me", bearer(issuance.uploader.secret), type="webtransport")
    with pytest.raises(ConfigurationError, match="webtransport"):
        await ask(APIKeyMiddleware(app, keys), scope)
