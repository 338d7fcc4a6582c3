"""`Guard`: what a key may not use is not listed, and who calls it all the same is told why, in JSON-RPC.

message ──> tool, resource or prompt ──> what `requires` asks ──┬ list: what no call could use is left out
                                                                └ call: refused, or the function asks
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import mcp_types as mt
from fastmcp.exceptions import FastMCPError, McpError
from fastmcp.prompts.base import Prompt, PromptResult
from fastmcp.resources.base import Resource, ResourceResult
from fastmcp.resources.template import ResourceTemplate
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import Tool, ToolResult
from fastmcp.utilities.components import FastMCPComponent

from gatepost.asgi import TEMPLATE, PermissionCheck, checks_of, fastmcp_refusal, first_refusal, serving
from gatepost.asgi.responses import error_of
from gatepost.asgi.routes import mcp_functions
from gatepost.base import ConfigurationError
from gatepost.integrations.fastmcp.above import look_over

Component = TypeVar("Component", bound=FastMCPComponent)

_depth: ContextVar[int] = ContextVar("gatepost_fastmcp_depth", default=0)
"""How many guards are around what runs: more than one where a server is mounted in another, or a tool calls another."""


class Guard(Middleware):
    """A middleware: `FastMCP("files", middleware=[Guard()])`, the first of them, with `APIKeyMiddleware` around the
    server's app. A server that is mounted in another has one of its own, beside the other's.

    What is decorated with `@requires`, directly on the function below `@server.tool`, `@server.resource` or
    `@server.prompt`, is listed to keys that may use it, and no other; where a key's permissions hold on some resources
    alone, if it may on any. A call without the permission is refused before its arguments are looked at. Every refusal
    of `requires`, limits and `fresh` among them, reaches the client as a JSON-RPC error, code -32050, whose `data` has
    what a refusal's body says. Usage counts each tool as a route of its own: `/mcp tools/call upload`.

    It goes by the message that the server acts on, and never by the headers `mcp-name` and `mcp-method`, which are a
    client's word. A call looks its tool up once more, and looks at all functions of the server, in memory; no I/O.
    Raises `ConfigurationError` into FastMCP's log where something asks for a permission and no `APIKeyMiddleware` has
    looked at the request, as over stdio; where the server has a `ResponseCachingMiddleware` too; and where a
    `@requires` stands above FastMCP's decorator, so that it guards nothing: then nothing of the server is answered.
    """

    async def on_list_tools(
        self, context: MiddlewareContext[mt.ListToolsRequest], call_next: CallNext[mt.ListToolsRequest, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """Called by FastMCP."""
        await _server(context)
        return _usable(await call_next(context))

    async def on_list_resources(
        self,
        context: MiddlewareContext[mt.ListResourcesRequest],
        call_next: CallNext[mt.ListResourcesRequest, Sequence[Resource]],
    ) -> Sequence[Resource]:
        """Called by FastMCP."""
        await _server(context)
        return _usable(await call_next(context))

    async def on_list_resource_templates(
        self,
        context: MiddlewareContext[mt.ListResourceTemplatesRequest],
        call_next: CallNext[mt.ListResourceTemplatesRequest, Sequence[ResourceTemplate]],
    ) -> Sequence[ResourceTemplate]:
        """Called by FastMCP."""
        await _server(context)
        return _usable(await call_next(context))

    async def on_list_prompts(
        self,
        context: MiddlewareContext[mt.ListPromptsRequest],
        call_next: CallNext[mt.ListPromptsRequest, Sequence[Prompt]],
    ) -> Sequence[Prompt]:
        """Called by FastMCP."""
        await _server(context)
        return _usable(await call_next(context))

    async def on_call_tool(
        self,
        context: MiddlewareContext[mt.CallToolRequestParams],
        call_next: CallNext[mt.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Called by FastMCP."""
        with _telling():
            found = await (await _server(context)).get_tool(context.message.name)
            if found is not None:
                _enter("tools/call", found.name, found, context.message)
            return await call_next(context)

    async def check_resource_access(self, context: MiddlewareContext[mt.ReadResourceRequestParams]) -> None:
        """Called by FastMCP, before a resource is read and where else it asks for one."""
        server, uri = await _server(context), str(context.message.uri)
        found = await server.get_resource(uri)
        if found is not None:
            _enter("resources/read", str(found.uri), found, context.message)
            return
        template = await server.get_resource_template(uri)
        if template is not None:
            _enter("resources/read", template.uri_template, template, context.message)

    async def on_read_resource(
        self,
        context: MiddlewareContext[mt.ReadResourceRequestParams],
        call_next: CallNext[mt.ReadResourceRequestParams, ResourceResult],
    ) -> ResourceResult:
        """Called by FastMCP."""
        with _telling():
            return await super().on_read_resource(context, call_next)

    async def on_get_prompt(
        self,
        context: MiddlewareContext[mt.GetPromptRequestParams],
        call_next: CallNext[mt.GetPromptRequestParams, PromptResult],
    ) -> PromptResult:
        """Called by FastMCP."""
        with _telling():
            found = await (await _server(context)).get_prompt(context.message.name)
            if found is not None:
                _enter("prompts/get", found.name, found, context.message)
            return await call_next(context)

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Called by FastMCP, for all requests: completions of arguments have no other place."""
        if context.method != "completion/complete":
            return await call_next(context)
        with _telling():
            found = await _completed(await _server(context), context.message)
            if found is not None:
                _enter("completion/complete", getattr(found, "uri_template", found.name), found, None)
            return await call_next(context)


async def _completed(server: Any, message: Any) -> Any:
    """The prompt or the template whose arguments are to be completed; `None` where there is none, and for what is no
    such request: FastMCP says so."""
    ref = message.get("ref") if isinstance(message, Mapping) else None
    if not isinstance(ref, Mapping):
        return None
    if ref.get("type") == "ref/prompt":
        return await server.get_prompt(str(ref.get("name")))
    uri = str(ref.get("uri"))
    templates = await server.list_resource_templates(run_middleware=False)
    matching = [each for each in templates if each.uri_template == uri]
    return matching[0] if matching else await server.get_resource_template(uri)


async def _server(context: MiddlewareContext[Any]) -> Any:
    """The server that is asked. Raises `ConfigurationError` where it would answer one key with what another was, and
    where `@requires` guards nothing."""
    if context.fastmcp_context is None:
        raise ConfigurationError("Guard was called without a server, so what is asked of it cannot be told")
    server = context.fastmcp_context.fastmcp
    caching = sys.modules.get("fastmcp.server.middleware.caching")
    if caching is not None and any(isinstance(each, caching.ResponseCachingMiddleware) for each in server.middleware):
        raise ConfigurationError(
            f"The server {server.name!r} has a ResponseCachingMiddleware beside its Guard: it answers one key with "
            "what another may see, and @requires is not asked. Take it out, and cache within the tools"
        )
    await look_over(server)
    return server


def _checks(component: Any) -> Sequence[PermissionCheck]:
    """What `requires` asks of a component's function, and of that of the tool that it was made from. A server that is
    mounted does not show its functions here: its own guard does."""
    return [check for each in mcp_functions(component) for function in each for check in checks_of(function)]


def _usable(components: Sequence[Component]) -> Sequence[Component]:
    return [each for each in components if not _hopeless(_checks(each))]


def _hopeless(checks: Iterable[PermissionCheck]) -> Sequence[PermissionCheck]:
    """Those that refuse the caller whatever the arguments are. Raises `ConfigurationError`, as they do."""
    served = serving()
    scope = served[0] if served else None
    return [check for check in checks if not check.may_let_in(scope)]


def _enter(method: str, name: str, component: Any, message: Any) -> None:
    """Note what is used, and raise the refusal where no arguments would help. One of several versions, which a client
    may ask for by number, is left to its function."""
    served = serving()
    if served and _depth.get() <= 1:
        served[0][TEMPLATE] = f" {method} {name}"
    if (getattr(message, "meta", None) or {}).get("fastmcp"):
        return
    checks = _hopeless(_checks(component))
    problem = first_refusal(checks, served[0]) if served else None
    if served and problem is not None:
        served[1].refusal_log.tell(problem.outcome, served[0].get("api_key"), served[0])
        raise fastmcp_refusal(problem)


@contextmanager
def _telling() -> Iterator[None]:
    """Have what is refused within told in JSON-RPC, by the outermost guard: servers and tools between would make
    another error of it."""
    token = _depth.set(_depth.get() + 1)
    try:
        yield
    except FastMCPError as refusal:
        problem = getattr(refusal, "problem", None)
        if problem is None or _depth.get() > 1:
            raise
        error = error_of(problem.members, problem.headers)
        raise McpError(error["code"], error["message"], error["data"]) from None
    finally:
        _depth.reset(token)
