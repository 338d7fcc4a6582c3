"""Every fault of the campaign: what is done to the servers, the network, a worker or a clock, and undone again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from redis.exceptions import RedisError

from tests.campaign.crew import STEPPED_WORKER, Crew
from tests.campaign.site import Site

C = TypeVar("C", bound=Crew)

Run = Callable[[C, float], Awaitable[None]]
"""Make the fault, keep it for so many seconds, and end it."""

BUSY_SECONDS = 0.03
"""Between two disturbances of Redis, where they go on."""

SLOW_SECONDS = 0.03
"""How much later a slow network delivers, each way: a round trip stays below Redis' timeout."""

HANGING_SECONDS = 0.2
"""The same above Redis' timeout."""

STEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Fault(Generic[C]):
    """`system`: what fails. `unavailable`: whether requests may be answered 503 (also by a worker whose read of the
    database was under way when it was paused: its timeout is over when it goes on). `hit`: the only worker that it
    touches, `None` = all. `needs_clock`: it needs wall clocks that can be stepped."""

    name: str
    system: str
    run: Run[C]
    unavailable: bool = False
    hit: int | None = None
    needs_clock: bool = False


async def _nothing(_site: Site, seconds: float) -> None:
    await asyncio.sleep(seconds)


def _kept(begin: Callable[[Site], object], end: Callable[[Site], object]) -> Run[Site]:
    """A server or a worker is in a state, until it is put back."""

    async def run(site: Site, seconds: float) -> None:
        begin(site)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(end, site)

    return run


def _network(proxies: str, verb: str, *delay: float) -> Run[Site]:
    """Everything or some workers are cut off from a server, or it is far away."""

    async def run(site: Site, seconds: float) -> None:
        await site.tell_network(proxies, verb, *delay)
        await asyncio.sleep(seconds)
        await (site.tell_network(proxies, verb, 0.0) if delay else site.tell_network(proxies, "flow"))

    return run


async def _redis_flushed(site: Site, seconds: float) -> None:
    async with site.redis_client() as client:
        await _again_and_again(client.flushall, seconds)


async def _redis_full(site: Site, seconds: float) -> None:
    async with site.redis_client() as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(seconds)
        await client.config_set("maxmemory", "0")


async def _redis_restored(site: Site, seconds: float) -> None:
    """Its state is saved, changes go on, it dies, and comes back with what it had saved."""
    for _ in range(2):
        async with site.redis_client() as client:
            await client.save()
        await asyncio.sleep(seconds / 3)
        site.redis.stop()
        await asyncio.to_thread(site.redis.start)
    await asyncio.sleep(seconds / 3)
    site.redis.dump.unlink()


async def _redis_lies(site: Site, seconds: float) -> None:
    """Old values come back under their names, and stand under others'; some are garbage."""
    remembered: dict[Any, list[Any]] = {}
    turn = 0

    async def lie() -> None:
        nonlocal turn
        turn += 1
        names = [name async for name in client.scan_iter("gatepost:*", count=1000, _type="string")]
        values = await client.mget(names) if names else []
        for name, value in zip(names, values, strict=True):
            if value is not None and value not in remembered.setdefault(name, []):
                remembered[name].append(value)
        every = list(remembered)
        for number, (name, old) in enumerate(remembered.items()):
            lies = [old[0], old[turn % len(old)], remembered[every[number - 1]][0], b"garbage", old[-1][:20]]
            await client.set(name, lies[(turn + number) % len(lies)], px=60_000)

    async with site.redis_client() as client:
        await _again_and_again(lie, seconds)
        await client.flushall()


