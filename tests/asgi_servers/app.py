"""The app that the servers serve.

`GATEPOST_TEST_DATABASE`: its database's URL. `GATEPOST_TEST_POLL_SECONDS`: how often it looks for changes.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gatepost import APIKeyMiddleware, APIKeys, requires

gate = asyncio.Event()


async def me(request: Request) -> Response:
    return JSONResponse({"id": request["api_key"].id, "headers": request.headers.keys(), "pid": os.getpid()})


async def stream(_request: Request) -> Response:
    async def events() -> AsyncIterator[str]:
        gate.clear()
        yield "data: one\n\n"
        await gate.wait()
        yield "data: two\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def open_gate(_request: Request) -> Response:
    gate.set()
    return PlainTextResponse("open")


async def measure(request: Request) -> Response:
    """Answers how long the body was."""
    return PlainTextResponse(str(len(await request.body())))


@requires("FILE_UPLOAD")
async def upload(_request: Request) -> Response:
    return PlainTextResponse("uploaded")


async def public(_request: Request) -> Response:
    return PlainTextResponse("public")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("pong " + await websocket.receive_text())


@requires("FILE_UPLOAD")
async def guarded_echo(websocket: WebSocket) -> None:
    await echo(websocket)


app = APIKeyMiddleware(
    Starlette(
        routes=[
            Route("/me", me),
            Route("/stream", stream),
            Route("/open", open_gate),
            Route("/measure", measure, methods=["POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/health", public),
            Route("/public/{rest:path}", public),
            WebSocketRoute("/echo", echo),
            WebSocketRoute("/guarded-echo", guarded_echo),
        ]
    ),
    APIKeys(
        os.environ["GATEPOST_TEST_DATABASE"],
        poll_interval=float(os.environ["GATEPOST_TEST_POLL_SECONDS"]),
        max_staleness=2,
    ),
    exempt=["/health", "/public/*"],
)
