"""What is wrong with a server of FastMCP's is said as its app starts, with the line: no message has to come first."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastmcp import Context, FastMCP
from fastmcp.server.transforms import Transform
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from gatepost import APIKeyMiddleware, APIKeys, Catalogue, requires
from gatepost.integrations.fastmcp import Guard
from tests.integrations.test_fastapi import start
from tests.mcp.test_above import (
    of_a_prompt,
    of_a_resource,
    of_a_template,
    of_a_tool,
    of_an_older_version,
    of_what_a_tool_is_made_from,
)

Server = FastMCP[Any]

Notes = Catalogue.of("NotesOfTheStart", {"NOTES_READ": "read notes"})


def around(server: Server, keys: APIKeys) -> ASGIApp:
    return APIKeyMiddleware(server.http_app(), keys)


def in_its_list(server: Server, keys: APIKeys) -> ASGIApp:
    return server.http_app(middleware=[Middleware(APIKeyMiddleware, keys=keys)])


def without_sessions(server: Server, keys: APIKeys) -> ASGIApp:
    return APIKeyMiddleware(server.http_app(transport="sse"), keys)


def in_starlette(server: Server, keys: APIKeys) -> ASGIApp:
    within = server.http_app()
    return APIKeyMiddleware(Starlette(routes=[Mount("/in", within)], lifespan=within.lifespan), keys)


def in_fastapi(server: Server, keys: APIKeys) -> ASGIApp:
    within = server.http_app()
    app = FastAPI(lifespan=within.lifespan)
    app.mount("/in", within)
    return APIKeyMiddleware(app, keys)


def in_another(server: Server, keys: APIKeys) -> ASGIApp:
    middle: Server = FastMCP("middle", middleware=[Guard()])
    middle.mount(server, "files")
    outer: Server = FastMCP("outer", middleware=[Guard()])
    outer.mount(middle)
    return around(outer, keys)


MADE = [around, in_its_list, without_sessions, in_starlette, in_fastapi, in_another]


@pytest.mark.parametrize("guards", [[], [Guard()]])
@pytest.mark.parametrize(
    ("add", "called"),
    [
        (of_a_tool, "tools/call moves"),
        (of_an_older_version, "tools/call moves"),
        (of_what_a_tool_is_made_from, "tools/call moves_on"),
        (of_a_resource, "resources/read files://all"),
        (of_a_template, "resources/read files://{name}"),
        (of_a_prompt, "prompts/get moves"),
    ],
)
def test_a_guard_above_the_decorator_keeps_the_app_from_starting(
    ready_sqlite_url: str, add: Callable[[Server], Any], called: str, guards: list[Guard]
) -> None:
    server: Server = FastMCP("files", middleware=guards)
    code = add(server).__wrapped__.__code__
    assert start(around(server, APIKeys(ready_sqlite_url))).startswith(
        f"{code.co_filename}:{code.co_firstlineno}: /mcp {called} asks nobody for FILE_MOVE: @requires stands above"
    )


@pytest.mark.parametrize("make", MADE)
def test_it_is_said_wherever_the_server_stands(
    ready_sqlite_url: str, make: Callable[[Server, APIKeys], ASGIApp]
) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])
    code = of_a_tool(server).__wrapped__.__code__
    told = start(make(server, APIKeys(ready_sqlite_url)))
    assert len(told.splitlines()) == 1
    assert told.startswith(f"{code.co_filename}:{code.co_firstlineno}: ")


def read(server: Server) -> Any:
    @server.tool
    @requires("NOTES_READ")
    async def read() -> str:
        raise AssertionError

    return read


def read_with_a_context(server: Server) -> Any:
    @server.prompt
    @requires("NOTES_READ")
    async def read(context: Context) -> str:
        raise AssertionError(context)

    return read


@pytest.mark.parametrize("add", [read, read_with_a_context])
@pytest.mark.parametrize("make", MADE)
def test_a_permission_that_no_key_can_have_keeps_the_app_from_starting(
    ready_sqlite_url: str, make: Callable[[Server, APIKeys], ASGIApp], add: Callable[[Server], Any]
) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])
    code = add(server).__wrapped__.__code__
    told = start(make(server, APIKeys(ready_sqlite_url)))
    assert told.startswith(f"{code.co_filename}:{code.co_firstlineno}: ")
    assert " read asks for NOTES_READ, which no key can be given: the keys' catalogue DAM does not have it." in told


@pytest.mark.parametrize("make", MADE)
def test_what_is_as_it_should_be_starts(
    ready_sqlite_url: str, caplog: pytest.LogCaptureFixture, make: Callable[[Server, APIKeys], ASGIApp]
) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])
    read(server)
    read_with_a_context(server)

    async def folders() -> str:
        raise AssertionError

    server.tool(folders)
    server.tool(requires("NOTES_READ")(folders), name="guarded")
    with caplog.at_level(logging.WARNING, "gatepost.middleware"):
        assert start(make(server, APIKeys(ready_sqlite_url, catalogue=Notes))) == ""
    assert not [record for record in caplog.records if record.name.startswith("gatepost.middleware")]


class Waiting(Transform):
    """It asks somewhere else what there is."""

    async def list_tools(self, tools: Any) -> Any:
        await asyncio.sleep(0)
        raise AssertionError(tools)


def test_what_would_wait_to_be_listed_is_left_to_the_first_message(ready_sqlite_url: str) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])
    of_a_tool(server)
    code = of_a_prompt(server).__wrapped__.__code__
    server.local_provider.add_transform(Waiting())
    told = start(around(server, APIKeys(ready_sqlite_url)))
    assert len(told.splitlines()) == 1
    assert told.startswith(f"{code.co_filename}:{code.co_firstlineno}: /mcp prompts/get moves asks nobody")
