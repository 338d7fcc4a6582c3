"""A cold key that many ask for, one after another while it is being read: each tier is asked once."""

import asyncio
from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from gatepost import APIKeys, Outcome
from gatepost.database import Database, Reading
from gatepost.redis.tier import RedisTier
from tests.freshness.conftest import MakeWorker, calls_of, settled

REQUESTS = 200


class HeldDatabase(Database):
    """The real database; answers to lookups wait for `release`."""

    def __init__(self, keys: APIKeys) -> None:
        real = keys._database
        super().__init__(real._given, timeout=5)
        self._engine = real.engine
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self.reads = 0
        keys._opened().lookup._database = self

    async def read_records(self, digests: Sequence[bytes]) -> Reading:
        """Read at once; answer when released."""
        self.reads += 1
        reading = await super().read_records(digests)
        self.asked.set()
        await self.release.wait()
        return reading


class HeldRedis:
    """The real tier; answers to lookups wait for `release`, and are none where it `fails` by then."""

    def __init__(self, keys: APIKeys) -> None:
        tier = keys._opened().redis
        assert isinstance(tier, RedisTier)
        self._get = tier.get
        self._tier = tier
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self.fails = False
        self.gets = 0
        tier.get = self.get  # type: ignore[method-assign]

    async def get(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """As the tier's."""
        self.gets += 1
        payloads = await self._get(digests)
        self.asked.set()
        await self.release.wait()
        if self.fails:
            self._tier._trip(TimeoutError())
            return {}
        return payloads


async def come_one_after_another(keys: APIKeys, secret: str, count: int = REQUESTS) -> "list[asyncio.Task[Outcome]]":
    """So many requests, each some turns of the loop after the one before; those that wait go on waiting."""

    async def request() -> Outcome:
        return (await keys.verify(secret)).outcome

    requests = []
    for _ in range(count):
        requests.append(asyncio.create_task(request()))
        for _ in range(3):
            await asyncio.sleep(0)
    return requests


async def test_requests_that_come_while_a_cold_key_is_read_from_the_database_ask_redis_no_more(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    await keys.serve()
    before = (await calls_of(redis_url, "mget"))["mget"]
    database = HeldDatabase(keys)
    first = asyncio.create_task(keys.verify(issued.secret))
    await database.asked.wait()
    requests = await come_one_after_another(keys, issued.secret)
    database.release.set()

    assert (await first).valid
    assert await asyncio.gather(*requests) == [Outcome.VALID] * REQUESTS
    assert ((await calls_of(redis_url, "mget"))["mget"] - before, database.reads) == (1, 1)


async def test_requests_that_come_all_the_way_through_a_cold_lookup_cost_one_mget_and_one_select(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    before = (await calls_of(redis_url, "mget"))["mget"]
    redis, database = HeldRedis(keys), HeldDatabase(keys)
    requests = await come_one_after_another(keys, issued.secret)
    await redis.asked.wait()
    redis.release.set()
    while not database.asked.is_set():  # also in the very turns in which Redis' answer goes round
        requests += await come_one_after_another(keys, issued.secret, 1)
    requests += await come_one_after_another(keys, issued.secret)
    database.release.set()

    assert set(await asyncio.gather(*requests)) == {Outcome.VALID}
    assert ((await calls_of(redis_url, "mget"))["mget"] - before, redis.gets, database.reads) == (1, 1, 1)


async def test_requests_meet_in_one_select_where_redis_fails_while_they_wait_for_it(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    redis, database = HeldRedis(keys), HeldDatabase(keys)
    requests = await come_one_after_another(keys, issued.secret)
    await redis.asked.wait()
    redis.fails = True
    redis.release.set()
    requests += await come_one_after_another(keys, issued.secret)
    await database.asked.wait()
    requests += await come_one_after_another(keys, issued.secret)
    database.release.set()

    assert set(await asyncio.gather(*requests)) == {Outcome.VALID}
    assert (redis.gets, database.reads) == (1, 1)


async def test_a_redis_that_comes_back_is_not_asked_for_what_is_being_read_already(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    redis, database = HeldRedis(keys), HeldDatabase(keys)
    redis._tier._healthy = False
    first = asyncio.create_task(keys.verify(issued.secret))
    await database.asked.wait()
    redis._tier._healthy = True
    requests = await come_one_after_another(keys, issued.secret)
    database.release.set()

    assert (await first).valid
    assert set(await asyncio.gather(*requests)) == {Outcome.VALID}
    assert (redis.gets, database.reads) == (0, 1)


async def test_a_value_below_its_floor_is_asked_for_once_too(worker: MakeWorker, redis_url: str) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("a key")
    await keys.verify(issued.secret)
    await settled(keys)
    async with Redis.from_url(redis_url) as client:
        (name,) = await client.keys("*")
        stale = await client.get(name)
        assert stale is not None
        await keys.deactivate(issued.key.id)
        await settled(keys)
        await client.set(name, stale)
    redis, database = HeldRedis(keys), HeldDatabase(keys)
    redis.release.set()
    first = asyncio.create_task(keys.verify(issued.secret))
    await database.asked.wait()
    requests = await come_one_after_another(keys, issued.secret)
    database.release.set()

    assert (await first).outcome is Outcome.DEACTIVATED
    assert set(await asyncio.gather(*requests)) == {Outcome.DEACTIVATED}
    assert (redis.gets, database.reads) == (1, 1)


async def test_a_fresh_read_that_hangs_keeps_nobody_from_what_redis_holds(worker: MakeWorker, redis_url: str) -> None:
    writer = await worker(redis_url)
    issued = await writer.create("a key")
    await writer.verify(issued.secret)
    await settled(writer)
    keys = await worker(redis_url)
    database = HeldDatabase(keys)
    fresh = asyncio.create_task(keys.verify(issued.secret, fresh=True))
    await database.asked.wait()

    assert (await keys.verify(issued.secret)).valid
    database.release.set()
    assert (await fresh).valid
    assert database.reads == 1


async def test_a_request_that_is_cancelled_while_redis_is_asked_leaves_its_read_to_those_who_come_later(
    worker: MakeWorker, redis_url: str
) -> None:
    keys = await worker(redis_url)
    issued = await keys.create("cold")
    redis, database = HeldRedis(keys), HeldDatabase(keys)
    gone = asyncio.create_task(keys.verify(issued.secret))
    await redis.asked.wait()
    gone.cancel()
    redis.release.set()
    await database.asked.wait()
    later = asyncio.create_task(keys.verify(issued.secret))
    await asyncio.sleep(0)
    database.release.set()

    assert (await later).valid
    assert (redis.gets, database.reads) == (1, 1)
    assert keys._opened().lookup._sought == set()
