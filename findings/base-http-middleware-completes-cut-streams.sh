#!/usr/bin/env bash
# Starlette 1.10.0, uvicorn 0.54.0, httpx2 2.16.2.
# A stream that fails half-way looks whole to the client as soon as one `BaseHTTPMiddleware` (FastAPI's
# `@app.middleware("http")`) stands around the app: the middleware sends the last chunk before it raises what the app
# raised. Without it the server drops the connection, and the client is told that the body is incomplete.
# Seen: "plain: RemoteProtocolError after b'half'", "behind BaseHTTPMiddleware: complete, b'half'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install starlette==1.10.0 uvicorn==0.54.0 httpx2==2.16.2
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import socket

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route


async def halves():
    yield b"half"
    await asyncio.sleep(0.1)
    raise RuntimeError("the second half is not to be had")


async def export(_request):
    return StreamingResponse(halves())


async def unchanged(request, call_next):
    return await call_next(request)


async def seen(app):
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    body = b""
    try:
        async with httpx2.AsyncClient() as client:
            async with client.stream("GET", "http://127.0.0.1:%d/" % listener.getsockname()[1]) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
        told = f"complete, {body!r}"
    except httpx2.RemoteProtocolError as error:
        told = f"{type(error).__name__} after {body!r}"
    server.should_exit = True
    await serving
    return told


routes = [Route("/", export)]
plain = asyncio.run(seen(Starlette(routes=routes)))
inside = asyncio.run(seen(BaseHTTPMiddleware(Starlette(routes=routes), dispatch=unchanged)))
print("plain:", plain)
print("behind BaseHTTPMiddleware:", inside)
assert plain == "RemoteProtocolError after b'half'", plain
assert inside == "complete, b'half'", inside
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" 2>/dev/null
