"""One Redis, or the master that a Sentinel names."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool


class Single:
    """What the tier asks of one Redis."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def mget(self, names: Sequence[bytes]) -> list[Any]:
        """The values under `names`, `None` for what is not held. One `MGET`."""
        return await self.client.mget(names)

    async def probe(self, name: bytes) -> None:
        """Raise unless it answers as it does to a lookup. One exchange."""
        await self.mget([name])

    async def relearn(self) -> None:
        """Whoever asks where the master is asks another Sentinel first: the one asked so far may hang."""
        pool = self.client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            sentinels = pool.sentinel_manager.sentinels
            sentinels.append(sentinels.pop(0))

    async def subscription(self) -> Any:
        """What to subscribe with."""
        return self.client.pubsub()

    async def close(self) -> None:
        """Close the client."""
        await self.client.aclose()
        pool = self.client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            for sentinel in pool.sentinel_manager.sentinels:
                await sentinel.aclose()
