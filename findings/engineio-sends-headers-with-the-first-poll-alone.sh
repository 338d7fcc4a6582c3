#!/usr/bin/env bash
# python-engineio 4.15.1 (the transport of python-socketio), aiohttp 3.14.5, uvicorn 0.54.0, CPython 3.11.
# `AsyncClient.connect(url, headers=...)` over long polling sends the headers with the request that opens the connection, and with none of
# the polls and posts that follow. A server or middleware that asks for a credential in each request lets the client in, and refuses it a
# moment later; over WebSocket there is one request, so nothing is seen. Headers of the HTTP session that it may be given go with all.
# Seen: "headers= of connect: [True, False, False, False]", "headers of the session: [True, True, True, True]" (how many there are differs).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install python-engineio==4.15.1 aiohttp==3.14.5 uvicorn==0.54.0
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import socket

import aiohttp
import engineio
import uvicorn

server = engineio.AsyncServer(async_mode="asgi", ping_interval=2)  # a poll ends soon, and with it the client
app = engineio.ASGIApp(server)
told = []


@server.on("message")
async def message(sid, data):
    await server.send(sid, data)


async def noting(scope, receive, send):
    if scope["type"] == "http":
        told.append(any(name == b"x-token" for name, _ in scope["headers"]))
    await app(scope, receive, send)


async def talk(origin, client, **options):
    """What of the requests had the header, from the opening on to an answer."""
    told.clear()
    answered = asyncio.Event()
    client.on("message", lambda data: answered.set())
    await client.connect(origin, transports=["polling"], **options)
    await client.send("hello")
    await asyncio.wait_for(answered.wait(), 20)
    seen = list(told)
    await client.disconnect()
    return seen


async def main():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        web = uvicorn.Server(uvicorn.Config(noting, log_level="critical", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        while not web.started:
            await asyncio.sleep(0.01)
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        headers = {"X-Token": "a"}
        first = await talk(origin, engineio.AsyncClient(), headers=headers)
        async with aiohttp.ClientSession(headers=headers) as session:
            second = await talk(origin, engineio.AsyncClient(http_session=session))
        web.should_exit = True
        await serving
    print(f"headers= of connect: {first}")
    print(f"headers of the session: {second}")
    assert len(first) >= 3 and first[0] and not any(first[1:]), first
    assert len(second) >= 3 and all(second), second


asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
