"""socket.io's events, by its own client over both transports: who may, who may not, and how they learn it."""
# mypy: disable-error-code="import-untyped, misc, untyped-decorator"

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
import socketio
from fastapi import FastAPI
from yarl import URL

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Rate, requires
from gatepost.integrations.socketio import Guard
from tests.frameworks.conftest import Issuance
from tests.integrations.served import served

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
both = pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)


def server() -> Any:
    sio = socketio.AsyncServer(async_mode="asgi")
    Guard(sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        pass

    @sio.event
    @requires("FILE_UPLOAD")
    async def upload(sid: str, data: Any) -> str:
        return f"uploaded {data}"

    @sio.event
    @requires("FILE_UPLOAD")
    def upload_sync(sid: str, data: Any) -> str:
        return f"uploaded {data}"

    @sio.event
    @requires("OBJECTS_LIST", fresh=True)
    async def fresh(sid: str) -> str:
        return "listed"

    @sio.event
    @requires("OBJECTS_LIST", limit=Rate(2, per=3600, name="events"))
    async def limited(sid: str) -> str:
        return "listed"

    @sio.on("connect", namespace="/uploads")
    @requires("FILE_UPLOAD")
    async def connect_uploads(sid: str, environ: dict[str, Any]) -> None:
        pass

    class Listing(socketio.AsyncNamespace):
        @requires("FILE_UPLOAD")
        async def on_upload(self, sid: str) -> str:
            return f"uploaded{sid and ''}"

    sio.register_namespace(Listing("/class"))
    return sio


def bare(sio: Any) -> Any:
    return socketio.ASGIApp(sio)


def mounted(sio: Any) -> Any:
    app = FastAPI()
    app.mount("/socket.io", socketio.ASGIApp(sio, socketio_path=""))
    return app


class Place(NamedTuple):
    """Where a server answers."""

    name: str
    sio: Any


@asynccontextmanager
async def listening(keys: APIKeys, put: Callable[[Any], Any] = bare) -> AsyncIterator[Place]:
    """A server behind the keys."""
    sio = server()
    async with served(APIKeyMiddleware(put(sio), keys)) as name:
        yield Place(name, sio)
        await sio.shutdown()


@asynccontextmanager
async def connected(
    place: Place, secret: str, transports: list[str], *namespaces: str
) -> AsyncIterator[tuple[socketio.AsyncClient, "asyncio.Queue[Any]"]]:
    """A client, once each namespace has answered, and the errors that it gets. Its session sends the secret with each
    poll, as browsers do. The server ends it: a client that polls would wait for its last poll to end."""
    errors: asyncio.Queue[Any] = asyncio.Queue()
    answered: asyncio.Queue[Any] = asyncio.Queue()

    def refused(told: Any) -> None:
        errors.put_nowait(told)
        answered.put_nowait(None)

    headers = {"Authorization": f"Bearer {secret}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        client = socketio.AsyncClient(http_session=session, reconnection=False)
        client.on("error", errors.put_nowait)
        asked = list(namespaces) or ["/"]
        for namespace in asked:
            client.on("connect", lambda: answered.put_nowait(None), namespace=namespace)
            client.on("connect_error", refused, namespace=namespace)
        await client.connect(
            f"http://{place.name}", headers=headers, transports=transports, namespaces=asked, wait=False
        )
        has_failed = True  # then a client may have gone without a word, and is not waited for
        try:
            for _ in asked:
                await answered.get()
            yield client, errors
            has_failed = False
        finally:
            if place.sio.eio.sockets and not has_failed:
                await place.sio.eio.disconnect()
            for each in [*place.sio.eio.sockets.values()]:
                await each.close(wait=False)
            await client.eio.queue.put(None)  # ends the part of it that writes, which waits for more otherwise
            await client.eio.wait()


@both
@pytest.mark.parametrize("put", [bare, mounted])
async def test_an_event_is_for_who_may_and_others_learn_why(
    keys: APIKeys, issuance: Issuance, put: Any, transports: list[str]
) -> None:
    async with listening(keys, put) as place:
        async with connected(place, issuance.uploader.secret, transports) as (client, errors):
            assert await client.call("upload", "cat.png") == "uploaded cat.png"
            assert await client.call("upload_sync", "cat.png") == "uploaded cat.png"
            assert errors.empty()
        async with connected(place, issuance.reader.secret, transports) as (client, errors):
            for event in ("upload", "upload_sync"):
                refused = (await client.call(event, "cat.png"))["error"]
                assert (refused["code"], refused["missing"]) == ("permission_denied", ["FILE_UPLOAD"])
                assert await errors.get() == refused
            await client.emit("upload", "cat.png")
            assert (await errors.get())["code"] == "permission_denied"


@both
async def test_a_namespace_refuses_to_connect_or_its_methods_refuse(
    keys: APIKeys, issuance: Issuance, transports: list[str]
) -> None:
    async with listening(keys) as place:
        async with connected(place, issuance.uploader.secret, transports, "/uploads", "/class") as (client, _):
            assert await client.call("upload", namespace="/class") == "uploaded"
        async with connected(place, issuance.reader.secret, transports, "/class") as (client, _):
            assert (await client.call("upload", namespace="/class"))["error"]["code"] == "permission_denied"
        async with connected(place, issuance.reader.secret, transports, "/class", "/uploads") as (client, errors):
            refused = errors.get_nowait()
            assert refused["message"] == "The API key lacks a permission that this needs."
            assert (refused["data"]["code"], refused["data"]["missing"]) == ("permission_denied", ["FILE_UPLOAD"])
            assert "/uploads" not in client.namespaces


@both
async def test_fresh_and_limits_hold_for_events(keys: APIKeys, issuance: Issuance, transports: list[str]) -> None:
    async with (
        listening(keys) as place,
        connected(place, issuance.reader.secret, transports) as (client, _),
    ):
        answers = [await client.call("limited") for _ in range(3)]
        assert answers[:2] == ["listed", "listed"]
        assert answers[2]["error"]["code"] == "limit_exceeded"
        assert await client.call("fresh") == "listed"
        await keys.update(issuance.reader.key.id, permissions=["FILE_UPLOAD"], wait="commit")
        assert (await client.call("fresh"))["error"]["code"] == "permission_denied"


async def test_a_session_is_its_keys(keys: APIKeys, issuance: Issuance) -> None:
    async with (
        listening(keys) as place,
        connected(place, issuance.uploader.secret, ["polling"]) as (client, _),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {issuance.reader.secret}"}) as other,
    ):
        sid = client.eio.sid
        url = f"http://{place.name}/socket.io/?transport=polling&EIO=4&sid={sid}"
        for named in (f"sid={sid}", f"%73id={sid}", f"s%69d=%{ord(sid[0]):x}{sid[1:]}", f"sid=&sid={sid}&sid=none"):
            again = URL(url.replace(f"sid={sid}", named), encoded=True)
            async with other.post(again, data='42["upload","stolen.png"]') as answer:
                assert answer.status == 400
                assert "Invalid session" in await answer.text()
        async with other.get(url) as answer:
            assert answer.status == 400
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await other.ws_connect(url.replace("polling", "websocket"))
        assert await client.call("upload", "mine.png") == "uploaded mine.png"


async def test_an_event_is_judged_by_what_the_latest_poll_was_let_in_with(keys: APIKeys, issuance: Issuance) -> None:
    async with (
        listening(keys) as place,
        connected(place, issuance.uploader.secret, ["polling"]) as (client, _),
    ):
        assert await client.call("upload", "cat.png") == "uploaded cat.png"
        await keys.update(issuance.uploader.key.id, permissions=["OBJECTS_LIST"])
        assert (await client.call("upload", "cat.png"))["error"]["code"] == "permission_denied"


async def test_a_key_that_was_switched_off_ends_its_session(keys: APIKeys, issuance: Issuance) -> None:
    async with (
        listening(keys) as place,
        connected(place, issuance.uploader.secret, ["websocket"]) as (client, _),
    ):
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        client.on("disconnect", lambda *_: ended.set_result(None))
        await keys.deactivate(issuance.uploader.key.id)
        await ended


async def test_without_a_middleware_nobody_is_let_in(caplog: pytest.LogCaptureFixture) -> None:
    sio = server()
    async with served(bare(sio)) as name:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(f"http://{name}", transports=["websocket"], namespaces=["/class"])
        with pytest.raises(socketio.exceptions.TimeoutError):
            await client.call("upload", namespace="/class", timeout=1)
        await client.disconnect()
        await sio.shutdown()


def test_what_is_no_server_of_its_kind_is_said_at_once() -> None:
    for wrong in (socketio.Server(), socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"))):
        with pytest.raises(BadInputError, match="AsyncServer"):
            Guard(wrong)
