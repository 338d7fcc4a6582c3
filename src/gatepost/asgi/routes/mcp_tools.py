"""What a server of FastMCP's has: tools, resources and prompts, and the functions behind them. FastMCP is not imported:
a server of it has loaded it."""

import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_INJECTING = "fastmcp.server.dependencies"
"""The module whose wrappers, of functions that are given a `Context`, do not tell what they wrap."""

_INNER = "_inner"
"""Where FastMCP keeps a provider that goes by other names in the server it is mounted in."""


def mcp_tools(state: Any, path: str) -> Iterator[tuple[str, Sequence[Any]]]:
    """What the app answers whose state this is, if it is one of FastMCP's: path and functions of each component, as
    `Guard` counts them; of servers that are mounted too, by the names that they have there. What could not be told
    without waiting, as of a server elsewhere, is left out."""
    server = getattr(state, "fastmcp_server", None)
    for each in [] if server is None else _servers(server):
        for method, name, listing in mcp_listings(each):
            for component in at_once(listing()) or ():
                for functions in mcp_functions(component):
                    yield f"{path}{state.path} {method} {getattr(component, name)}", functions


def _servers(outermost: Any) -> Iterator[Any]:
    """A server, and those that are mounted in it, each once."""
    waiting, seen = [outermost], set[int]()
    while waiting:
        server = waiting.pop()
        if id(server) in seen:
            continue
        seen.add(id(server))
        yield server
        for provider in server.providers:
            within = provider
            while (inner := getattr(within, _INNER, None)) is not None:
                within = inner
            if hasattr(within, "server") and hasattr(within.server, "local_provider"):
                waiting.append(within.server)


def mcp_listings(server: Any) -> Sequence[tuple[str, str, Callable[[], Coroutine[Any, Any, Sequence[Any]]]]]:
    """What a server has itself, in memory: by which method it is used, which attribute tells one from another, and what
    lists it."""
    own = server.local_provider
    return (
        ("tools/call", "name", own.list_tools),
        ("resources/read", "uri", own.list_resources),
        ("resources/read", "uri_template", own.list_resource_templates),
        ("prompts/get", "name", own.list_prompts),
    )


def mcp_functions(component: Any) -> Iterator[Sequence[Any]]:
    """A component's function as it was registered, and last as it was written, if FastMCP has wrapped it; then those of
    the tools that it was made from; none of what other servers have."""
    while component is not None:
        if hasattr(component, "fn"):
            yield [component.fn, *filter(None, map(injected, [component.fn, *wrapped_by(component.fn)]))]
        component = getattr(component, "parent_tool", None)


def wrapped_by(function: Any) -> Iterator[Any]:
    """What a handler wraps: a function may be one route as it is, and another one guarded."""
    while (function := getattr(function, "__wrapped__", None) or injected(function)) is not None:
        yield function


def injected(function: Any) -> Any:
    """What a wrapper of FastMCP's calls; `None` = it is no such wrapper."""
    code = getattr(function, "__code__", None)
    injecting = sys.modules.get(_INJECTING)
    if code is None or injecting is None or code.co_filename != injecting.__file__ or "fn" not in code.co_freevars:
        return None
    return function.__closure__[code.co_freevars.index("fn")].cell_contents


def at_once(coroutine: Coroutine[Any, Any, T]) -> T | None:
    """What it answers without waiting for anything; `None` where it would wait: nothing is run then."""
    try:
        coroutine.send(None)
    except StopIteration as answer:
        found: T = answer.value
        return found
    coroutine.close()
    return None
