"""Datasette: its own pages, and a plugin's routes with `requires`. Datasette has no types.

It leaves databases in memory open, from its import on, which CPython 3.13 complains of where they are collected: here,
unheard.
"""

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import Contract, ran, report


@contextmanager
def databases_left_open() -> Iterator[None]:
    """What is done here leaves databases open that are gone when it ends."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed database", ResourceWarning)
        yield
        gc.collect()


with databases_left_open():
    from datasette import Response, hookimpl  # type: ignore[import-untyped]
    from datasette.app import Datasette  # type: ignore[import-untyped]
    from datasette.plugins import pm  # type: ignore[import-untyped]
    from datasette.utils.asgi import AsgiStream, Request  # type: ignore[import-untyped]

pytestmark = pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")

made: list[Any] = []


async def me(request: Request) -> Response:
    return Response.json(report(request.scope))


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    async def chunks(writer: Any) -> None:
        await writer.write("one")
        await scope["gate"].wait()
        await writer.write("two")

    await AsgiStream(chunks).asgi_send(send)


@requires("FILE_UPLOAD", on="dir:/{path}")
async def upload_within(request: Request) -> Response:
    ran.append(request.path)
    return Response.text("uploaded")


@requires("FILE_UPLOAD")
async def upload(request: Request) -> Response:
    ran.append(request.path)
    return Response.text("uploaded")


@requires("FILE_UPLOAD")
def upload_sync(datasette: Datasette, request: Request) -> Response:
    ran.append(request.path)
    return Response.text("uploaded")


@requires("FILE_UPLOAD")
async def upload_bare(scope: Scope, receive: Receive, send: Send) -> None:
    ran.append("/-/upload-bare")
    await Response.text("uploaded").asgi_send(send)


@hookimpl  # type: ignore[untyped-decorator]
def register_routes() -> list[tuple[str, Any]]:
    return [
        ("^/me$", me),
        ("^/stream$", stream),
        ("^/-/upload$", upload),
        ("^/-/within/(?P<path>.*)$", upload_within),
        ("^/-/upload-sync$", upload_sync),
        ("^/-/upload-bare$", upload_bare),
    ]


@pytest.fixture(autouse=True, scope="module")
def plugin() -> Iterator[None]:
    """This module is a plugin while its tests run."""
    pm.register(sys.modules[__name__], name="gatepost-tests")
    yield
    pm.unregister(name="gatepost-tests")
    with databases_left_open():
        while made:
            made.pop().executor.shutdown()  # each of its threads has one


class TestContract(Contract):
    within = ("/-/within",)
    guarded = ("GET /-/upload", "GET /-/upload-sync", "GET /-/upload-bare")

    @staticmethod
    def app() -> ASGIApp:
        made.append(Datasette(memory=True))
        app: ASGIApp = made[-1].app()
        return app


async def test_its_own_pages_need_a_key(keys: APIKeys, issuance: Issuance) -> None:
    async with client_of(APIKeyMiddleware(TestContract.app(), keys)) as client:
        query = "/_memory.json?sql=select+42+as+answer&_shape=array"
        assert (await client.get(query)).json()["code"] == "key_missing"
        assert (await client.get(query, headers=bearer(issuance.reader.secret))).json() == [{"answer": 42}]
