"""`@requires` above FastMCP's decorator, where it guards nothing, in a server that runs: the guard says so, with the
line."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastmcp import Context, FastMCP
from fastmcp.exceptions import McpError, ToolError
from fastmcp.tools import Tool

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.integrations.fastmcp import Guard
from tests.mcp.test_clients import serving
from tests.mcp.test_tools import asking

Server = FastMCP[Any]


def of_a_tool(server: Server) -> Any:
    @requires("FILE_MOVE")
    @server.tool
    async def moves() -> str:
        raise AssertionError

    return moves


def of_an_older_version(server: Server) -> Any:
    @requires("FILE_MOVE")
    @server.tool(name="moves", version="1")
    def moves() -> str:
        raise AssertionError

    @server.tool(name="moves", version="2")
    @requires("FILE_MOVE")
    def moves_anew() -> str:
        raise AssertionError

    return moves


def of_what_a_tool_is_made_from(server: Server) -> Any:
    async def moves() -> str:
        raise AssertionError

    server.add_tool(Tool.from_tool(Tool.from_function(moves), name="moves_on"))
    return requires("FILE_MOVE")(moves)


def of_a_resource(server: Server) -> Any:
    @requires("FILE_MOVE")
    @server.resource("files://all")
    async def moves(context: Context) -> str:
        raise AssertionError(context)

    return moves


def of_a_template(server: Server) -> Any:
    @requires("FILE_MOVE")
    @server.resource("files://{name}")
    async def moves(name: str, context: Context) -> str:
        raise AssertionError(name, context)

    return moves


def of_a_prompt(server: Server) -> Any:
    @requires("FILE_MOVE")
    @server.prompt
    def moves(context: Context) -> str:
        raise AssertionError(context)

    return moves


@pytest.mark.parametrize(
    "add", [of_a_tool, of_an_older_version, of_what_a_tool_is_made_from, of_a_resource, of_a_template, of_a_prompt]
)
async def test_a_guard_above_the_decorator_is_said_with_its_line_and_nothing_is_answered(
    keys: APIKeys, caplog: pytest.LogCaptureFixture, add: Callable[[Server], Any]
) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])

    @server.tool
    async def ping() -> str:
        raise AssertionError

    may = await keys.create("may", ["FILE_MOVE"])
    logging.getLogger("mcp").setLevel(logging.ERROR)
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, may.secret, "auto") as client,
    ):
        code = add(server).__wrapped__.__code__
        for call in (
            client.list_tools,
            client.list_resources,
            client.list_resource_templates,
            client.list_prompts,
            lambda: client.call_tool("ping"),
            lambda: client.call_tool("moves"),
            lambda: client.read_resource("files://all"),
            lambda: client.read_resource("files://a"),
            lambda: client.get_prompt("moves"),
        ):
            with pytest.raises((McpError, ToolError)) as refused:
                await call()
            assert code.co_filename not in str(refused.value)
    assert f"{code.co_filename}:{code.co_firstlineno}: " in caplog.text
    assert "moves asks nobody for FILE_MOVE: @requires stands above the decorator" in caplog.text
    assert "Move @requires down, directly onto the function" in caplog.text


async def test_a_function_may_be_one_tool_as_it_is_and_another_one_guarded(keys: APIKeys) -> None:
    server: Server = FastMCP("files", middleware=[Guard()])

    async def folders() -> str:
        return "all"

    server.tool(folders)
    server.tool(requires("OBJECTS_LIST")(folders), name="guarded")
    none = await keys.create("none")
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, none.secret, "auto") as client,
    ):
        assert [tool.name for tool in await client.list_tools()] == ["folders"]
        assert (await client.call_tool("folders")).data == "all"
        with pytest.raises(McpError):
            await client.call_tool("guarded")
