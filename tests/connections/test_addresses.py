"""A key that may be used from some networks alone, at the middleware: each request is held against them, also where
memory knows the key, and what is open ends once it would be refused."""

import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.lifespan.on import LifespanOn

from gatepost import APIKeyMiddleware, APIKeys, Bearer, Query, RefusalLog, requires
from tests.connections.conftest import MakeWorker
from tests.connections.test_ending import echo, judged, news, open_in, opened_socket, opened_stream, ticking
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope

pytestmark = pytest.mark.usefixtures("either_way")

OFFICE = ["203.0.113.0/24", "2001:db8::/32"]
INSIDE, OUTSIDE = ("203.0.113.9", 5000), ("198.51.100.7", 5000)
PROXY = ("10.0.0.1", 5000)


async def well(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def asked(app: APIKeyMiddleware, secret: str, client: Any, **headers: str) -> int:
    """The status of one request."""
    lines = {**bearer(secret), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return (await ask(app, http_scope("/", lines, client=client))).status_code


def lookups(keys: APIKeys) -> int:
    return keys._opened().lookup.counts.lookups


OPTIONS: list[dict[str, Any]] = [
    {},
    {"exempt": ["/health"]},
    {"fresh": ["/"]},
    {"sources": [Bearer(), Query("key")]},
    {"end_connections": False},
    {"end_uploads": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options), "plain"))
async def test_each_request_is_held_against_the_list(here: APIKeys, options: dict[str, Any]) -> None:
    issued = await here.create("a key", allow=OFFICE)
    app = APIKeyMiddleware(well, here, **options)
    inside: list[Any] = [INSIDE, [*INSIDE], ("::ffff:203.0.113.77", 1), ("2001:db8::1", 1, 0, 0)]
    outside: list[Any] = [OUTSIDE, ("::ffff:198.51.100.7", 1), ("2001:db9::1", 1), None, ("", 0), ("unknown", 1), []]
    for _ in range(3):  # cold, then from memory, with addresses that were asked about before and others
        for client in inside:
            assert await asked(app, issued.secret, client) == 204
        for client in outside:
            assert await asked(app, issued.secret, client) == 403
        assert await asked(app, issued.secret, OUTSIDE, x_forwarded_for="203.0.113.9") == 403, "no proxy is trusted"


async def test_memory_knows_who_may_come_and_nobody_else_is_asked(here: APIKeys) -> None:
    issued = await here.create("a key", allow=OFFICE)
    app = APIKeyMiddleware(well, here)
    assert await asked(app, issued.secret, INSIDE) == 204
    before = lookups(here)
    assert await asked(app, issued.secret, INSIDE) == 204
    assert await asked(app, issued.secret, ("203.0.113.10", 1)) == 204
    assert lookups(here) == before


async def test_the_refusal_does_not_tell_the_address_and_the_log_does(
    here: APIKeys, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await here.create("a key", allow=OFFICE)
    app = APIKeyMiddleware(well, here, refusal_log=RefusalLog())
    with caplog.at_level(logging.INFO, "gatepost.refusals"):
        answer = await ask(app, http_scope("/", bearer(issued.secret), client=OUTSIDE))
    assert (answer.status_code, answer.json()["code"]) == (403, "address_denied")
    assert OUTSIDE[0] not in answer.text
    assert "www-authenticate" not in answer.headers
    (line,) = (record for record in caplog.records if record.name == "gatepost.refusals")
    assert line.getMessage() == (
        f"Refused with address_denied: key {issued.key.id}, GET /, from 198.51.100.7 (the peer of the connection)"
    )
    assert (line.__dict__["address"], line.__dict__["address_rule"]) == ("198.51.100.7", "the peer of the connection")
    caplog.clear()
    with caplog.at_level(logging.INFO, "gatepost.refusals"):
        assert await asked(app, issued.secret, None) == 403
        assert await asked(app, f"{issued.secret}x", OUTSIDE) == 401
    assert "from nobody knows where (the connection has no address, as through a UNIX socket)" in caplog.text
    assert OUTSIDE[0] not in caplog.text, "an address is told where it is why"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
async def test_trusted_proxies_tell_where_a_request_is_from(here: APIKeys, header: str) -> None:
    issued = await here.create("a key", allow=OFFICE)
    free = await here.create("another")
    app = APIKeyMiddleware(well, here, trusted_proxies=["10.0.0.0/8"], header=header)

    async def behind(*hops: str, client: Any = PROXY) -> int:
        told = {"x-forwarded-for": ", ".join(hops), "forwarded": ", ".join(f"for={hop}" for hop in hops)}
        other = {"x-forwarded-for": "forwarded", "forwarded": "x-forwarded-for"}[header]
        lies = {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"}
        return await asked(app, issued.secret, client, **{header: told[header], other: lies[other]})

    for _ in range(2):
        assert await behind("203.0.113.9") == 204
        assert await behind("203.0.113.9", "198.51.100.7") == 403, "the leftmost hop is whatever the client wrote"
        assert await behind("198.51.100.7", "203.0.113.9", "10.0.0.2") == 204
        assert await behind("198.51.100.7") == 403
        assert await behind("203.0.113.9", "unknown") == 403
        assert await behind("203.0.113.9", client=OUTSIDE) == 403
        assert await behind("198.51.100.7", client=INSIDE) == 204
        assert await asked(app, issued.secret, PROXY) == 403
        assert await asked(app, free.secret, PROXY) == 204


async def test_what_is_refused_earlier_and_later(here: APIKeys) -> None:
    """Exempt, secret, state, address, project, permission."""

    @requires("FILE_UPLOAD")
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        await well(scope, receive, send)

    issued = await here.create("a key", project="acme", allow=OFFICE)
    project = "other"
    app = APIKeyMiddleware(guarded, here, exempt=["/health"], project=lambda _: project)

    async def code(client: Any) -> str:
        return str((await ask(app, http_scope("/", bearer(issued.secret), client=client))).json()["code"])

    assert await code(OUTSIDE) == "address_denied"
    assert await code(INSIDE) == "project_denied"
    project = "acme"
    assert await code(OUTSIDE) == "address_denied"
    assert await code(INSIDE) == "permission_denied"
    await here.deactivate(issued.key.id)
    assert await code(OUTSIDE) == "key_deactivated"


async def test_a_list_that_is_edited_counts_at_once_everywhere(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    app = APIKeyMiddleware(well, there)
    assert await asked(app, issued.secret, OUTSIDE) == 204
    await here.update(issued.key.id, allow=OFFICE)
    assert await asked(app, issued.secret, OUTSIDE) == 403
    assert await asked(app, issued.secret, INSIDE) == 204
    await here.update(issued.key.id, allow=[])
    assert await asked(app, issued.secret, INSIDE) == 403
    await here.update(issued.key.id, allow=None)
    await news(there)
    assert await asked(app, issued.secret, OUTSIDE) == 204


@pytest.mark.parametrize("first", [None, [*OFFICE, "198.51.100.0/24"]])
async def test_what_is_open_ends_once_it_would_be_refused_and_nothing_else(
    here: APIKeys, there: APIKeys, first: Any
) -> None:
    issued = await here.create("a key", allow=first)
    noted: list[Any] = []
    headers = bearer(issued.secret)
    app, sockets = APIKeyMiddleware(ticking, there), APIKeyMiddleware(echo, there)
    async with (
        Connection(app, http_scope("/", headers, client=INSIDE)) as stays,
        Connection(app, http_scope("/", headers, client=OUTSIDE)) as goes,
        Connection(sockets, websocket_scope("/", headers, client=INSIDE, noted=[])) as socket_stays,
        Connection(sockets, websocket_scope("/", headers, client=OUTSIDE, noted=noted)) as socket_goes,
    ):
        for stream in (stays, goes):
            await opened_stream(stream)
        for socket in (socket_stays, socket_goes):
            await opened_socket(socket)
        await here.update(issued.key.id, description="renamed")
        await judged(there)
        assert open_in(there) == 4
        await here.update(issued.key.id, allow=OFFICE)
        await goes.cut()
        close = {"type": "websocket.close", "code": 3003, "reason": "address_denied"}
        assert await socket_goes.take() == close
        await judged(there)
        assert open_in(there) == 2
        socket_stays.give("websocket.receive", text="ping")
        assert (await socket_stays.take())["text"] == "ping"
        await here.update(issued.key.id, allow=[])
        await stays.cut()
        assert await socket_stays.take() == close
        assert open_in(there) == 0


async def test_a_stream_behind_proxies_is_from_where_its_request_was(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    app = APIKeyMiddleware(ticking, there, trusted_proxies=["10.0.0.0/8"])
    lines = bearer(issued.secret)
    async with (
        Connection(app, http_scope("/", {**lines, "X-Forwarded-For": INSIDE[0]}, client=PROXY)) as stays,
        Connection(app, http_scope("/", {**lines, "X-Forwarded-For": OUTSIDE[0]}, client=PROXY)) as goes,
    ):
        for stream in (stays, goes):
            await opened_stream(stream)
        await here.update(issued.key.id, allow=OFFICE)
        await goes.cut()
        await judged(there)
        assert open_in(there) == 1


async def test_an_upload_ends_once_it_would_be_refused(worker: MakeWorker) -> None:
    keys = await worker()
    issued = await keys.create("a key", allow=OFFICE)

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await well(scope, receive, send)

    app = APIKeyMiddleware(read, keys, end_uploads=True)
    async with Connection(app, http_scope("/", bearer(issued.secret), method="POST", client=INSIDE)) as connection:
        connection.give("http.request", body=b"begin", more_body=True)
        await connection.waits()
        await keys.update(issued.key.id, allow=["10.0.0.0/8"])
        connection.give("http.request", body=b"end")
        answer = await connection.answer()
    assert (answer.status_code, answer.json()["code"]) == (403, "address_denied")


async def test_requires_fresh_asks_where_the_request_is_from_too(here: APIKeys) -> None:
    issued = await here.create("a key", ["FILE_UPLOAD"])
    waits, go_on = asyncio.Event(), asyncio.Event()

    @requires("FILE_UPLOAD", fresh=True)
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        await well(scope, receive, send)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        waits.set()
        await go_on.wait()
        await guarded(scope, receive, send)

    app = APIKeyMiddleware(slow, here)
    async with Connection(app, http_scope("/", bearer(issued.secret), client=OUTSIDE)) as connection:
        await waits.wait()
        await here.update(issued.key.id, allow=OFFICE)
        go_on.set()
        answer = await connection.answer()
    assert (answer.status_code, answer.json()["code"]) == (403, "address_denied")
    assert await asked(app, issued.secret, INSIDE) == 204


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({"forwarded_allow_ips": "*"}, True),
        ({"forwarded_allow_ips": ["127.0.0.1", "0.0.0.0/0"]}, True),
        ({"forwarded_allow_ips": "*", "proxy_headers": False}, False),
        ({"forwarded_allow_ips": "127.0.0.1,10.0.0.0/8,unix"}, False),
        ({}, False),
    ],
)
async def test_a_server_that_believes_anybody_is_warned_of_at_the_start(
    here: APIKeys, options: dict[str, Any], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = uvicorn.Config(APIKeyMiddleware(well, here), lifespan="on", log_config=None, **options)
    config.load()
    lifespan = LifespanOn(config)
    await lifespan.startup()
    await lifespan.shutdown()
    assert ("takes its leftmost hop for the client" in caplog.text) is warns


@pytest.mark.parametrize("extensions", [{"websocket.http.response": {}}, {}])
async def test_a_handshake_from_elsewhere_is_denied(here: APIKeys, extensions: dict[str, Any]) -> None:
    issued = await here.create("a key", allow=OFFICE)
    for _ in range(2):
        scope = websocket_scope("/", bearer(issued.secret), client=OUTSIDE, extensions=extensions)
        async with Connection(APIKeyMiddleware(echo, here), scope) as connection:
            connection.give("websocket.connect")
            if extensions:
                answer = await connection.answer()
                assert (answer.status_code, answer.json()["code"]) == (403, "address_denied")
            else:
                close = {"type": "websocket.close", "code": 3003, "reason": "address_denied"}
                assert await connection.take() == close
