"""Refusals for clients of MCP (the Model Context Protocol over HTTP), which read JSON-RPC errors and nothing else.

Status and headers stay; the body is a JSON-RPC 2.0 error whose `data` has what the other body says.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.types import Scope

REFUSED = -32050
"""The code of the error: of those that JSON-RPC 2.0, section 5.1, leaves to servers, none of MCP's own."""

VERSION = b"mcp-protocol-version"
"""The header that each request of MCP has, but for the first of versions before 2026-07-28."""

_ANSWERS = (b"application/json", b"text/event-stream")
"""What a client of MCP must accept, both, in each request that it posts."""


def is_of_mcp(scope: Scope) -> bool:
    """Whether who sent an HTTP request waits for JSON-RPC: it posts, and says so by the header, or, as the first
    request has to, by accepting both a JSON answer and a stream of events for what is JSON itself."""
    if scope.get("method") != "POST":
        return False
    headers = {name: value for name, value in scope.get("headers", ()) if name in {VERSION, b"accept", b"content-type"}}
    if VERSION in headers:
        return True
    accepted = headers.get(b"accept", b"").lower()
    is_json = headers.get(b"content-type", b"").lower().startswith(_ANSWERS[0])
    return is_json and all(answer in accepted for answer in _ANSWERS)


def json_rpc_error(members: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The body. `members`: of the problem; its `detail` is the message. `headers`: of the refusal; clients show none,
    so `retry-after` stands among the data too, in seconds. The request is not read, so `id` is null."""
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error_of(members, headers)})


def error_of(members: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]] = ()) -> Mapping[str, Any]:
    """The error in it: `code`, `message` and `data`."""
    wait = next((int(value) for name, value in headers if name == b"retry-after"), None)
    data = members if wait is None else {**members, "retry_after": wait}
    return {"code": REFUSED, "message": members["detail"], "data": data}
