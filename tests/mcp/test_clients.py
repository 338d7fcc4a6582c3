"""Who is refused at a client of MCP is told why, by both of its protocols."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from gatepost import APIKeyMiddleware, APIKeys, Rate
from gatepost.asgi.responses.mcp import REFUSED
from tests.frameworks.connection import ask, http_scope

MODES = ["auto", "legacy"]
"""Of the client: what it takes for the newest protocol, and the one with sessions."""

Told = Callable[[str | None], Awaitable[str]]


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app under uvicorn; its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn says it so
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    server.should_exit = True
    await task


def things() -> FastMCP[Any]:
    """A server with a tool."""
    server: FastMCP[Any] = FastMCP("things")

    @server.tool
    async def one() -> int:
        return 1

    return server


async def refusal(
    url: str, secret: str | None, mode: str, between: Callable[[], Awaitable[object]] | None = None
) -> str:
    """What a person at a client is told: the error that it raises, and its data."""
    headers = {} if secret is None else {"X-API-Key": secret}
    options: dict[str, Any] = {} if mode == "auto" else {"mode": mode}
    try:
        async with Client(StreamableHttpTransport(url, headers=headers), **options) as client:
            await client.call_tool("one")
            if between is not None:
                await between()
                await client.call_tool("one")
    except Exception as error:  # noqa: BLE001 - whatever it raises
        return f"{error} {getattr(getattr(error, 'error', None), 'data', '')}"
    return "let in"


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_is_told_what_is_wrong_with_its_key(keys: APIKeys, mode: str) -> None:
    good = await keys.create("good")
    off = await keys.create("off")
    await keys.deactivate(off.key.id)
    bounded = await keys.create("bounded", allow=["203.0.113.0/24"])
    async with serving(APIKeyMiddleware(things().http_app(), keys)) as url:
        assert await refusal(url, good.secret, mode) == "let in"
        for secret, code, told in (
            (None, "key_missing", "X-API-Key"),
            ("gp_nothing", "key_invalid", "The API key is not valid."),
            (off.secret, "key_deactivated", "The API key is deactivated."),
            (bounded.secret, "address_denied", "may not be used from this address"),
        ):
            said = await refusal(url, secret, mode)
            assert code in said
            assert told in said


@pytest.mark.parametrize("mode", MODES)
async def test_nor_is_it_left_in_the_dark_in_the_middle(keys: APIKeys, mode: str) -> None:
    issued = await keys.create("used")
    async with serving(APIKeyMiddleware(things().http_app(), keys)) as url:
        said = await refusal(url, issued.secret, mode, lambda: keys.deactivate(issued.key.id))
        assert "key_deactivated" in said


@pytest.mark.parametrize("mode", MODES)
async def test_a_limit_that_is_used_up_is_told(keys: APIKeys, mode: str) -> None:
    issued = await keys.create("limited", limits=[Rate(1, per=3600)])
    async with serving(APIKeyMiddleware(things().http_app(), keys)) as url:
        assert "limit_exceeded" in await refusal(url, issued.secret, mode)


@pytest.mark.parametrize(
    ("headers", "is_json_rpc"),
    [
        ({"mcp-protocol-version": "2026-07-28"}, True),
        ({"accept": "application/json, text/event-stream", "content-type": "application/json"}, True),
        (
            {"accept": "text/event-stream,APPLICATION/JSON;q=0.9", "content-type": "application/json;charset=utf-8"},
            True,
        ),
        ({"accept": "application/json, text/event-stream", "content-type": "text/plain"}, False),
        ({"accept": "application/json", "content-type": "application/json"}, False),
        ({"accept": "text/event-stream", "content-type": "application/json"}, False),
        ({"accept": "*/*", "content-type": "application/json"}, False),
        ({}, False),
    ],
)
async def test_status_and_headers_stay_and_others_are_told_as_ever(
    keys: APIKeys, headers: dict[str, str], is_json_rpc: bool
) -> None:
    app = APIKeyMiddleware(PlainTextResponse("never"), keys)
    answer = await ask(app, http_scope("/", headers, method="POST"))
    plain = await ask(app, http_scope("/", {}, method="POST"))
    told, problem = answer.json(), plain.json()
    assert answer.status_code == plain.status_code == 401
    if is_json_rpc:
        assert answer.headers["content-type"] == "application/json"
        error = {"code": REFUSED, "message": problem["detail"], "data": problem}
        assert told == {"jsonrpc": "2.0", "id": None, "error": error}
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert told == problem
    sizes = ("content-type", "content-length")
    assert {n: v for n, v in answer.headers.items() if n not in sizes} == {
        n: v for n, v in plain.headers.items() if n not in sizes
    }
    assert int(answer.headers["content-length"]) == len(answer.content)
    for other in ("GET", "DELETE"):
        asked = await ask(app, http_scope("/", headers, method=other))
        assert asked.headers["content-type"] == "application/problem+json"


async def test_what_the_app_says_to_who_is_refused_is_the_apps(keys: APIKeys) -> None:
    app = APIKeyMiddleware(
        PlainTextResponse("never"), keys, on_error=lambda _scope, problem: PlainTextResponse("no", problem.status)
    )
    answer = await ask(app, http_scope("/", {"mcp-protocol-version": "2026-07-28"}, method="POST"))
    assert (answer.status_code, answer.text) == (401, "no")
