"""Real servers: what a client sees of the end of its connection, brought about from another process."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gatepost import APIKeys, Issued
from tests.asgi_servers.serving import POLL_SECONDS, Serving, serving

SERVERS = {
    "uvicorn-websockets": ("uvicorn", "--ws", "websockets"),
    "uvicorn-websockets-sansio": ("uvicorn", "--ws", "websockets-sansio"),
    "uvicorn-wsproto": ("uvicorn", "--ws", "wsproto"),
    "hypercorn": ("hypercorn",),
    "granian": ("granian",),
}
BOUND_SECONDS = 120.0
"""Ends a test in which nothing happens."""
"""A poll, and time for a busy machine: less than the lease, so that it is the news that ends them."""

Kill = Callable[[APIKeys, str], Awaitable[object]]

KILLS: dict[str, tuple[Kill, str]] = {
    "deactivated": (lambda keys, key_id: keys.deactivate(key_id, wait="commit"), "key_deactivated"),
    "deleted": (lambda keys, key_id: keys.delete(key_id, wait="commit"), "key_invalid"),
    "rotated": (lambda keys, key_id: keys.rotate(key_id, grace=0, wait="commit"), "key_invalid"),
}


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    name, *options = SERVERS[request.param]
    with serving(name, *options, app="tests.connections.app:app") as serving_:
        yield serving_


async def made(server: Serving, expires_in: float | None = None) -> Issued:
    moment = None if expires_in is None else datetime.now(UTC) + timedelta(seconds=expires_in)
    async with server.keys() as keys:
        return await keys.create("a test's", expires_at=moment)


def socket_of(server: Serving, path: str, secret: str) -> connect:
    return connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers={"X-API-Key": secret}, proxy=None)


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Read until the socket is closed; the code and the reason."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as gone:
        frame = gone.rcvd
    assert frame is not None, "cut without a close frame"
    return frame.code, frame.reason


async def ended_in_app(server: Serving, *wanted: str) -> None:
    async with server.client() as client:
        while not set(wanted) <= set((await client.get("/endings")).json()):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kill", sorted(KILLS))
async def test_open_connections_end_when_another_process_kills_their_key(server: Serving, kill: str) -> None:
    do, code = KILLS[kill]
    issued, bystander = await made(server), await made(server)
    async with (
        server.keys() as keys,
        server.client(issued.secret) as client,
        socket_of(server, "/echo", bystander.secret) as other,
        socket_of(server, "/echo", issued.secret) as echo,
        socket_of(server, "/push", issued.secret) as push,
        client.stream("GET", "/ticks") as ticks,
    ):
        chunks = ticks.aiter_raw()
        await anext(chunks)
        await echo.send("one")
        assert await echo.recv() == "pong one"
        await keys.update(issued.key.id, description="another")
        await asyncio.sleep(POLL_SECONDS * 2)
        await echo.send("two")
        assert await echo.recv() == "pong two", "a change that takes nothing away"
        await do(keys, issued.key.id)
        async with asyncio.timeout(BOUND_SECONDS):
            for socket in (echo, push):
                assert await closed(socket) == (3000, code)
            with contextlib.suppress(httpx2.TransportError):  # a cut; some servers end the body instead
                async for _ in chunks:
                    pass
            await ended_in_app(server, *(f"{what} {issued.key.id}" for what in ("echo 3000", "push", "ticks")))
        await other.send("three")
        assert await other.recv() == "pong three"


async def test_a_stream_that_has_sent_nothing_yet_ends_too(server: Serving) -> None:
    issued = await made(server)
    async with (
        server.keys() as keys,
        server.client(issued.secret) as client,
        client.stream("GET", "/idle") as idle,
    ):
        assert idle.status_code == 200
        await keys.deactivate(issued.key.id, wait="commit")
        async with asyncio.timeout(BOUND_SECONDS):
            with contextlib.suppress(httpx2.TransportError):
                async for _ in idle.aiter_raw():
                    pytest.fail("there was no event")
            await ended_in_app(server, f"idle {issued.key.id}")


async def test_a_connection_ends_when_its_key_expires(server: Serving) -> None:
    issued = await made(server, expires_in=1.5)
    async with socket_of(server, "/echo", issued.secret) as echo, asyncio.timeout(BOUND_SECONDS):
        assert await closed(echo) == (3000, "key_expired")
    assert datetime.now(UTC) >= issued.key.expires_at  # type: ignore[operator]
