"""A PostgreSQL and a Redis with keys, gatepost's way to them, and what one asks them by hand with."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.servers.postgres import PostgresServer, postgres_server
from tests.servers.redis import RedisServer, redis_server

from benchmarks import stock
from gatepost import APIKeys

POOL_MAX = 100
"""Connections: redis-py's default, beyond which its default pool raises. The blocking one waits for a free one."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """What is under test: servers with keys, gatepost's way to them, and what one asks them by hand with."""

    redis: RedisServer
    postgres: PostgresServer
    keys: APIKeys
    client: Redis
    engine: AsyncEngine


@asynccontextmanager
async def stocked(numbers: Iterable[int], off: Iterable[int] = (), **options: Any) -> AsyncIterator[Tiers]:
    """Active and deactivated keys with these numbers. `options`: of `APIKeys`."""
    async with AsyncExitStack() as stack:
        redis, postgres = stack.enter_context(redis_server()), stack.enter_context(postgres_server())
        await APIKeys(postgres.url).create_schema()
        keys = APIKeys(postgres.url, redis.url, server_keys=[stock.SERVER_KEY], **options)
        await stack.enter_async_context(keys)
        await stock.put_in(keys, numbers)
        await stock.put_in(keys, off, active=False)
        engine = create_async_engine(postgres.url)
        stack.push_async_callback(engine.dispose)
        yield Tiers(redis, postgres, keys, await stack.enter_async_context(Redis.from_url(redis.url)), engine)


def waiting_client(url: str) -> Redis:
    """One that waits for a free connection; whoever asks closes it."""
    return Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=POOL_MAX, timeout=None))
