"""What the app and the server see of an end, message by message; and what is not ended."""

import asyncio
import gc
import logging
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Header, Outcome
from gatepost.asgi.current import serving
from gatepost.base.clock import boot_clock
from gatepost.base.secret import digest
from gatepost.connections.guard import ROUND_SECONDS
from tests.connections.conftest import MakeWorker
from tests.eager import eager
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.pure.records import record
from tests.servers.proxy import Proxy, proxied

pytestmark = pytest.mark.usefixtures("either_way")

BOUND_SECONDS = PATIENCE_SECONDS = 120.0
"""Ends a test in which nothing happens: how soon it would on an idle machine says nothing of a busy one."""

LEFT_BYTES = 25_000
"""What a thousand connections that leave nothing may leave: what the interpreter itself keeps."""


def open_in(keys: APIKeys) -> int:
    """How many connections are watched over."""
    return len(keys._opened().guard._connections)


async def chunk(send: Send, body: bytes = b"tick", *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def start(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def ticking(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Streams for ever, one chunk at once and no other."""
    await start(send)
    await chunk(send)
    await asyncio.Event().wait()


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Echoes until the disconnect, which it sends to nobody but notes in the scope."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    _scope["noted"].append(message)
    with pytest.raises(OSError, match=r"key_|unavailable|address_denied"):
        await send({"type": "websocket.send", "text": "too late"})


async def opened_stream(connection: Connection) -> None:
    connection.give("http.request")
    assert (await connection.take())["type"] == "http.response.start"
    assert (await connection.take())["body"] == b"tick"


async def opened_socket(connection: Connection) -> None:
    connection.give("websocket.connect")
    assert (await connection.take())["type"] == "websocket.accept"


async def news(keys: APIKeys) -> None:
    """Poll, and let the guard act on it."""
    await keys._opened().freshness.poll()
    await asyncio.sleep(0)


async def judged(keys: APIKeys) -> None:
    """Have the guard look at everything that is open, and return when it has judged what was in doubt."""
    guard = keys._opened().guard
    guard._next_round = 0.0
    guard._look()
    await asyncio.gather(*guard._judging)


async def test_an_app_that_waits_is_woken_with_a_disconnect_and_the_server_told_to_close(
    here: APIKeys, there: APIKeys
) -> None:
    issued = await here.create("a key")
    noted: list[Any] = []
    scope = websocket_scope("/", bearer(issued.secret), noted=noted)
    async with Connection(APIKeyMiddleware(echo, there), scope) as connection:
        await opened_socket(connection)
        assert open_in(there) == 1
        await here.deactivate(issued.key.id)
        close = {"type": "websocket.close", "code": 3000, "reason": "key_deactivated"}
        assert await connection.take() == close
        await connection.end()
    assert noted == [close | {"type": "websocket.disconnect"}]
    assert open_in(there) == 0


async def test_a_handshake_that_the_app_has_not_answered_is_denied(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    waits = asyncio.Event()

    async def slow(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waits.set()
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.accept"})

    async with Connection(APIKeyMiddleware(slow, there), websocket_scope("/", bearer(issued.secret))) as connection:
        connection.give("websocket.connect")
        await waits.wait()
        await here.deactivate(issued.key.id)
        response = await connection.answer()
        assert (response.status_code, response.json()["code"]) == (401, "key_deactivated")
        await connection.end()


async def test_a_stream_is_cut_and_left_incomplete(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    async with Connection(APIKeyMiddleware(ticking, there), http_scope("/", bearer(issued.secret))) as connection:
        await opened_stream(connection)
        assert open_in(there) == 1
        await here.delete(issued.key.id)
        await connection.cut()
    assert open_in(there) == 0


class Between(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


async def endless(_request: Request) -> Response:
    async def ticks() -> AsyncIterator[str]:
        yield "tick"
        await asyncio.Event().wait()

    return StreamingResponse(ticks())


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
@pytest.mark.parametrize("between", [[], [Middleware(Between)]])
async def test_a_stream_that_starlette_runs_in_tasks_of_its_own_is_cut(
    here: APIKeys, there: APIKeys, spec: str, between: list[Middleware]
) -> None:
    issued = await here.create("a key")
    app = APIKeyMiddleware(Starlette(routes=[Route("/", endless)], middleware=between), there)
    scope = http_scope("/", bearer(issued.secret), asgi={"version": "3.0", "spec_version": spec})
    async with Connection(app, scope) as connection:
        await opened_stream(connection)
        await here.deactivate(issued.key.id)
        await connection.cut()
    assert open_in(there) == 0


async def test_an_app_that_swallows_the_cancellation_cannot_send(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    seen: list[object] = []

    async def stubborn(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            seen.append(cancelled)
        with pytest.raises(OSError, match="key_deactivated"):
            await chunk(send)

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await APIKeyMiddleware(stubborn, there)(scope, receive, send)
        finally:
            task = asyncio.current_task()
            assert task is not None
            seen.append(task.cancelling())

    async with Connection(server, http_scope("/", bearer(issued.secret))) as connection:
        await opened_stream(connection)
        await here.deactivate(issued.key.id)
        await connection.cut()
    assert [type(each) for each in seen] == [asyncio.CancelledError, int]
    assert seen[1] == 0


@pytest.mark.parametrize("ended", ["inner", "outer"])
async def test_where_one_middleware_is_around_another_either_may_cut_the_stream(
    here: APIKeys, there: APIKeys, ended: str
) -> None:
    """The other's key is as good as ever."""
    issued = {"inner": await here.create("a key"), "outer": await here.create("another")}
    inner = APIKeyMiddleware(ticking, there, sources=[Header("X-Inner")])
    headers = {"X-Inner": issued["inner"].secret, **bearer(issued["outer"].secret)}
    async with Connection(APIKeyMiddleware(inner, there), http_scope("/", headers)) as connection:
        await opened_stream(connection)
        await here.deactivate(issued[ended].key.id)
        await connection.cut()
    assert open_in(there) == 0


async def cancelled_meanwhile(
    app: ASGIApp, scope: Scope, opened: Callable[[Connection], Awaitable[None]], there: APIKeys
) -> None:
    """End a connection, and cancel its task from elsewhere in the same turn of the loop."""
    async with Connection(app, scope) as connection:
        await opened(connection)
        guard = there._opened().guard
        (digest,) = guard._connections.digests()
        (held,) = guard._connections.of(digest)
        held.end(Outcome.DEACTIVATED)
        connection._task.cancel()
        await asyncio.wait({connection._task}, timeout=PATIENCE_SECONDS)
        assert connection._task.cancelled()


async def test_another_cancellation_at_the_same_time_is_not_swallowed(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    headers = bearer(issued.secret)
    await cancelled_meanwhile(APIKeyMiddleware(ticking, there), http_scope("/", headers), opened_stream, there)
    scope = websocket_scope("/", headers, noted=[])
    await cancelled_meanwhile(APIKeyMiddleware(echo, there), scope, opened_socket, there)


async def test_what_runs_after_the_response_is_not_cut(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    go_on, done = asyncio.Event(), asyncio.Event()

    async def afterwards() -> None:
        await go_on.wait()
        done.set()

    async def respond(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[str]:
            yield "one"
            yield "two"

        return StreamingResponse(chunks(), background=BackgroundTask(afterwards))

    app = APIKeyMiddleware(Starlette(routes=[Route("/", respond)]), there)
    scope = http_scope("/", bearer(issued.secret), asgi={"version": "3.0", "spec_version": "2.4"})
    async with Connection(app, scope) as connection:
        connection.give("http.request")
        assert (await connection.answer()).text == "onetwo"
        assert open_in(there) == 0
        await here.deactivate(issued.key.id)
        await news(there)
        go_on.set()
        await connection.end()
    assert done.is_set()


EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda: [EVENTS], id="a list"),
        pytest.param(lambda: ((b"x-first", b"1"), EVENTS), id="a tuple"),
        pytest.param(lambda: [(b"Content-Type", b"text/event-stream")], id="as Django writes it"),
        pytest.param(lambda: iter([(b"x-first", b"1"), EVENTS]), id="an iterator, which can be read but once"),
    ],
)
async def test_server_sent_events_are_watched_from_their_start_however_it_tells_of_them(
    here: APIKeys, there: APIKeys, headers: Callable[[], Any]
) -> None:
    issued = await here.create("a key")

    async def idle(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers()})
        await asyncio.Event().wait()

    async with Connection(APIKeyMiddleware(idle, there), http_scope("/", bearer(issued.secret))) as connection:
        assert list((await connection.take())["headers"]) == list(headers())
        assert open_in(there) == 1
        await here.delete(issued.key.id)
        async with asyncio.timeout(BOUND_SECONDS):
            await connection.cut()


@pytest.mark.parametrize(
    "start_of_one",
    [
        pytest.param({}, id="no headers"),
        pytest.param({"headers": [(b"content-type", b"text/plain")]}, id="of another type"),
        pytest.param({"headers": [(b"content-length", b"8"), EVENTS]}, id="a length, so no events to come"),
    ],
)
async def test_other_responses_are_watched_from_their_first_chunk(
    here: APIKeys, there: APIKeys, start_of_one: Message
) -> None:
    issued = await here.create("a key")
    go_on = asyncio.Event()

    async def long(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, **start_of_one})
        await go_on.wait()
        await chunk(send)
        await asyncio.Event().wait()

    async with Connection(APIKeyMiddleware(long, there), http_scope("/", bearer(issued.secret))) as connection:
        assert (await connection.take())["type"] == "http.response.start"
        assert open_in(there) == 0
        go_on.set()
        assert (await connection.take())["body"] == b"tick"
        assert open_in(there) == 1
        await here.delete(issued.key.id)
        async with asyncio.timeout(BOUND_SECONDS):
            await connection.cut()


async def test_a_slow_response_in_one_piece_is_not_cut(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    go_on, waits = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        waits.set()
        await go_on.wait()
        return PlainTextResponse("let in before")

    app = APIKeyMiddleware(Starlette(routes=[Route("/", slow)]), there)
    async with Connection(app, http_scope("/", bearer(issued.secret))) as connection:
        connection.give("http.request")
        await waits.wait()
        await here.deactivate(issued.key.id)
        await news(there)
        go_on.set()
        assert (await connection.answer()).text == "let in before"


async def test_a_change_between_the_let_in_and_the_first_chunk_is_not_missed(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    go_on, waits = asyncio.Event(), asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        waits.set()
        await go_on.wait()
        await ticking(scope, receive, send)

    async with Connection(APIKeyMiddleware(late, there), http_scope("/", bearer(issued.secret))) as connection:
        await waits.wait()
        await here.deactivate(issued.key.id)
        await news(there)
        assert open_in(there) == 0
        go_on.set()
        async with asyncio.timeout(BOUND_SECONDS):
            await connection.cut()


async def test_changes_that_leave_the_secret_usable_leave_its_connections_open(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key", ["FILE_UPLOAD"])
    scope = websocket_scope("/", bearer(issued.secret), noted=[])
    async with Connection(APIKeyMiddleware(echo, there), scope) as connection:
        await opened_socket(connection)
        await here.activate(issued.key.id)
        await here.update(issued.key.id, description="another", permissions=[])
        await here.rotate(issued.key.id, grace=3600, wait="commit")
        await news(there)
        await judged(there)
        connection.give("websocket.receive", text="still there?")
        assert (await connection.take())["text"] == "still there?"
        assert open_in(there) == 1
        connection.give("websocket.disconnect", code=1000)


async def test_an_expiry_that_is_set_put_off_or_taken_away_counts_for_open_connections(
    here: APIKeys, there: APIKeys
) -> None:
    issued = await here.create("a key", expires_at=datetime.now(UTC) + timedelta(hours=1))
    async with Connection(APIKeyMiddleware(ticking, there), http_scope("/", bearer(issued.secret))) as connection:
        await opened_stream(connection)
        await here.update(issued.key.id, expires_at=None)
        await news(there)
        await judged(there)
        there._opened().freshness.offset += 7200  # what was its expiry has gone by
        await judged(there)
        assert open_in(there) == 1
        await news(there)
        await here.update(issued.key.id, expires_at=datetime.now(UTC) + timedelta(hours=1))
        await news(there)
        await judged(there)
        assert open_in(there) == 1
        there._opened().freshness.offset += 3601
        await judged(there)
        await connection.cut()


async def test_nothing_is_ended_before_its_watch_has_begun_where_tasks_begin_at_once(here: APIKeys) -> None:
    """`attend` is called by the very task that an end would cancel."""
    ended: list[Outcome] = []
    over = asyncio.Event()

    def end(outcome: Outcome) -> None:
        ended.append(outcome)
        over.set()

    loop = asyncio.get_running_loop()
    loop.set_task_factory(eager)
    try:
        here.attend(b"a secret", record(as_of=-1, key_expires=1.0), end)  # in doubt, and expired
        assert ended == []
        await asyncio.wait_for(over.wait(), PATIENCE_SECONDS)
        assert ended == [Outcome.EXPIRED]
    finally:
        loop.set_task_factory(None)


async def test_end_connections_can_be_turned_off(here: APIKeys, there: APIKeys) -> None:
    issued = await here.create("a key")
    headers = bearer(issued.secret)
    socket_app = APIKeyMiddleware(echo, there, end_connections=False)
    stream_app = APIKeyMiddleware(ticking, there, end_connections=False)
    async with (
        Connection(socket_app, websocket_scope("/", headers, noted=[])) as socket,
        Connection(stream_app, http_scope("/", headers)) as stream,
    ):
        await opened_socket(socket)
        await opened_stream(stream)
        await here.deactivate(issued.key.id)
        await news(there)
        await asyncio.sleep(0.2)
        socket.give("websocket.receive", text="still there?")
        assert (await socket.take())["text"] == "still there?"
        assert not stream._task.done()
        assert open_in(there) == 0


async def test_the_guard_outlives_a_fault_and_ends_the_others(
    here: APIKeys, there: APIKeys, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await here.create("a key")
    assert (await there.verify(issued.secret)).valid
    key = there.hit(digest(issued.secret.encode()))
    assert key is not None
    ended = asyncio.Event()

    def broken(_outcome: object) -> None:
        raise ValueError("a fault")

    for end in (broken, lambda _outcome: ended.set(), broken):
        there.attend(digest(issued.secret.encode()), key, end)
    with caplog.at_level(logging.ERROR):
        await here.deactivate(issued.key.id)
        async with asyncio.timeout(BOUND_SECONDS):
            await ended.wait()
    assert "could not be ended" in caplog.text
    assert issued.secret not in caplog.text
    assert open_in(there) == 0


async def test_thousands_of_connections_come_and_go_and_leave_nothing(worker: MakeWorker) -> None:
    keys = await worker()
    issued = [await keys.create(f"key {n}") for n in range(3)]

    async def short(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send)
        await asyncio.sleep(0)
        await chunk(send, b"", more=False)

    stream_app, socket_app = APIKeyMiddleware(short, keys), APIKeyMiddleware(echo, keys)

    async def stream(n: int) -> None:
        assert (await ask(stream_app, http_scope("/", bearer(issued[n % 3].secret)))).text == "tick"

    async def socket(n: int) -> None:
        scope = websocket_scope("/", bearer(issued[n % 3].secret), noted=[])
        async with Connection(socket_app, scope) as connection:
            await opened_socket(connection)  # and cancelled, as by a server that shuts down

    async def come_and_go(count: int) -> None:
        for begin in range(0, count, 100):
            await asyncio.gather(*(stream(n) if n % 2 else socket(n) for n in range(begin, begin + 100)))

    await come_and_go(200)
    freshness = keys._opened().freshness
    freshness._membership._watch_at = freshness._membership._sign_at = 0.0
    await freshness.poll()  # what it does now and then too: its statements are compiled once, and kept
    tasks = len(asyncio.all_tasks())
    gc.collect()
    tracemalloc.start()
    try:
        held: list[int] = []
        grown = LEFT_BYTES
        while grown >= LEFT_BYTES and len(held) < 8:  # jobs of the background come now and then, a leak each time
            await come_and_go(1000)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
            if len(held) > 1:  # the first fills what is kept once, such as empty lists
                grown = min(grown, held[-1] - held[-2])
    finally:
        tracemalloc.stop()
    connections = keys._opened().guard._connections
    assert (len(connections), connections._open, connections._expiring, connections._doubted) == (0, {}, set(), set())
    assert grown < LEFT_BYTES, f"bytes held after each 1,000 connections: {held}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110 - a poll may be under way
            await asyncio.sleep(0.01)


async def test_three_thousand_open_connections_end_together(here: APIKeys, there: APIKeys) -> None:
    issued = [await here.create(f"key {n}") for n in range(30)]
    app = APIKeyMiddleware(ticking, there)
    open_ones = []
    for n in range(3000):
        connection = Connection(app, http_scope("/", bearer(issued[n % 30].secret)))
        await connection.__aenter__()
        open_ones.append(connection)
    for connection in open_ones:
        await opened_stream(connection)
    assert open_in(there) == 3000
    await here.deactivate([each.key.id for each in issued[:15]])
    async with asyncio.timeout(BOUND_SECONDS):
        while open_in(there) > 1500:  # noqa: ASYNC110 - counted, nothing to wait for
            await asyncio.sleep(0.01)
    for n, connection in enumerate(open_ones):
        if n % 30 < 15:
            await connection.cut()
        assert connection._task.done() is (n % 30 < 15)
        await connection.__aexit__(None, None, None)
    assert open_in(there) == 0


@pytest.fixture
async def cut_off(ready_postgres_url: str) -> AsyncIterator[tuple[APIKeys, Proxy, APIKeys]]:
    """A worker over PostgreSQL through a proxy that can stall: (keys, proxy, keys that are not cut off)."""
    url = make_url(ready_postgres_url)
    async with proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        near = APIKeys(ready_postgres_url)
        far = APIKeys(through, poll_interval=0.1, max_staleness=1.0, read_timeout=0.5)
        async with near, far:
            await far.serve()
            yield far, proxy, near
            proxy.flow()


async def test_connections_end_when_nobody_can_vouch_for_their_key_any_more(
    cut_off: tuple[APIKeys, Proxy, APIKeys],
) -> None:
    far, proxy, near = cut_off
    issued = await near.create("a key")
    async with (
        Connection(APIKeyMiddleware(echo, far), websocket_scope("/", bearer(issued.secret), noted=[])) as socket,
        Connection(APIKeyMiddleware(ticking, far), http_scope("/", bearer(issued.secret))) as stream,
    ):
        await opened_socket(socket)
        await opened_stream(stream)
        proxy.stall()
        lease_ends = far._opened().freshness.until
        async with asyncio.timeout(BOUND_SECONDS):
            close = await socket.take()
            await stream.cut()
        assert boot_clock() >= lease_ends, "it ended while the lease still held"
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 1013, "unavailable")
    assert open_in(far) == 0


async def test_without_a_lease_connections_go_on_while_the_database_vouches_for_their_key(
    here: APIKeys, worker: MakeWorker
) -> None:
    there = await worker(poll_interval=0.1, max_staleness=0.3)
    issued, dying = await here.create("a key"), await here.create("another")
    freshness = there._opened().freshness
    async with (
        Connection(APIKeyMiddleware(ticking, there), http_scope("/", bearer(issued.secret))) as kept,
        Connection(APIKeyMiddleware(ticking, there), http_scope("/", bearer(dying.secret))) as ended,
    ):
        await opened_stream(kept)
        await opened_stream(ended)
        async with freshness._polling:  # no poll comes through: no news, and no lease
            await asyncio.sleep(0.3 + ROUND_SECONDS + 0.5)
            assert not freshness.holds()
            assert open_in(there) == 2
            await here.deactivate(dying.key.id, wait="commit")
            async with asyncio.timeout(BOUND_SECONDS):
                await ended.cut()
            assert open_in(there) == 1
            assert not kept._task.done()


async def test_a_context_that_outlives_a_request_holds_nothing_of_it(ready_sqlite_url: str) -> None:
    """Servers copy it, for the timer of a connection kept alive say: thousands of requests would hang on it."""
    copies: list[Context] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        copies.append(copy_context())

    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret.encode()
        for end_connections in (True, False):
            scope = {"type": "http", "path": "/", "headers": [(b"x-api-key", secret)]}
            await APIKeyMiddleware(app, keys, end_connections=end_connections)(scope, _unused, _unused)
    left = [copy.run(serving) for copy in copies]
    assert [None if served is None else len(served) for served in left] == [0, 0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("inner_secret", [True, False])
async def test_after_a_request_served_within_another_that_one_is_served_again(
    ready_sqlite_url: str, kind: str, inner_secret: bool
) -> None:
    seen: list[str | None] = []

    def note() -> None:
        served = serving()
        seen.append(served[0]["name"] if served else None)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        note()

    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret.encode()

        def scope_of(kind: str, name: str, *, carries: bool = True) -> Scope:
            return {"type": kind, "name": name, "path": "/", "headers": [(b"x-api-key", secret)] if carries else []}

        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            note()
            within = scope_of("http", "inner", carries=inner_secret)
            await APIKeyMiddleware(inner, keys, optional=True)(within, receive, send)
            note()
            with pytest.raises(ZeroDivisionError):
                await APIKeyMiddleware(failing, keys)(scope_of(kind, "failing"), receive, send)
            note()

        async def failing(scope: Scope, receive: Receive, send: Send) -> None:
            note()
            raise ZeroDivisionError

        for _ in range(2):
            await APIKeyMiddleware(outer, keys)(scope_of("http", "outer"), _unused, _unused)
            note()
    assert seen == ["outer", "inner", "outer", "failing", "outer", None] * 2


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_what_a_connection_held_goes_with_it(ready_sqlite_url: str, kind: str) -> None:
    """Not only when the garbage collector comes: a server's protocol and its buffers hang on `send`."""

    watched: list[int] = []

    async def serving_one(_scope: Scope, receive: Receive, send: Send) -> None:
        if kind == "http":
            await start(send)
            await chunk(send)
        else:
            await receive()
            await send({"type": "websocket.accept"})
        watched.append(open_in(keys))
        await (chunk(send, more=False) if kind == "http" else send({"type": "websocket.close"}))

    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret.encode()
        protected = APIKeyMiddleware(serving_one, keys)

        async def serve() -> weakref.ref[Send]:
            async def receive() -> Message:
                return {"type": "websocket.connect"}

            async def send(_message: Message) -> None: ...

            scope = {"type": kind, "path": "/", "headers": [(b"x-api-key", secret)]}
            await protected(scope, receive, send)
            return weakref.ref(send)

        gc.collect()
        gc.disable()
        try:
            left = [await serve() for _ in range(3)]
            held = [each() for each in left if each() is not None]
        finally:
            gc.enable()
    assert watched == [1] * 3
    assert held == []


async def test_a_request_that_is_lost_is_closed_without_a_trace_in_another(ready_sqlite_url: str) -> None:
    """The garbage collector closes what nobody waits for any more, wherever it happens to come."""

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret.encode()
        await keys.verify(secret.decode())
        contexts: list[Context] = []
        lost: list[Any] = []

        def scope_of(name: str) -> Scope:
            return {"type": "http", "name": name, "path": "/", "headers": [(b"x-api-key", secret)]}

        def step(protected: ASGIApp, name: str) -> Any:
            coroutine = protected(scope_of(name), _unused, _unused)
            coroutine.send(None)  # type: ignore[attr-defined]  # a coroutine
            return coroutine

        async def strong(scope: Scope, receive: Receive, send: Send) -> None:
            contexts.append(copy_context())
            lost.append(contexts[0].run(step, APIKeyMiddleware(waiting, keys), "nested in strong"))
            await APIKeyMiddleware(weak, keys)(scope_of("weak"), _unused, _unused)

        async def weak(scope: Scope, receive: Receive, send: Send) -> None:
            lost.pop().close()
            served = serving()
            assert served is not None
            seen.append(served[0]["name"])

        seen: list[str] = []
        await APIKeyMiddleware(strong, keys)(scope_of("strong"), _unused, _unused)
    assert seen == ["weak"]


async def test_what_is_sent_after_the_request_is_an_error(ready_sqlite_url: str) -> None:
    kept: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(send)

    async with APIKeys(ready_sqlite_url) as keys:
        secret = (await keys.create("a key", ["OBJECTS_LIST"])).secret.encode()
        scope = {"type": "http", "path": "/", "headers": [(b"x-api-key", secret)]}
        await APIKeyMiddleware(app, keys)(scope, _unused, _unused)
    with pytest.raises(OSError, match="over"):
        await kept[0]({"type": "http.response.body", "body": b""})


async def _unused(*_: object) -> Any:
    raise NotImplementedError
