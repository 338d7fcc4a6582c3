"""A server of the Model Context Protocol, with FastMCP: every client needs a key, sees the tools that it may use,
and is refused the others.

    pip install 'gatepost[serve]' fastmcp
    uvicorn mcp_server:app
    gatepost keys create "assistant" -p OBJECTS_LIST --app mcp_server:app

A client sends the key as a header:
StreamableHttpTransport("http://127.0.0.1:8000/mcp", headers={"X-API-Key": "gp_..."})
"""

from typing import Any

from fastmcp import FastMCP

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.integrations.fastmcp import Guard

server: FastMCP[Any] = FastMCP("files", middleware=[Guard()])
names = ["sunset.jpg"]


@server.tool
@requires("OBJECTS_LIST")
async def list_files() -> list[str]:
    """The files that there are."""
    return names


@server.tool
@requires("FILE_DELETE")
async def delete_file(name: str) -> str:
    """Remove a file."""
    names.remove(name)
    return name


keys = APIKeys.from_env()
app = APIKeyMiddleware(server.http_app(), keys)
