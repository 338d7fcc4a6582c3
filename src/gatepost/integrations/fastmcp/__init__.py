"""FastMCP: `Guard()` is a middleware of a server, beside the one around its app. Permissions of tools, resources and
prompts.

    server = FastMCP("files", middleware=[Guard()])
    app = APIKeyMiddleware(server.http_app(), keys)

    @server.tool
    @requires("FILE_UPLOAD")
    async def upload(name: str) -> str: ...

Of the other rooms it knows `asgi` and `base`.
"""

from gatepost.integrations.fastmcp.guard import Guard as Guard