async def _again_and_again(action: Callable[[], Awaitable[Any]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # no timeout around it: redis-py 8.1 can lose a cancellation
        with contextlib.suppress(RedisError):
            await action()
        await asyncio.sleep(BUSY_SECONDS)


async def _database_restarted(site: Site, seconds: float) -> None:
    """Killed again and again, and started at once."""
    for _ in range(3):
        await asyncio.to_thread(site.postgres.kill)
        await asyncio.to_thread(site.start_database)
        await asyncio.sleep(seconds / 3)


async def _worker_paused_shortly(site: Site, seconds: float) -> None:
    """Again and again, for less than its lease and for about as long."""
    for part in (0.3, 0.6, 0.9, 1.1):
        await _worker_paused(site, part * site.plan.settings["max_staleness"])
        await asyncio.sleep(seconds / 10)


async def _worker_killed(site: Site, seconds: float) -> None:
    """Paused first, so that verbs wait for it when it dies."""
    server = site.stepped
    server.process.pause()
    await asyncio.sleep(seconds / 8)
    server.process.kill()
    await asyncio.sleep(seconds)
    await site.start_server(server)


def _clock_stepped(name: str) -> Run[Site]:
    """The wall clock jumps an hour ahead, and then to an hour behind."""

    async def run(site: Site, seconds: float) -> None:
        for step in (STEP_SECONDS, -STEP_SECONDS):
            site.clocks[name].step(step)
            await asyncio.sleep(seconds / 2)
        site.clocks[name].step(0.0)

    return run


async def _redis_lost_and_worker_cut_off(site: Site, seconds: float) -> None:
    site.redis.stop()
    await _network(f"database-{STEPPED_WORKER}", "stall")(site, seconds)
    await asyncio.to_thread(site.redis.start)


_redis_killed = _kept(lambda site: site.redis.stop(), lambda site: site.redis.start())
_redis_paused = _kept(lambda site: site.redis.pause(), lambda site: site.redis.resume())
_database_killed = _kept(lambda site: site.postgres.kill(), lambda site: site.start_database())
_database_paused = _kept(lambda site: site.postgres.pause(), lambda site: site.postgres.resume())
_worker_paused = _kept(lambda site: site.stepped.process.pause(), lambda site: site.stepped.process.resume())
_ONE = f"-{STEPPED_WORKER}"

FAULTS: Sequence[Fault[Site]] = (
    Fault("none", "none", _nothing),
    Fault("killed", "redis", _redis_killed),
    Fault("paused", "redis", _redis_paused),
    Fault("flushed all the time", "redis", _redis_flushed),
    Fault("full", "redis", _redis_full),
    Fault("restarted from an old dump", "redis", _redis_restored),
    Fault("silent for all workers", "redis", _network("redis", "stall")),
    Fault("cut off from one worker", "redis", _network("redis" + _ONE, "cut"), hit=STEPPED_WORKER),
    Fault("slow", "redis", _network("redis", "delay", SLOW_SECONDS)),
    Fault("slower than its timeout", "redis", _network("redis", "delay", HANGING_SECONDS)),
    Fault("lying", "redis", _redis_lies),
    Fault("killed", "database", _database_killed, unavailable=True),
    Fault("killed and restarted thrice", "database", _database_restarted, unavailable=True),
    Fault("paused", "database", _database_paused, unavailable=True),
    Fault("silent for one worker", "database", _network("database" + _ONE, "stall"), True, STEPPED_WORKER),
    Fault("cut off from one worker", "database", _network("database" + _ONE, "cut"), True, STEPPED_WORKER),
    Fault("slow", "database", _network("database", "delay", SLOW_SECONDS)),
    Fault("paused and resumed", "worker", _worker_paused, True, STEPPED_WORKER),
    Fault("paused for about its lease", "worker", _worker_paused_shortly, True, STEPPED_WORKER),
    Fault("killed while waited for", "worker", _worker_killed, hit=STEPPED_WORKER),
    Fault("wall clock stepped", "worker", _clock_stepped("worker"), hit=STEPPED_WORKER, needs_clock=True),
    Fault("wall clock stepped", "database", _clock_stepped("database"), needs_clock=True),
    Fault("redis down, database silent for one", "both", _redis_lost_and_worker_cut_off, True, STEPPED_WORKER),
)
