"""FastMCP's tools, resources and prompts: listed to keys that may use them, refused to others, counted one by one; by
both protocols of its own client."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import mcp_types
import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import McpError, ToolError
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import Middleware
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.tools import Tool

from gatepost import APIKeyMiddleware, APIKeys, Rate, requires
from gatepost.asgi.responses import REFUSED
from gatepost.integrations.fastmcp import Guard
from tests.mcp.test_clients import MODES, serving

pytestmark = pytest.mark.parametrize("mode", MODES)


class Files(FastMCP[Any]):
    """`calls`: what its tools have noted of those."""

    def __init__(self, *middleware: Middleware) -> None:
        super().__init__("files", middleware=[Guard(), *middleware])
        self.calls: list[str] = []


def files(*middleware: Middleware) -> Files:
    """A server with something of each kind, open and guarded."""
    server = Files(*middleware)

    @server.tool
    async def ping() -> str:
        return "pong"

    @server.tool
    @requires("OBJECTS_LIST")
    async def list_files(folder: str = "/") -> str:
        server.calls.append("list_files")
        return folder

    @server.tool
    @requires("FILE_DELETE")
    def delete_file(name: str) -> str:
        server.calls.append("delete_file")
        return name

    @server.tool
    @requires(any_of=("FILE_MOVE", "FILE_RENAME"))
    async def move() -> None:
        server.calls.append("move")

    @server.resource("files://all")
    @requires("OBJECTS_LIST")
    async def everything() -> str:
        return "all"

    @server.resource("files://{name}/text")
    @requires("OBJECTS_FETCH")
    async def text(name: str) -> str:
        return name

    @server.prompt
    @requires("OBJECTS_LIST")
    async def sort() -> str:
        return "Sort them."

    return server


@asynccontextmanager
async def asking(url: str, secret: str, mode: str) -> AsyncIterator[Client[Any]]:
    """FastMCP's client with that key."""
    options: dict[str, Any] = {} if mode == "auto" else {"mode": mode}
    async with Client(StreamableHttpTransport(url, headers={"X-API-Key": secret}), **options) as client:
        yield client


async def listed(client: Client[Any]) -> Sequence[set[str]]:
    """What a client sees: tools, resources, templates, prompts."""
    return [
        {tool.name for tool in await client.list_tools()},
        {str(resource.uri) for resource in await client.list_resources()},
        {template.uri_template for template in await client.list_resource_templates()},
        {prompt.name for prompt in await client.list_prompts()},
    ]


async def test_what_a_key_may_not_use_is_not_listed(keys: APIKeys, mode: str) -> None:
    none = await keys.create("none")
    some = await keys.create("some", ["OBJECTS_LIST", "FILE_RENAME"])
    async with serving(APIKeyMiddleware(files().http_app(), keys)) as url:
        async with asking(url, none.secret, mode) as client:
            assert await listed(client) == [{"ping"}, set(), set(), set()]
        async with asking(url, some.secret, mode) as client:
            assert await listed(client) == [{"ping", "list_files", "move"}, {"files://all"}, set(), {"sort"}]
            await keys.update(some.key.id, permissions=["OBJECTS_FETCH"])
            assert await listed(client) == [{"ping"}, set(), {"files://{name}/text"}, set()]


async def test_what_is_given_a_context_is_listed_to_who_may_use_it_too(keys: APIKeys, mode: str) -> None:
    server = Files()

    @server.tool
    @requires("FILE_MOVE")
    async def move(context: Context) -> str:
        raise AssertionError(context)

    @server.resource("files://all")
    @requires("FILE_MOVE")
    async def everything(context: Context) -> str:
        raise AssertionError(context)

    @server.resource("files://{name}/text")
    @requires("FILE_MOVE")
    async def text(name: str, context: Context) -> str:
        raise AssertionError(name, context)

    @server.prompt
    @requires("FILE_MOVE")
    async def sort(context: Context) -> str:
        raise AssertionError(context)

    none, some = await keys.create("none"), await keys.create("some", ["FILE_MOVE"])
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url:
        async with asking(url, none.secret, mode) as client:
            assert await listed(client) == [set(), set(), set(), set()]
            with pytest.raises(McpError) as refused:
                await client.get_prompt("sort")
            assert refused.value.error.data["missing"] == ["FILE_MOVE"]
        async with asking(url, some.secret, mode) as client:
            assert await listed(client) == [{"move"}, {"files://all"}, {"files://{name}/text"}, {"sort"}]


