"""How many connections a process opens, as `docs/connecting.md` says."""

import asyncio
import re
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import event

from gatepost import APIKeys
from tests.readme import ROOT
from tests.servers.redis import RedisServer

LINE = re.search(r"with the keys open, at most \| (\d+): .*? \| (\d+): ", (ROOT / "docs" / "connecting.md").read_text())


async def flood(keys: APIKeys, secrets: list[str]) -> None:
    """Much at once of each kind, and changes one after the other."""
    looks: list[Any] = [keys.verify(secret, fresh=True) for secret in secrets for _ in range(3)]
    looks += [keys.list() for _ in range(40)] + [keys.get(secret[3:15]) for secret in secrets]
    await asyncio.gather(change(keys), *looks)


async def change(keys: APIKeys) -> None:
    """A few changes."""
    for _ in range(5):
        issued = await keys.create("another")
        await keys.deactivate(issued.key.id)


async def test_a_process_opens_as_many_connections_to_a_database_as_the_page_says(ready_postgres_url: str) -> None:
    assert LINE is not None
    async with APIKeys(ready_postgres_url, poll_interval=0.05, read_timeout=60.0) as keys:
        opened: set[object] = set()
        most = 0

        def made(connection: object, *_: object) -> None:
            nonlocal most
            opened.add(connection)
            most = max(most, len(opened))

        engine = keys._database.engine.sync_engine
        event.listen(engine, "checkout", made)
        event.listen(engine, "close", lambda connection, *_: opened.discard(connection))
        await keys.serve()  # only now: what listens may take its connection before this has ended
        issued = [await keys.create(f"key {number}") for number in range(40)]
        await flood(keys, [each.secret for each in issued])
        assert most == int(LINE[1])


async def test_a_process_opens_as_many_connections_to_redis_as_the_page_says(
    ready_sqlite_url: str, redis_server: RedisServer
) -> None:
    """Those to Redis stay open: they can be counted afterwards."""
    assert LINE is not None
    redis_server.resume()
    redis_server.start()
    options: dict[str, Any] = {"memory_entries": 0, "redis_timeout": 60.0, "poll_interval": 0.05}
    url = f"{redis_server.url}?client_name=counted"
    async with Redis.from_url(redis_server.url) as admin, APIKeys(ready_sqlite_url, url, **options) as keys:
        await keys.serve()
        issued = [await keys.create(f"key {number}") for number in range(60)]

        async def look(first: int) -> None:
            for each in issued[first:] + issued[:first]:
                await keys.verify(each.secret)

        await asyncio.gather(change(keys), *[look(first) for first in range(0, len(issued), 3)])
        assert 3 <= sum(each["name"] == "counted" for each in await admin.client_list()) <= int(LINE[2])
