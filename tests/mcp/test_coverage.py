"""What coverage tells of FastMCP's servers: each tool a route, and nothing that is guarded said to be open."""

from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.tools import Tool

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.coverage import coverage_of, grants_of, needs_text, prove
from gatepost.integrations.fastmcp import Guard
from tests.coverage.test_grants import made_long_ago
from tests.mcp.test_clients import serving
from tests.mcp.test_tools import Files, files

unopened = APIKeys("sqlite:///nothing-is-opened.db")


async def told(app: APIKeyMiddleware) -> dict[str, tuple[str, str]]:
    """By what it is called, what a caller needs, and the proof."""
    looked = await prove(app, coverage_of(app))
    return {route.subject: (needs_text(route, needs), looked.proofs[route]) for route, needs in looked.routes}


async def test_each_tool_resource_and_prompt_is_a_route_that_asks_for_its_permissions() -> None:
    server = files()
    original = await server.get_tool("delete_file")
    assert original is not None
    server.add_tool(Tool.from_tool(original, name="remove"))
    app = APIKeyMiddleware(server.http_app(), unopened)
    assert await told(app) == {
        "POST /mcp tools/call ping": ("a key", "refused"),
        "POST /mcp tools/call list_files": ("OBJECTS_LIST", "refused"),
        "POST /mcp tools/call delete_file": ("FILE_DELETE", "refused"),
        "POST /mcp tools/call remove": ("FILE_DELETE", "refused"),
        "POST /mcp tools/call move": ("one of FILE_MOVE or FILE_RENAME", "refused"),
        "POST /mcp resources/read files://all": ("OBJECTS_LIST", "refused"),
        "POST /mcp resources/read files://{name}/text": ("OBJECTS_FETCH", "refused"),
        "POST /mcp prompts/get sort": ("OBJECTS_LIST", "refused"),
    }
    assert [(gap.code, gap.subject) for gap in coverage_of(app).gaps if gap.severity == "warning"] == [
        ("key_only", "POST /mcp tools/call ping")
    ]


async def test_a_server_whose_app_is_exempt_is_told_to_be_open() -> None:
    app = APIKeyMiddleware(files().http_app(), unopened, exempt=["/mcp"])
    assert set((await told(app)).values()) == {("nothing: exempt", "let in")}
    assert not any(gap.code == "dead_exempt" for gap in coverage_of(app).gaps)
    assert {gap.subject for gap in coverage_of(app).gaps if gap.code == "exempt_refuses"} >= {
        "POST /mcp tools/call list_files"
    }


async def test_a_guard_above_the_tools_decorator_is_an_error() -> None:
    server = Files()

    @requires("FILE_DELETE")
    @server.tool
    async def delete_file() -> None: ...

    app = APIKeyMiddleware(server.http_app(), unopened)
    assert ("guard_above", "POST /mcp tools/call delete_file") in {
        (gap.code, gap.subject) for gap in coverage_of(app).gaps
    }


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_what_is_not_seen_is_said_not_to_be_seen(is_guarded: bool) -> None:
    outer: FastMCP[Any] = FastMCP("outer", middleware=[Guard()] if is_guarded else [])
    if is_guarded:
        outer.mount(files())
    else:
        outer.tool(requires("FILE_DELETE")(_nothing))
    app = APIKeyMiddleware(outer.http_app(), unopened)
    assert await told(app) == {"APP /mcp": ("a key", "refused")}
    assert {gap.code for gap in coverage_of(app).gaps if gap.severity != "note"} == {"opaque"}


async def _nothing() -> None: ...


async def test_a_permission_that_a_tool_was_called_with_is_used(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        issued = await keys.create("busy", ["OBJECTS_LIST", "FILE_DELETE"])
        app = APIKeyMiddleware(files().http_app(), keys)
        async with serving(app) as url:
            transport = StreamableHttpTransport(url, headers={"X-API-Key": issued.secret})
            async with Client(transport) as client:
                await client.call_tool("list_files")
        await keys.flush_usage()
        await made_long_ago(keys)
        grants = await grants_of(keys, coverage_of(app).asked, 30)
    assert grants.as_dict()["unused"] == {issued.key.id: ["FILE_DELETE"]}
