"""`end_uploads=True`: no further body is handed to a request whose key has died while it was still being sent."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys
from tests.connections.conftest import MakeWorker
from tests.frameworks.connection import Connection, bearer, http_scope

written: list[bytes] = []


async def write(request: Request) -> PlainTextResponse:
    """Reads all of the body, then writes it."""
    body = await request.body()
    written.append(body)
    return PlainTextResponse(f"{len(body)} bytes")


@pytest.fixture(autouse=True)
def _nothing_written() -> None:
    written.clear()


def upload_of(secret: str) -> dict[str, Any]:
    return http_scope("/", bearer(secret), method="POST")


def app_of(keys: APIKeys, **options: Any) -> APIKeyMiddleware:
    return APIKeyMiddleware(Starlette(routes=[Route("/", write, methods=["POST"])]), keys, end_uploads=True, **options)


@pytest.mark.parametrize("end_connections", [True, False])
@pytest.mark.parametrize("waits", [True, False])
async def test_a_request_whose_body_is_held_back_gets_no_more_of_it_once_its_key_is_dead(
    worker: MakeWorker, waits: bool, end_connections: bool
) -> None:
    keys = await worker()
    issued = await keys.create("a key")
    async with Connection(app_of(keys, end_connections=end_connections), upload_of(issued.secret)) as connection:
        connection.give("http.request", body=b"begin", more_body=True)
        if waits:
            await connection.waits()
        await keys.deactivate(issued.key.id)
        connection.give("http.request", body=b"end")  # in the same turn: nobody has looked after it yet
        answer = await connection.answer()
    assert (answer.status_code, answer.json()["code"]) == (401, "key_deactivated")
    assert written == []


async def test_a_body_that_had_come_is_written_though_the_key_dies_meanwhile(worker: MakeWorker) -> None:
    keys = await worker()
    issued = await keys.create("a key")
    has_all, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> PlainTextResponse:
        await request.body()
        has_all.set()
        await go_on.wait()
        return await write(request)

    app = APIKeyMiddleware(Starlette(routes=[Route("/", slow, methods=["POST"])]), keys, end_uploads=True)
    async with Connection(app, upload_of(issued.secret)) as connection:
        connection.give("http.request", body=b"all of it")
        await has_all.wait()
        await keys.deactivate(issued.key.id)
        go_on.set()
        assert (await connection.answer()).status_code == 200
    assert written == [b"all of it"]


async def test_an_answer_that_has_begun_is_not_refused_anew(worker: MakeWorker) -> None:
    keys = await worker()
    issued = await keys.create("a key")
    failed: list[BaseException] = []

    async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["body"] == b"begin"
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        try:
            await send({"type": "http.response.body", "body": b"late"})
        except OSError as error:
            failed.append(error)
            raise

    app = APIKeyMiddleware(echo, keys, end_uploads=True)
    async with Connection(app, upload_of(issued.secret)) as connection:
        connection.give("http.request", body=b"begin", more_body=True)
        assert (await connection.take())["type"] == "http.response.start"
        await connection.waits()
        await keys.deactivate(issued.key.id)
        with pytest.raises(OSError, match="key_deactivated"):
            await connection.end()
    assert len(failed) == 1


async def test_a_cancelled_request_stays_cancelled(worker: MakeWorker) -> None:
    keys = await worker()
    issued = await keys.create("a key")
    async with Connection(app_of(keys), upload_of(issued.secret)) as connection:
        connection.give("http.request", body=b"begin", more_body=True)
        await connection.waits()
        connection._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connection.end()
    assert len(keys._opened().guard._connections) == 0


async def test_without_the_option_or_without_a_key_a_body_comes_to_its_end(worker: MakeWorker) -> None:
    keys = await worker()
    issued = await keys.create("a key")
    inner = Starlette(routes=[Route("/", write, methods=["POST"])])
    for app, headers in (
        (APIKeyMiddleware(inner, keys), bearer(issued.secret)),
        (APIKeyMiddleware(inner, keys, optional=True, end_uploads=True), {}),
    ):
        async with Connection(app, http_scope("/", headers, method="POST")) as connection:
            connection.give("http.request", body=b"begin", more_body=True)
            await connection.waits()
            await keys.deactivate(issued.key.id)
            connection.give("http.request", body=b", end")
            assert (await connection.answer()).text == "10 bytes"
    assert written == [b"begin, end"] * 2
