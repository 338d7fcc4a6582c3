"""What one writes by hand over Redis and a database: pure ASGI, a round trip a request, and as fast as that gets.

None of them has what gatepost's records have: an expiry, a project, rotation, a word on how old an answer is.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import Boolean, Column, LargeBinary, MetaData, Table, Text, bindparam, insert, select
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.stock import PERMISSIONS, batches, digest

CACHE_SECONDS = 600
"""How long what was read from the database is kept in Redis: as long as gatepost keeps it."""

REFUSAL: Message = {"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]}
REFUSAL_BODY: Message = {"type": "http.response.body", "body": b'{"detail":"Invalid API key"}'}

table = Table(
    "by_hand",
    MetaData(),
    Column("digest", LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb"), primary_key=True),
    Column("permissions", Text, nullable=False),
    Column("active", Boolean, nullable=False),
)
"""All in one row: nothing is faster to look up."""

_PERMITTED = " ".join(PERMISSIONS)
_BY_DIGEST = select(table.c.permissions).where(table.c.digest == bindparam("digest"), table.c.active)


GET, SELECT, RAW_SELECT = "GET by hand", "SELECT by hand", "SELECT by hand, bare asyncpg"
GET_THEN_SELECT = "GET, then SELECT by hand"
"""Contestants."""


@dataclass(eq=False)
class ByHand:
    """A middleware: header, SHA-256, one question, three entries into the scope.

    `permissions`: the question: those of the active key with that digest, between spaces; `None` where there is none.
    `less`: what it does less than gatepost.
    """

    app: ASGIApp
    permissions: Callable[[bytes], Awaitable[str | None]]
    less: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        for name, value in scope["headers"]:
            if name == b"authorization" and value.startswith(b"Bearer "):
                hashed = sha256(value[7:]).digest()
                names = await self.permissions(hashed)
                if names is not None:
                    scope["api_key"] = hashed
                    scope["permissions"] = scope["auth"] = frozenset(names.split())
                    await self.app(scope, receive, send)
                    return
                break
        await send(REFUSAL)
        await send(REFUSAL_BODY)


def redis_get(app: ASGIApp, client: Redis, prefix: bytes = b"by_hand:") -> ByHand:
    """One `GET` a request. Every key must be in Redis."""

    async def permissions(digest: bytes) -> str | None:
        value: Any = await client.get(prefix + digest)
        return None if value is None else value.decode()

    less = "no expiry, no project; a key stays good until somebody deletes its entry, and an evicted one is bad"
    return ByHand(app, permissions, less)


def select_each(app: ASGIApp, engine: AsyncEngine) -> ByHand:
    """One `SELECT` a request, over SQLAlchemy Core: two round trips more where the engine begins a transaction."""

    async def permissions(digest: bytes) -> str | None:
        async with engine.connect() as connection:
            names: str | None = await connection.scalar(_BY_DIGEST, {"digest": digest})
            return names

    return ByHand(app, permissions, "no expiry, no project; remembers nothing")


def raw_select(app: ASGIApp, pool: Any) -> ByHand:
    """One `SELECT` a request, prepared once a connection, over asyncpg's own pool: no SQLAlchemy."""
    question = "SELECT permissions FROM by_hand WHERE digest = $1 AND active"
    return ByHand(app, partial(pool.fetchval, question), "no expiry, no project; remembers nothing; one database only")


def get_then_select(app: ASGIApp, engine: AsyncEngine, client: Redis) -> ByHand:
    """A cache beside the database: one round trip; where Redis has nothing, `SELECT` and `SET` too."""
    cached, stored = redis_get(app, client, b"cached:").permissions, select_each(app, engine).permissions

    async def permissions(digest: bytes) -> str | None:
        names = await cached(digest)
        if names is None and (names := await stored(digest)) is not None:
            await client.set(b"cached:" + digest, names, ex=CACHE_SECONDS)
        return names

    less = "no expiry, no project; a deactivated key is let in until its entry lapses, ten minutes"
    return ByHand(app, permissions, less)


async def put_in_redis(client: Redis, digests: Iterable[bytes], prefix: bytes = b"by_hand:") -> None:
    """Have Redis hold the keys whose secrets have these digests. `prefix`: `by_hand:` for `redis_get`, `cached:` for
    `get_then_select`."""
    for batch in batches(digests):
        await client.mset({prefix + each: _PERMITTED for each in batch})


async def put_in_table(engine: AsyncEngine, numbers: Iterable[int]) -> None:
    """Make the table, and put these keys into it."""
    async with engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
        for batch in batches(numbers):
            rows = [{"digest": digest(number), "permissions": _PERMITTED, "active": True} for number in batch]
            await connection.execute(insert(table), rows)
