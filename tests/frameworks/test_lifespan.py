"""The lifespan: keys open before the app starts and closed after it, and the app's own lifespan in between."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, SchemaError
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope


def lifespan_scope() -> Scope:
    return {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}


@pytest.fixture
def closed_keys(database: str) -> APIKeys:
    return APIKeys(database)


async def test_the_apps_own_lifespan_runs_with_the_keys_open_and_its_state_reaches_requests(
    closed_keys: APIKeys, issuance: Issuance
) -> None:
    happened: list[tuple[str, bool]] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
        happened.append(("startup", closed_keys.is_open))
        assert len((await closed_keys.list()).items) == 5
        yield {"pool": "of the app"}
        happened.append(("shutdown", closed_keys.is_open))

    async def pool(request: Request) -> Response:
        return PlainTextResponse(request.state.pool)

    app = APIKeyMiddleware(Starlette(routes=[Route("/", pool)], lifespan=lifespan), closed_keys)
    scope = lifespan_scope()
    async with Connection(app, scope) as server:
        server.give("lifespan.startup")
        assert await server.take() == {"type": "lifespan.startup.complete"}
        request = http_scope("/", bearer(issuance.uploader.secret), state=dict(scope["state"]))
        assert (await ask(app, request)).text == "of the app"
        assert happened == [("startup", True)]
        server.give("lifespan.shutdown")
        assert await server.take() == {"type": "lifespan.shutdown.complete"}
        await server.end()
    assert happened == [("startup", True), ("shutdown", True)]
    assert not closed_keys.is_open


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("only http here")


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def answers_as_if_it_were_a_request(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def has_none(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("This can only handle HTTP connections, not lifespan.")


@pytest.mark.parametrize(
    ("app", "level"), [(raises, logging.WARNING), (has_none, logging.INFO), (returns, None), (Starlette(), None)]
)
async def test_what_an_app_raises_before_its_lifespan_is_in_the_log_with_its_traceback(
    closed_keys: APIKeys, app: ASGIApp, level: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with Connection(APIKeyMiddleware(app, closed_keys), lifespan_scope()) as server:
        server.give("lifespan.startup")
        assert await server.take() == {"type": "lifespan.startup.complete"}
        server.give("lifespan.shutdown")
        assert await server.take() == {"type": "lifespan.shutdown.complete"}
        await server.end()
    told = [record for record in caplog.records if record.name == "gatepost.lifespan"]
    assert [record.levelno for record in told] == ([] if level is None else [level])
    if level is not None:
        assert "served without one" in caplog.text
        assert f"in {getattr(app, '__name__', '')}" in caplog.text, "no traceback"
        assert "ValueError" in caplog.text


BROKEN_BEFORE_LIFESPAN = """
import os
from gatepost import APIKeyMiddleware, APIKeys

async def inner(scope, receive, send):
    if scope["type"] == "lifespan":
        raise KeyError("SETTING")
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})

