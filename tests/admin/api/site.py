"""A real server with the REST API in it twice: beside a wrapped app, and inside one."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gatepost import DAM, APIKeyMiddleware, APIKeys
from gatepost.admin.api import make_api, make_document
from tests.patience import PATIENCE_SECONDS

ALL = [str(name) for name in DAM]
OUTSIDE = "/api"
INSIDE = "/app/settings/api"
"""Where the API stands beside the wrapped app, and in it."""

JSON_TYPE = {"Content-Type": "application/json"}


async def me(request: Request) -> Response:
    return PlainTextResponse(request["api_key"].id)


def app_of(keys: APIKeys) -> ASGIApp:
    """The wrapped app has one route of its own, `/app/me`."""
    app = Starlette(routes=[Route("/me", me), Mount("/settings/api", make_api(keys))])
    return Starlette(
        routes=[
            Mount("/api", make_api(keys)),
            Route("/openapi.json", make_document(keys, api="/api")),
            Mount("/app", APIKeyMiddleware(app, keys)),
        ]
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a key, who calls the API that stands at `base`."""

    http: httpx2.AsyncClient
    base: str
    key_id: str
    secret: str

    async def call(self, method: str, path: str, json: Any = None, **options: Any) -> httpx2.Response:
        """The answer, which holds what every answer does."""
        options["headers"] = {"X-API-Key": self.secret, **options.get("headers", {})}
        if json is not None:
            options["json"] = json
        response = await self.http.request(method, self.base + path, **options)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        return response

    async def get(self, path: str, **query: Any) -> Any:
        """What a successful GET tells."""
        response = await self.call("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, json: Any = None, status: int = 200, **options: Any) -> Any:
        """What a successful POST tells."""
        response = await self.call("POST", path, json, **options)
        assert response.status_code == status, response.text
        return response.json()

    async def refused(self, method: str, path: str, json: Any = None, **options: Any) -> tuple[int, str]:
        """Status and code of a call that does not succeed; the body is a whole problem."""
        response = await self.call(method, path, json, **options)
        return refusal(response)


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem, which must be a whole one (RFC 9457)."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: Mapping[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    return response.status_code, problem["code"]


@dataclass(frozen=True, slots=True)
class Site:
    """The server, and its keys as their operator has them."""

    keys: APIKeys
    http: httpx2.AsyncClient

    async def caller(self, *permissions: str, project: str | None = None, base: str = OUTSIDE) -> Caller:
        """Somebody with a new key."""
        issued = await self.keys.create("a caller", permissions, project=project)
        return Caller(self.http, base, issued.key.id, issued.secret)

    async def let_in(self, secret: str) -> bool:
        """Whether the wrapped app lets a caller with this secret in."""
        response = await self.http.get("/app/me", headers={"Authorization": f"Bearer {secret}"})
        assert response.status_code in {200, 401}
        return response.status_code == 200


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The origin of a server on the loopback that serves an app in this event loop."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # else asyncio leaves Nagle's algorithm on: 40 ms a call
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, lifespan="off", log_config=None, timeout_keep_alive=PATIENCE_SECONDS)
        )
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - an attribute is all that uvicorn tells
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@asynccontextmanager
async def site_of(keys: APIKeys) -> AsyncIterator[Site]:
    """A site over open keys."""
    async with (
        serving(app_of(keys)) as origin,
        httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http,
    ):
        yield Site(keys, http)
