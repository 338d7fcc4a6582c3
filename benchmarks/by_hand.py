"""What one writes by hand over Redis and a database: pure ASGI, a round trip a request, and as fast as that gets.

None of them has what gatepost's records have: an expiry, a project, rotation, a word on how old an answer is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

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

_BY_DIGEST = select(table.c.permissions).where(table.c.digest == bindparam("digest"), table.c.active)


@dataclass(eq=False)
class ByHand(ABC):
    """A middleware: header, SHA-256, one question, three entries into the scope.

    `name`: of this contestant. `less`: what it does less than gatepost.
    """

    app: ASGIApp

    name: ClassVar[str]
    less: ClassVar[str]

    @abstractmethod
    async def permissions(self, digest: bytes) -> str | None:
        """Of the active key with that digest, between spaces; `None` where there is none."""

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


@dataclass(eq=False)
class RedisGet(ByHand):
    """One `GET` a request. Every key must be in Redis."""

    client: Redis

    name = "GET by hand"
    less = "no expiry, no project; a key stays good until somebody deletes its entry, and an evicted one is bad"

    async def permissions(self, digest: bytes) -> str | None:
        """One round trip to Redis."""
        value: Any = await self.client.get(b"by_hand:" + digest)
        return None if value is None else value.decode()


@dataclass(eq=False)
class Select(ByHand):
    """One `SELECT` a request, over SQLAlchemy Core."""

    engine: AsyncEngine

    name = "SELECT by hand"
    less = "no expiry, no project; remembers nothing"

    async def permissions(self, digest: bytes) -> str | None:
        """One statement; two round trips more where the engine begins a transaction for it."""
        async with self.engine.connect() as connection:
            names: str | None = await connection.scalar(_BY_DIGEST, {"digest": digest})
            return names


@dataclass(eq=False)
class RawSelect(ByHand):
    """One `SELECT` a request, over asyncpg's own pool: no SQLAlchemy."""

    pool: Any

    name = "SELECT by hand, bare asyncpg"
    less = "no expiry, no project; remembers nothing; one database only"

    async def permissions(self, digest: bytes) -> str | None:
        """One statement, prepared once a connection."""
        question = "SELECT permissions FROM by_hand WHERE digest = $1 AND active"
        names: str | None = await self.pool.fetchval(question, digest)
        return names


@dataclass(eq=False)
class GetThenSelect(Select):
    """A cache beside the database: `GET`; where Redis has nothing, `SELECT` and `SET`."""

    client: Redis

    name = "GET, then SELECT by hand"
    less = "no expiry, no project; a deactivated key is let in until its entry lapses, ten minutes"

    async def permissions(self, digest: bytes) -> str | None:
        """One round trip, or three."""
        value: Any = await self.client.get(b"cached:" + digest)
        if value is not None:
            return str(value.decode())
        names = await super().permissions(digest)
        if names is not None:
            await self.client.set(b"cached:" + digest, names, ex=CACHE_SECONDS)
        return names


async def put_in_redis(client: Redis, digests: Iterable[bytes], prefix: bytes = b"by_hand:") -> None:
    """Have Redis hold the keys whose secrets have these digests. `prefix`: `by_hand:` for `RedisGet`, `cached:` for
    `GetThenSelect`."""
    joined = " ".join(PERMISSIONS)
    for batch in batches(digests):
        await client.mset({prefix + each: joined for each in batch})


async def put_in_table(engine: AsyncEngine, numbers: Iterable[int]) -> None:
    """Make the table, and put these keys into it."""
    joined = " ".join(PERMISSIONS)
    async with engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
        for batch in batches(numbers):
            rows = [{"digest": digest(number), "permissions": joined, "active": True} for number in batch]
            await connection.execute(insert(table), rows)
