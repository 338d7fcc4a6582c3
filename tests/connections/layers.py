"""The same download behind different middleware, for servers to serve: `/<layers>/chunked` and `/<layers>/length`.

The environment is as for `tests.asgi_servers.app`.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys

keys = APIKeys(
    os.environ["GATEPOST_TEST_DATABASE"],
    poll_interval=float(os.environ["GATEPOST_TEST_POLL_SECONDS"]),
    max_staleness=2,
)


class Timed(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-Timed"] = "yes"
        return response


async def rows() -> AsyncIterator[bytes]:
    while True:
        yield b"a row\n"
        await asyncio.sleep(0.02)


async def download(request: Request) -> Response:
    headers = {"Content-Length": "1000000"} if request.url.path.endswith("/length") else {}
    return StreamingResponse(rows(), headers=headers, media_type="text/csv")


async def swallowing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that ends as if all were well."""
    try:
        await files(scope, receive, send)
    except (asyncio.CancelledError, OSError):
        return


files = Starlette(routes=[Route("/chunked", download), Route("/length", download)])
guarded = APIKeyMiddleware(files, keys)

LAYERS: dict[str, ASGIApp] = {
    "none": guarded,
    "swallowing": Timed(APIKeyMiddleware(swallowing, keys)),
    "base": Timed(guarded),
    "base-twice": Timed(Timed(guarded)),
    "base-inside": APIKeyMiddleware(Timed(files), keys),
    "base-on-both-sides": Timed(APIKeyMiddleware(Timed(files), keys)),
    "gzip": GZipMiddleware(guarded),
    "base-around-gzip": Timed(GZipMiddleware(guarded)),
    "gzip-around-base": GZipMiddleware(Timed(guarded)),
    "base-around-cors": Timed(CORSMiddleware(guarded, allow_origins=["*"])),
    "base-around-another-gatepost": Timed(
        APIKeyMiddleware(APIKeyMiddleware(files, keys, strip=False), keys, strip=False)
    ),
}


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with keys:
        await keys.serve()
        yield


def health(_request: Request) -> Response:
    return PlainTextResponse("well")


app = Starlette(
    routes=[Route("/health", health), *(Mount(f"/{name}", layered) for name, layered in LAYERS.items())],
    lifespan=lifespan,
)