app = APIKeyMiddleware(inner, APIKeys(os.environ["GATEPOST_DATABASE"]), optional=True)
"""


@pytest.mark.parametrize("lifespan", ["auto", "on"])
async def test_uvicorn_starts_such_an_app_unless_it_demands_a_lifespan(
    database: str, tmp_path: Path, lifespan: str
) -> None:
    (tmp_path / "broken_app.py").write_text(BROKEN_BEFORE_LIFESPAN)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "broken_app:app", "--port", str(port), "--lifespan", lifespan]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "GATEPOST_DATABASE": database}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    if lifespan == "auto":
        log = b""
        while b"Uvicorn running" not in log:
            line = await process.stderr.readline()
            assert line, log
            log += line
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 204
        process.terminate()
        log += await process.stderr.read()
        assert b"The app raised before its lifespan began" in log
        assert b"Application shutdown complete" in log
    else:
        log = await process.stderr.read()
        assert b"Exception in 'lifespan' protocol" in log
        assert b"Application startup failed" in log
    await process.wait()
    assert b"KeyError: 'SETTING'" in log
    assert b"broken_app.py" in log, "no traceback"
    assert (process.returncode == 3) is (lifespan == "on")


@pytest.mark.parametrize("app", [raises, returns, answers_as_if_it_were_a_request])
async def test_an_app_without_lifespan_is_served_one(closed_keys: APIKeys, app: ASGIApp) -> None:
    async with Connection(APIKeyMiddleware(app, closed_keys), lifespan_scope()) as server:
        server.give("lifespan.startup")
        assert await server.take() == {"type": "lifespan.startup.complete"}
        assert closed_keys.is_open
        server.give("lifespan.shutdown")
        assert await server.take() == {"type": "lifespan.shutdown.complete"}
        await server.end()
    assert not closed_keys.is_open


async def test_a_startup_that_fails_in_the_app_is_told_and_closes_the_keys(closed_keys: APIKeys) -> None:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        raise ZeroDivisionError("no pool")
        yield

    async with Connection(APIKeyMiddleware(Starlette(lifespan=lifespan), closed_keys), lifespan_scope()) as server:
        server.give("lifespan.startup")
        message = await server.take()
        assert message["type"] == "lifespan.startup.failed"
        assert "no pool" in message["message"]
        with pytest.raises(ZeroDivisionError):
            await server.end()
    assert not closed_keys.is_open


async def never_started(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the app was started without keys")


async def test_a_database_without_tables_fails_the_startup_and_names_the_command(postgres_url: str) -> None:
    async with Connection(APIKeyMiddleware(never_started, APIKeys(postgres_url)), lifespan_scope()) as server:
        server.give("lifespan.startup")
        message = await server.take()
        assert message["type"] == "lifespan.startup.failed"
        assert "gatepost db upgrade" in message["message"]
        with pytest.raises(SchemaError):
            await server.end()


async def test_keys_that_the_user_opened_stay_open(database: str) -> None:
    async with APIKeys(database) as keys:
        async with Connection(APIKeyMiddleware(returns, keys), lifespan_scope()) as server:
            server.give("lifespan.startup")
            assert await server.take() == {"type": "lifespan.startup.complete"}
            server.give("lifespan.shutdown")
            assert await server.take() == {"type": "lifespan.shutdown.complete"}
            await server.end()
        assert keys.is_open
        assert (await keys.list()).items


async def test_two_apps_may_share_keys_and_the_first_to_open_them_closes_them(
    closed_keys: APIKeys, issuance: Issuance
) -> None:
    inner = APIKeyMiddleware(returns, closed_keys)
    async with Connection(APIKeyMiddleware(inner, closed_keys, strip=False), lifespan_scope()) as server:
        server.give("lifespan.startup")
        assert await server.take() == {"type": "lifespan.startup.complete"}
        server.give("lifespan.shutdown")
        assert await server.take() == {"type": "lifespan.shutdown.complete"}
        await server.end()
    assert not closed_keys.is_open


async def test_without_a_lifespan_the_first_request_opens_the_keys(closed_keys: APIKeys, issuance: Issuance) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    guarded = APIKeyMiddleware(app, closed_keys)
    try:
        assert (await ask(guarded, http_scope("/", bearer(issuance.uploader.secret)))).text == "in"
        assert closed_keys.is_open
    finally:
        await closed_keys.close()


async def test_without_a_lifespan_a_database_without_tables_lets_nobody_in(
    postgres_url: str, issuance: Issuance
) -> None:
    guarded: Any = APIKeyMiddleware(never_started, APIKeys(postgres_url))
    with pytest.raises(Exception, match="gatepost db upgrade"):
        await ask(guarded, http_scope("/", bearer(issuance.uploader.secret)))


LOOP_PER_REQUEST = """
import asyncio, sys
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from gatepost import APIKeyMiddleware, APIKeys

async def prepare():
    keys = APIKeys(sys.argv[1])
    await keys.create_schema()
    async with keys:
        return (await keys.create("a key")).secret

secret = asyncio.run(prepare())
client = TestClient(APIKeyMiddleware(PlainTextResponse("here"), APIKeys(sys.argv[1], memory_entries=0)))
for _ in range(3):
    print(client.get("/", headers={"x-api-key": secret}).status_code, client.get("/").status_code)
"""


def test_keys_whose_event_loop_is_gone_are_opened_anew(ready_postgres_url: str) -> None:
    """Starlette's TestClient outside of `with`: no lifespan, and a loop of its own for each request. In a process of
    its own, because connections whose loop is gone warn when they are collected."""
    command = [sys.executable, "-c", LOOP_PER_REQUEST, ready_postgres_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["200 401", "200 401", "200 401", ""]


async def test_the_keys_are_closed_before_the_server_hears_that_shutdown_is_complete(closed_keys: APIKeys) -> None:
    """A server may end the loop at that moment: what came after would be cut off, and logged as a failure."""
    sent: list[tuple[str, bool]] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append((message["type"], closed_keys.is_open))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    for wrapped in (Starlette(), app):
        events = iter(["lifespan.startup", "lifespan.shutdown"])
        await APIKeyMiddleware(wrapped, closed_keys)(lifespan_scope(), receive, send)
    assert sent == [("lifespan.startup.complete", True), ("lifespan.shutdown.complete", False)] * 2
