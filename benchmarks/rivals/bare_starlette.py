"""Starlette, and nothing that protects it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Lifespan
from starlette.websockets import WebSocket

from benchmarks.rivals.rival import ANSWER, ROUTE, SOCKET, Guard, unguarded


async def objects(request: Request) -> Response:  # noqa: ARG001 - Starlette's `requires` looks for this name
    """The route."""
    return JSONResponse(ANSWER)


async def socket(websocket: WebSocket) -> None:
    """The WebSocket: a handshake, and its end."""
    await websocket.accept()
    await websocket.close()


def build(guard: Guard = unguarded, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The app, its handlers behind a guard."""
    routes = [Route(ROUTE, guard(objects)), WebSocketRoute(SOCKET, guard(socket))]
    return Starlette(routes=routes, lifespan=lifespan)