async def test_a_call_without_the_permission_is_refused_in_json_rpc(keys: APIKeys, mode: str) -> None:
    issued = await keys.create("lists", ["OBJECTS_LIST"])
    server = files()
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, issued.secret, mode) as client,
    ):
        assert (await client.call_tool("list_files", {"folder": "/x"})).data == "/x"
        for call, missing in (
            (client.call_tool("delete_file", {"name": "x"}), ["FILE_DELETE"]),
            (client.call_tool("delete_file", {"no such": "argument"}), ["FILE_DELETE"]),
            (client.call_tool("move"), ["FILE_MOVE", "FILE_RENAME"]),
            (client.read_resource("files://a/text"), ["OBJECTS_FETCH"]),
        ):
            with pytest.raises(McpError) as refused:
                await call
            error = refused.value.error
            assert (error.code, error.message) == (REFUSED, "The API key lacks a permission that this needs.")
            assert error.data["code"] == "permission_denied"
            assert error.data["missing"] == missing
        assert (await client.read_resource("files://all"))[0].text == "all"  # type: ignore[union-attr]
        assert await client.get_prompt("sort")
        await keys.update(issued.key.id, permissions=["FILE_DELETE"])
        with pytest.raises(McpError, match="lacks a permission"):
            await client.get_prompt("sort")
        assert (await client.call_tool("delete_file", {"name": "x"})).data == "x"
    assert server.calls == ["list_files", "delete_file"]


async def test_each_call_counts_for_the_tool_and_for_who_called(keys: APIKeys, mode: str) -> None:
    issued = await keys.create("lists", ["OBJECTS_LIST", "OBJECTS_FETCH"])
    async with (
        serving(APIKeyMiddleware(files().http_app(), keys)) as url,
        asking(url, issued.secret, mode) as client,
    ):
        await client.call_tool("list_files")
        await client.call_tool("list_files")
        await client.read_resource("files://a/text")
        await client.read_resource("files://b/text")
        await client.get_prompt("sort")
        for unknown in ("delete_file", "no such tool"):
            with pytest.raises((McpError, ToolError)):
                await client.call_tool(unknown, {"name": "x"})
    await keys.flush_usage()
    lines = await keys.usage(issued.key.id, by=("route", "outcome"))
    counted = {(line.route, str(line.outcome)): line.count for line in lines if " " in (line.route or "")}
    assert counted == {
        ("/mcp tools/call list_files", "valid"): 2,
        ("/mcp tools/call delete_file", "permission_denied"): 1,
        ("/mcp resources/read files://{name}/text", "valid"): 2,
        ("/mcp prompts/get sort", "valid"): 1,
    }


async def test_a_tools_limit_is_the_keys_alone_and_is_told_with_the_wait(keys: APIKeys, mode: str) -> None:
    server: FastMCP[Any] = FastMCP("dear", middleware=[Guard()])

    @server.tool
    @requires("OBJECTS_LIST", limit=Rate(4, per=3600, name="dear"), cost=2)
    async def dear() -> int:
        return 1

    @server.tool
    @requires("OBJECTS_LIST", limit=Rate(4, per=3600, name="threaded"), cost=3)
    def threaded() -> int:
        return 2

    one, other = [await keys.create(name, ["OBJECTS_LIST"]) for name in ("one", "other")]
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url:
        async with asking(url, one.secret, mode) as client:
            for tool, times in (("dear", 2), ("threaded", 1)):
                for _ in range(times):
                    await client.call_tool(tool)
                with pytest.raises(McpError) as refused:
                    await client.call_tool(tool)
                error = refused.value.error
                assert error.code == REFUSED
                assert error.data["code"] == "limit_exceeded"
                assert 0 < error.data["retry_after"] <= 3600
        async with asking(url, other.secret, mode) as client:
            assert (await client.call_tool("dear")).data == 1


