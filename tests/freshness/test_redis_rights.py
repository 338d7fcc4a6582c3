"""The rights in Redis that `docs/connecting.md` gives suffice, and each is needed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from gatepost import APIKeys, Outcome, Rate, Slots
from gatepost.limits import Bucket
from tests.readme import blocks
from tests.servers.redis import RedisServer

(PAGE,) = blocks("docs/connecting.md", "redis")
RULES = PAGE.strip().removeprefix("ACL SETUSER gatepost ").split(" ")
NEEDED = [each for each in RULES if each[0] in "+~&"]
INTRODUCTION = "client"
"""What redis-py sends first, and may be refused."""


@dataclass(frozen=True)
class Guarded:
    """A Redis with the page's user. `url`: for that user."""

    admin: Redis
    url: str

    async def acl(self, *words: str) -> Any:
        """What `ACL …` answers."""
        return await self.admin.execute_command("ACL", *words)  # type: ignore[no-untyped-call]

    async def permit(self, *rules: str) -> None:
        """Let the user have these rights alone."""
        await self.acl("SETUSER", "gatepost", "reset", *rules)
        await self.acl("LOG", "RESET")
        await self.admin.script_flush()

    async def refused(self) -> set[str]:
        """The commands, names and channels that were refused since."""
        return {each[b"object"].decode() for each in await self.acl("LOG")} - {INTRODUCTION}


@pytest.fixture
async def guarded(redis_server: RedisServer) -> AsyncIterator[Guarded]:
    """The session's own Redis."""
    redis_server.resume()
    redis_server.start()
    async with Redis.from_url(redis_server.url) as admin:
        await admin.flushdb()
        guarded = Guarded(admin, redis_server.url.replace("redis://", "redis://gatepost:password@"))
        yield guarded
        await guarded.acl("DELUSER", "gatepost")


async def spend(keys: APIKeys) -> None:
    """Have a request taken from limits, and end it."""
    asked = [(Bucket("key/a/rate/0", Rate(10**6, per=1)), 1), (Bucket("key/a/slots/0", Slots(10**6)), 1)]
    keys.limiter.free(await keys.limiter.take(asked))


async def work(database: str, guarded: Guarded) -> None:
    """One worker makes and switches off a key, which another looks up, twice, and hears of."""
    options: dict[str, Any] = {"poll_interval": 0.05, "max_staleness": 60.0, "redis_timeout": 10.0}
    async with APIKeys(database, guarded.url, **options) as one, APIKeys(database, guarded.url, **options) as other:
        await one.serve()
        await other.serve()
        issued = await one.create("a key")
        for keys in (one, other):
            assert (await keys.verify(issued.secret)).valid
        await spend(one)
        await one.deactivate(issued.key.id)
        assert (await other.verify(issued.secret)).outcome is Outcome.DEACTIVATED
        for keys in (one, other):
            tier = keys._opened().redis
            assert tier is not None
            while tier.healthy and (tier._pending or tier._writing):  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.005)


async def test_the_rights_of_the_page_suffice(ready_sqlite_url: str, guarded: Guarded) -> None:
    await guarded.permit(*RULES)
    await work(ready_sqlite_url, guarded)
    assert await guarded.refused() == set()
    statistics = await guarded.admin.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name in statistics}
    assert {rule[1:] for rule in RULES if rule.startswith("+")} <= used


@pytest.mark.parametrize("right", NEEDED)
async def test_each_right_of_the_page_is_needed(ready_sqlite_url: str, guarded: Guarded, right: str) -> None:
    await guarded.permit(*[each for each in RULES if each != right])
    await work(ready_sqlite_url, guarded)
    while not await guarded.refused():
        await work(ready_sqlite_url, guarded)
