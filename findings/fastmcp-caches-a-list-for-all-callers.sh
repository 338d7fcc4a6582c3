#!/usr/bin/env bash
# fastmcp 4.2.3, mcp 2.3.0, CPython 3.11.
# FastMCP's `ResponseCachingMiddleware` keeps lists and results apart by OAuth token alone. Where callers are told apart by anything else
# (a header, a middleware of one's own that filters `tools/list`), the second caller is answered with what the first one was.
# Seen: "guest lists: admin, ping" and "guest is answered: all the secrets", as the boss was.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install fastmcp==4.2.3 mcp==2.3.0
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import logging

from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import Middleware
from fastmcp.server.middleware.caching import ResponseCachingMiddleware

logging.disable(logging.CRITICAL)
caller = "boss"


class Filter(Middleware):
    async def on_list_tools(self, context, call_next):
        return [tool for tool in await call_next(context) if caller == "boss" or tool.name != "admin"]

    async def on_call_tool(self, context, call_next):
        if context.message.name == "admin" and caller != "boss":
            raise ToolError("not for you")
        return await call_next(context)


server = FastMCP("x", middleware=[ResponseCachingMiddleware(), Filter()])


@server.tool
def ping() -> str:
    return "pong"


@server.tool
def admin() -> str:
    return "all the secrets"


async def main():
    global caller
    for caller in ("boss", "guest"):
        async with Client(server) as client:
            listed = ", ".join(sorted(tool.name for tool in await client.list_tools()))
            answer = (await client.call_tool("admin")).data
        print(caller, "lists:", listed)
        print(caller, "is answered:", answer)
        assert (listed, answer) == ("admin, ping", "all the secrets"), (listed, answer)


asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
