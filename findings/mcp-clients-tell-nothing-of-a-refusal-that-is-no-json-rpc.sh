#!/usr/bin/env bash
# fastmcp 4.2.3 with mcp 2.3.0, uvicorn 0.54.0, CPython 3.11.
# A server in front of an MCP endpoint that refuses with a status and a body of its own (401, 403, 429, 503; `application/problem+json`,
# RFC 9457) is told of by the client in one and the same sentence, without status, header or body: an expired key, a missing permission
# and an outage look the same to who reads it. A body that is a JSON-RPC error of type `application/json` comes through, at any status.
# Seen: for each of 401, 403, 429 and 503 "problem+json: Server returned an error response" and "JSON-RPC: told why".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install fastmcp==4.2.3 mcp==2.3.0 uvicorn==0.54.0
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import json
import logging
import socket

import uvicorn
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

logging.disable(logging.CRITICAL)
refusal = (401, b"application/json", b"")


async def refuses(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    status, media_type, body = refusal
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def told(url):
    try:
        async with Client(StreamableHttpTransport(url)) as client:
            await client.list_tools()
    except Exception as error:
        return str(error)
    return "let in"


async def main():
    global refusal
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(refuses, log_level="critical", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.02)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    problem = json.dumps({"title": "Refused", "detail": "told why"}).encode()
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32050, "message": "told why"}}
    for status in (401, 403, 429, 503):
        refusal = (status, b"application/problem+json", problem)
        plain = await told(url)
        refusal = (status, b"application/json", json.dumps(error).encode())
        rpc = await told(url)
        print(f"{status}: problem+json: {plain}; JSON-RPC: {rpc}")
        assert plain == "Server returned an error response", plain
        assert rpc == "told why", rpc
    server.should_exit = True
    await serving


asyncio.run(main())
PYTHON
timeout 60 "$folder/venv/bin/python" "$folder/seen.py"
