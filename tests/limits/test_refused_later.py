"""What a request gets back that was let in and then refused: what it took, but for what has come back by itself."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, Rate, requires
from gatepost.limits import Bucket, Leases, Limiter, Members, SharedCounts, Taken
from tests.frameworks.connection import ask, bearer, http_scope
from tests.limits.conftest import MakeWorker
from tests.limits.reference import Counts

SLOW = Rate(20, per=20, burst=5)


class Moved:
    """A limiter whose clock is moved by hand. `shared`: whether a Redis counts, as the reference of its script does.
    `workers`: among how many limits are divided."""

    def __init__(self, rate: Rate, workers: int, *, shared: bool) -> None:
        self.now = 1_000
        self.bucket = Bucket("key/a/rate/0", rate)
        self._counts = Counts()
        self.members = Members(self._count_workers, lambda: self.now)
        leases = Leases(None, time.time, time.monotonic)  # type: ignore[arg-type]
        tier = SharedCounts(self) if shared else None
        self.limiter = Limiter(leases, tier, self.members, clock=lambda: self.now)
        self.members.number = workers

    async def _count_workers(self) -> int:
        return self.members.number

    async def count(self, buckets: Sequence[bytes], words: Sequence[bytes]) -> Sequence[int]:
        self._counts.now = int(self.now * 1_000_000)
        return self._counts.count(buckets, words)

    async def take(self, cost: int) -> Taken:
        asked = [(self.bucket, cost)]
        return self.limiter.take_at_once(asked) or await self.limiter.take(asked)

    async def whole(self) -> float | None:
        """Seconds until all is there."""
        return (await self.take(0)).states[0].whole

    def whole_here(self) -> float | None:
        """As this process counts, also while Redis does."""
        return self.limiter._look(self.bucket, 0).whole


@pytest.mark.parametrize("shared", [False, True], ids=["here", "by all"])
async def test_what_has_come_back_by_itself_is_not_given_back_again(shared: bool) -> None:
    keys = Moved(Rate(10, per=10), 1, shared=shared)
    refused_later = [await keys.take(2) for _ in range(4)]
    keys.now += 1
    assert await keys.whole() == keys.whole_here() == 7
    await keys.limiter.give_back(refused_later[0])
    assert await keys.whole() == keys.whole_here() == 6, "half of it had come back"
    keys.now += 1
    await keys.limiter.give_back(refused_later[1])
    assert await keys.whole() == keys.whole_here() == 5, "all of it had"
    keys.now += 5
    full = [await keys.take(1) for _ in range(10)]
    await keys.limiter.give_back(refused_later[2])
    assert [taken.let_in for taken in full] == [True] * 10
    assert await keys.whole() == keys.whole_here() == 10
    await keys.limiter.give_back(full[0])
    assert await keys.whole() == keys.whole_here() == 9, "at once it is all of it"


async def test_who_gives_back_leaves_what_others_took() -> None:
    keys = Moved(SLOW, 4, shared=False)
    refused_later = await keys.take(1)
    keys.now += 4
    assert (await keys.take(5)).let_in
    await keys.limiter.give_back(refused_later)
    keys.now += 4
    again = await keys.take(5)
    assert not again.let_in, "10 in 4 seconds, of 5 at once and one every 4 seconds"
    assert again.retry_after == 16


@pytest.mark.parametrize(("workers", "later"), [(1, 4), (4, 1)])
async def test_as_much_is_given_back_as_was_taken_when_there_were_more_workers_or_fewer(
    workers: int, later: int
) -> None:
    keys = Moved(SLOW, workers, shared=False)
    refused_later = await keys.take(1)
    await keys.limiter.charge([(keys.bucket, 1)])
    assert keys.whole_here() == 2 * workers
    keys.members.number = later
    await keys.limiter.give_back(refused_later)
    assert keys.whole_here() == workers


class Held:
    """An app at whose `/slow` requests stay until they are let go on, and are refused then."""

    def __init__(self, keys: APIKeys) -> None:
        routes = [Route("/slow", self._slow), Route("/", lambda _request: PlainTextResponse("done"))]
        self.app = APIKeyMiddleware(Starlette(routes=routes), keys)
        self.entered = 0
        self.goes_on = asyncio.Semaphore(0)

    async def _slow(self, request: Any) -> Any:  # as one whose body is read before its permissions are asked for
        self.entered += 1
        await self.goes_on.acquire()
        return await _denied(request)


@requires("FILE_DELETE")
async def _denied(_request: Any) -> PlainTextResponse:
    raise AssertionError


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("counted", ["here", "by all"])
async def test_requests_that_were_held_and_are_refused_let_no_more_in(
    worker: MakeWorker, counted: str, request: pytest.FixtureRequest
) -> None:
    keys: APIKeys = await worker(request.getfixturevalue("redis_url") if counted == "by all" else None)
    site = Held(keys)
    issued = await keys.create("a key", ["FILE_UPLOAD"], limits=[Rate(20, per=1, burst=10)])

    async def asked(path: str) -> int:
        return (await ask(site.app, http_scope(path, bearer(issued.secret)))).status_code

    held: list[asyncio.Task[int]] = []
    for _ in range(2):
        held += [asyncio.create_task(asked("/slow")) for _ in range(10)]
        while site.entered < len(held):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.001)
        while [state.left for state in await keys.limits(issued.key.id)] != [10]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    began, let_in = time.monotonic(), 0
    for refused in range(21):
        while await asked("/") == 200:
            let_in += 1
        site.goes_on.release()
        while sum(task.done() for task in held) <= refused < 20:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    assert [await task for task in held] == [403] * 20
    assert let_in <= 10 + 20 * (time.monotonic() - began)
