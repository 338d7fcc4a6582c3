"""The app that the servers serve: WebSockets of FastAPI, server-sent events of Starlette.

`/endings` tells which connections of the app have come to an end, and how. The environment is as for
`tests.asgi_servers.app`.
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.requests import Request
from starlette.responses import StreamingResponse

from gatepost import APIKeyMiddleware, APIKeys

api = FastAPI()
endings: list[str] = []


@api.get("/health")
async def health() -> str:
    return "well"


@api.get("/endings")
async def tell_endings() -> list[str]:
    """A generator whose response was cut while it waited for `send` ends when Python collects it: have it do so now."""
    gc.collect()
    return endings


@api.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("pong " + await websocket.receive_text())
    except WebSocketDisconnect as gone:
        endings.append(f"echo {gone.code} {websocket.scope['api_key'].id}")


@api.websocket("/push")
async def push(websocket: WebSocket) -> None:
    """Never receives."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.02)
    except (WebSocketDisconnect, OSError):
        endings.append(f"push {websocket.scope['api_key'].id}")


async def events(name: str, *, idle: bool) -> AsyncIterator[str]:
    try:
        while True:
            if not idle:
                yield "data: tick\n\n"
            await asyncio.sleep(0.02)
    finally:
        endings.append(name)


@api.get("/ticks")
async def ticks(request: Request) -> StreamingResponse:
    return StreamingResponse(events(f"ticks {request['api_key'].id}", idle=False), media_type="text/event-stream")


@api.get("/idle")
async def idle(request: Request) -> StreamingResponse:
    """Has no event to tell."""
    return StreamingResponse(events(f"idle {request['api_key'].id}", idle=True), media_type="text/event-stream")


app = APIKeyMiddleware(
    api,
    APIKeys(
        os.environ["GATEPOST_TEST_DATABASE"],
        poll_interval=float(os.environ["GATEPOST_TEST_POLL_SECONDS"]),
        max_staleness=2,
    ),
    exempt=["/health", "/endings"],
)
