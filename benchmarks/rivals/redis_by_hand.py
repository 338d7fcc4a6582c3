"""What one writes by hand with Redis: a `GET` per request, in a pure ASGI middleware or in a `BaseHTTPMiddleware`."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, requires
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.rivals import bare_starlette
from benchmarks.rivals.rival import PERMISSION, Prepared, Rival, Stores, settings
from benchmarks.rivals.ten_lines import make_secrets

CONNECTIONS = 2_000
"""Most to Redis. With redis-py's own 100 it raises as soon as more requests than that wait at once."""


def name_of(secret: str) -> str:
    """Where Redis holds a key."""
    return f"key:{sha256(secret.encode()).hexdigest()}"


async def find(redis: Redis, header: str | None) -> dict[str, Any] | None:
    """The key that an `Authorization` header's secret belongs to; `None` where it is not to be let in."""
    if header is None or not header.startswith("Bearer "):
        return None
    found = await redis.get(name_of(header[7:]))
    if found is None:
        return None
    key: dict[str, Any] = json.loads(found)
    return key if key["active"] else None


def let_in(scope: Scope, key: dict[str, Any]) -> None:
    """Tell the app who calls."""
    scope["api_key"] = key["id"]
    scope["auth"] = AuthCredentials(key["permissions"])


class RedisMiddleware:
    """Pure ASGI."""

    def __init__(self, app: ASGIApp, redis: Redis) -> None:
        self.app = app
        self.redis = redis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "lifespan":
            header = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), None)
            key = await find(self.redis, header)
            if key is None:
                await PlainTextResponse("Unauthorized", 401)(scope, receive, send)
                return
            let_in(scope, key)
        await self.app(scope, receive, send)


class RedisHTTPMiddleware(BaseHTTPMiddleware):
    """Starlette's class for those who do not write ASGI."""

    def __init__(self, app: ASGIApp, redis: Redis) -> None:
        super().__init__(app)
        self.redis = redis

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve one request."""
        key = await find(self.redis, request.headers.get("authorization"))
        if key is None:
            return PlainTextResponse("Unauthorized", 401)
        let_in(request.scope, key)
        return await call_next(request)


async def prepare(stores: Stores) -> Prepared:
    """Put one key that is active and one that is not into Redis."""
    secrets = {**make_secrets(), "deactivated": make_secrets()["usable"]}
    async with Redis.from_url(stores.redis) as redis:
        for secret, active in ((secrets["usable"], True), (secrets["deactivated"], False)):
            key = {"id": secret[:8], "permissions": [PERMISSION], "active": active}
            await redis.set(name_of(secret), json.dumps(key))
    return Prepared(secrets=secrets, settings={"redis": stores.redis})


def _serve(middleware: Callable[[ASGIApp, Redis], ASGIApp]) -> ASGIApp:
    redis = Redis.from_url(settings()["redis"], max_connections=CONNECTIONS)

    @asynccontextmanager
    async def closing(_app: Starlette) -> AsyncIterator[None]:
        async with redis:
            yield

    return middleware(bare_starlette.build(requires(PERMISSION), closing), redis)


build, build_base_http = partial(_serve, RedisMiddleware), partial(_serve, RedisHTTPMiddleware)
"""The app, behind pure ASGI or behind a `BaseHTTPMiddleware`."""


NOTE = (
    "one GET per request; Redis decides alone, so no key without Redis, and what Redis loses or brings back counts; "
    "no expiry, no management. More connections allowed than redis-py's 100, above which it raises"
)

PURE = Rival("Redis GET by hand", "Starlette", f"{__name__}:build", prepare, NOTE)
BASE_HTTP = replace(PURE, name="Redis GET by hand, BaseHTTPMiddleware", app=f"{__name__}:build_base_http")