async def test_what_the_headers_say_and_who_opened_the_session_counts_for_nothing(keys: APIKeys, mode: str) -> None:
    may = await keys.create("may", ["FILE_DELETE"])
    may_not = await keys.create("may not")
    server = files()
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url, asking(url, may.secret, mode) as client:
        await client.call_tool("delete_file", {"name": "x"})
        session = client.transport.get_session_id()
        assert (session is None) == (mode == "auto")
        headers = {"x-api-key": may_not.secret, "accept": "application/json, text/event-stream"}
        headers |= {"mcp-protocol-version": "2025-11-25", "mcp-session-id": session} if session else NEWEST
        for name, told in (("delete_file", REFUSED), ("ping", REFUSED if session else HEADER_MISMATCH)):
            answer = await _post(url, {**headers, "mcp-method": "tools/call", "mcp-name": name})
            assert f'"code":{told}' in answer
    assert server.calls == ["delete_file"]


HEADER_MISMATCH = -32020
"""What mcp's own server answers where its headers are not those of the body."""

NEWEST = {"mcp-protocol-version": "2026-07-28"}


async def _post(url: str, headers: Mapping[str, str]) -> str:
    """A call of `delete_file`, whatever the headers say."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": headers["mcp-protocol-version"],
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = {"name": "delete_file", "arguments": {"name": "x"}, "_meta": meta}
    async with httpx2.AsyncClient() as plain:
        answer = await plain.post(
            url, headers=headers, json={"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}
        )
    return answer.text


async def test_a_server_that_is_mounted_keeps_its_tools_to_itself_too(keys: APIKeys, mode: str) -> None:
    outer: FastMCP[Any] = FastMCP("outer", middleware=[Guard()])
    outer.mount(files(), namespace="in")
    none = await keys.create("none")
    lists = await keys.create("lists", ["OBJECTS_LIST"])
    async with serving(APIKeyMiddleware(outer.http_app(), keys)) as url:
        async with asking(url, none.secret, mode) as client:
            assert await listed(client) == [{"in_ping"}, set(), set(), set()]
            for call in (client.call_tool("in_list_files"), client.read_resource("files://in/all")):
                with pytest.raises(McpError) as refused:
                    await call
                assert refused.value.error.code == REFUSED
                assert refused.value.error.data["missing"] == ["OBJECTS_LIST"]
        async with asking(url, lists.secret, mode) as client:
            assert (await listed(client))[0] == {"in_ping", "in_list_files"}
            assert (await client.call_tool("in_list_files")).data == "/"
    await keys.flush_usage()
    routes = {line.route for line in await keys.usage(lists.key.id, by=("route",))}
    assert routes == {"/mcp", "/mcp tools/call in_list_files"}


async def test_a_tool_that_calls_another_does_so_for_its_caller(keys: APIKeys, mode: str) -> None:
    server = files()

    @server.tool
    async def tidy(context: Context) -> str:
        await context.fastmcp.call_tool("delete_file", {"name": "x"})
        return "tidy"

    may, may_not = await keys.create("may", ["FILE_DELETE"]), await keys.create("may not")
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url:
        async with asking(url, may.secret, mode) as client:
            assert (await client.call_tool("tidy")).data == "tidy"
        async with asking(url, may_not.secret, mode) as client:
            with pytest.raises(McpError) as refused:
                await client.call_tool("tidy")
    assert refused.value.error.data["missing"] == ["FILE_DELETE"]


async def test_arguments_are_completed_for_who_may_use_what_they_are_for(keys: APIKeys, mode: str) -> None:
    server = files()
    server.completion(lambda *_: ["secret.jpg"])
    may, may_not = await keys.create("may", ["OBJECTS_FETCH", "OBJECTS_LIST"]), await keys.create("may not")
    references = (
        mcp_types.ResourceTemplateReference(type="ref/resource", uri="files://{name}/text"),
        mcp_types.ResourceTemplateReference(type="ref/resource", uri="files://a/text"),
        mcp_types.PromptReference(type="ref/prompt", name="sort"),
    )
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url:
        for reference in references:
            async with asking(url, may.secret, mode) as client:
                told = await client.complete(reference, {"name": "name", "value": ""})
                assert told.values == ["secret.jpg"]
            async with asking(url, may_not.secret, mode) as client:
                with pytest.raises(McpError) as refused:
                    await client.complete(reference, {"name": "name", "value": ""})
                assert refused.value.error.code == REFUSED


async def test_a_tool_that_is_made_from_another_asks_for_the_same(keys: APIKeys, mode: str) -> None:
    server = files()
    original = await server.get_tool("delete_file")
    assert original is not None
    server.add_tool(Tool.from_tool(original, name="remove"))
    may, may_not = await keys.create("may", ["FILE_DELETE"]), await keys.create("may not")
    async with serving(APIKeyMiddleware(server.http_app(), keys)) as url:
        async with asking(url, may.secret, mode) as client:
            assert (await client.call_tool("remove", {"name": "x"})).data == "x"
        async with asking(url, may_not.secret, mode) as client:
            assert (await listed(client))[0] == {"ping"}
            with pytest.raises(McpError) as refused:
                await client.call_tool("remove", {"name": "x"})
    assert refused.value.error.data["missing"] == ["FILE_DELETE"]


async def test_a_cache_that_would_answer_one_key_with_what_another_may_see_is_said_at_once(
    keys: APIKeys, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    may = await keys.create("may", ["OBJECTS_LIST"])
    server = files(ResponseCachingMiddleware())
    logging.getLogger("mcp").setLevel(logging.ERROR)
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, may.secret, mode) as client,
    ):
        for call in (client.list_tools, client.list_prompts, lambda: client.call_tool("list_files")):
            with pytest.raises((McpError, ToolError)):
                await call()
    assert "has a ResponseCachingMiddleware beside its Guard" in caplog.text
    assert server.calls == []


async def test_a_key_for_some_resources_sees_the_tool_and_is_asked_for_which(keys: APIKeys, mode: str) -> None:
    server: FastMCP[Any] = FastMCP("files", middleware=[Guard()])

    @server.tool
    @requires("FILE_UPLOAD")
    async def everywhere() -> None:
        """Touches who knows what."""

    @server.tool
    @requires("FILE_UPLOAD", on=())
    async def here(folder: str) -> bool:
        key = get_http_request().scope["api_key"]
        return bool(key.permits("FILE_UPLOAD", f"dir:/{folder}"))

    issued = await keys.create("summer", ["FILE_UPLOAD"], resources=["dir:/summer/*"])
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, issued.secret, mode) as client,
    ):
        assert {tool.name for tool in await client.list_tools()} == {"everywhere", "here"}
        assert (await client.call_tool("here", {"folder": "summer/a"})).data is True
        assert (await client.call_tool("here", {"folder": "winter"})).data is False
        with pytest.raises(McpError) as refused:
            await client.call_tool("everywhere")
        assert refused.value.error.code == REFUSED


async def test_without_a_guard_a_tool_is_refused_all_the_same(keys: APIKeys, mode: str) -> None:
    server: FastMCP[Any] = FastMCP("bare", mask_error_details=True)

    @server.tool
    @requires("FILE_DELETE")
    async def delete_file() -> None:
        raise AssertionError

    issued = await keys.create("none")
    async with (
        serving(APIKeyMiddleware(server.http_app(), keys)) as url,
        asking(url, issued.secret, mode) as client,
    ):
        with pytest.raises(ToolError, match=r"^The API key lacks a permission that this needs\.$"):
            await client.call_tool("delete_file")


async def test_where_no_middleware_has_looked_nothing_that_asks_is_listed_or_called(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = files()
    logging.getLogger("mcp").setLevel(logging.ERROR)
    options: dict[str, Any] = {} if mode == "auto" else {"mode": mode}
    transports: Sequence[Any] = (server, None)
    for transport in transports:
        async with AsyncExitStack() as stack:
            url: Any = transport or await stack.enter_async_context(serving(server.http_app()))
            client = await stack.enter_async_context(Client(url, **options))
            with pytest.raises((McpError, ToolError)):
                await client.list_tools()
            with pytest.raises((McpError, ToolError)):
                await client.call_tool("list_files")
    assert server.calls == []
    assert "wrap the app in gatepost.APIKeyMiddleware" in caplog.text
