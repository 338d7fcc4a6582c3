"""How much is let in while what counts it fails: rates, quotas and slots at four workers, and what each allows at most.

Each fault has keys of its own, which more is asked of than they allow. The app tells of each request that it was given
when (CLOCK_MONOTONIC, the same in all processes), and whether Redis had counted it or its worker alone: so each count
is held against exactly what it may let in.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from gatepost import APIKeys, Quota, Rate, Slots
from gatepost.base import Limit, UnavailableError
from tests.campaign.campaign import SETTINGS, quantiles
from tests.campaign.crew import Plan
from tests.campaign.site import Site, running
from tests.servers.sentinel import Sentinel, sentinel_server

WORKERS = 4
CONNECTIONS = 4
"""To each worker."""

PAUSE_SECONDS = 0.01
"""Between two requests of one connection."""

ANSWER_SECONDS = 30.0
CLOCK_PART = 1.01
"""Boot clocks of processes run as evenly as that."""

ROOM = 1e-6
"""For numbers that are not whole."""

LIMITS: Mapping[str, Limit] = {
    "rate": Rate(40, per=1, burst=20, name="rate"),
    "quota": Quota(600, per="day", name="quota"),
    "slots": Slots(3, name="slots"),
}
"""One key each: some hundred requests a second are asked of each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`run`: makes it, keeps it for so many seconds, and ends it. `forgets`: how often Redis loses what it has counted
    by it. `sentinel`: it needs two Redis servers and their watch."""

    name: str
    run: "Run"
    forgets: int = 0
    sentinel: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """One request that was let in. `began`: when it was sent; `entered`, `left`: when it came to the app and was done
    there; seconds of CLOCK_MONOTONIC. `by`: `shared`, or the name of the process that counted for itself."""

    began: float
    entered: float
    left: float
    by: str


@dataclass(slots=True)
class Seen:
    """What was seen in one fault. `let_in`: by the name of the limit. `over`: where more was let in than may be."""

    fault: Fault
    let_in: dict[str, list[Admission]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    used: int = 0
    recovered: float | None = None
    stuck: str = ""

    @property
    def over(self) -> Sequence[str]:
        """Sentences."""
        rate, slots, quota = (self.let_in[name] for name in ("rate", "slots", "quota"))
        found = []
        for by, admissions in _by(rate).items():
            _, over = allowed(admissions, self.fault.forgets, is_shared=by == "shared")
            if over > ROOM:
                found.append(f"{by} let in {over:.1f} units of a rate too many")
        for by, admissions in _by(slots).items():
            is_shared = by == "shared"
            held = at_once(admissions)
            most = LIMITS["slots"].units * (1 + self.fault.forgets) if is_shared else 1
            if held > most:
                found.append(f"{by} had {held} in flight of {most} slots")
        if len(quota) > LIMITS["quota"].units or len(quota) > self.used:
            found.append(f"{len(quota)} of a quota of {LIMITS['quota'].units}, of which {self.used} are counted")
        if (wrong := self.statuses[401] + self.statuses[403]) > 0:
            found.append(f"{wrong} good keys were refused as if they were none")
        return found

    def report(self) -> Mapping[str, Any]:
        """For the results. Times in milliseconds, but `recovered_seconds`."""
        rate = self.let_in["rate"]
        by = _by(rate)
        most = sum(allowed(each, self.fault.forgets, is_shared=who == "shared")[0] for who, each in by.items())
        slots = sum(
            LIMITS["slots"].units * (1 + self.fault.forgets) if who == "shared" else 1
            for who in _by(self.let_in["slots"])
        )
        return {
            "fault": self.fault.name,
            "requests": self.statuses.total(),
            "rate": {"let_in": len(rate), "by_workers_alone": len(rate) - len(by.get("shared", ())), "most": int(most)},
            "quota": {"let_in": len(self.let_in["quota"]), "counted": self.used, "most": LIMITS["quota"].units},
            "slots": {"let_in": len(self.let_in["slots"]), "at_once": at_once(self.let_in["slots"]), "most": slots},
            "refused": self.statuses[429],
            "unavailable": self.statuses[503],
            "no_answer": self.statuses[0],
            "wrong": list(self.over),
            "request_ms": quantiles(self.seconds),
            "recovered_seconds": None if self.recovered is None else round(self.recovered, 2),
        }

    def __str__(self) -> str:
        told = self.report()
        rate, quota, slots = (told[name] for name in LIMITS)
        return (
            f"{self.fault.name}: {told['requests']} requests; rate {rate['let_in']} of at most {rate['most']} "
            f"({rate['by_workers_alone']} by workers alone), quota {quota['let_in']} of {quota['most']} "
            f"({quota['counted']} counted), slots {slots['at_once']} at once of {slots['most']}; {told['refused']} "
            f"refused, {told['unavailable']} unavailable, {told['no_answer']} without an answer; {told['request_ms']}; "
            f"wrong: {told['wrong'] or 'nothing'}"
        )


def _by(admissions: Sequence[Admission]) -> Mapping[str, Sequence[Admission]]:
    by: dict[str, list[Admission]] = defaultdict(list)
    for each in sorted(admissions, key=lambda admission: admission.entered):
        by[each.by].append(each)
    return by


def allowed(admissions: Sequence[Admission], forgets: int, *, is_shared: bool) -> tuple[float, float]:
    """What the rate allows of these, in their order, burst + elapsed x rate, of a worker alone its part of that; and by
    how many there were too many, in the window where there were most. `forgets`: a burst more, for each."""
    rate = LIMITS["rate"]
    assert isinstance(rate, Rate)
    burst, speed = float(rate.burst * (1 + forgets)), rate.units / rate.per
    if not is_shared:
        burst, speed = max(1, rate.burst // WORKERS), CLOCK_PART * speed / WORKERS
    began = min(each.began for each in admissions)
    over = -burst
    for at in range(len(admissions)):
        since = admissions[at].began
        for number, each in enumerate(admissions[at:], 1):
            since = min(since, each.began)
            over = max(over, number - burst - (each.entered - since) * speed)
    return burst + (admissions[-1].entered - began) * speed, over


def at_once(admissions: Sequence[Admission]) -> int:
    """How many were in the app at the same time, at most."""
    ends = sorted([(each.entered, 1) for each in admissions] + [(each.left, -1) for each in admissions])
    most = held = 0
    for _, step in sorted(ends, key=lambda end: (end[0], end[1])):
        held += step
        most = max(most, held)
    return most


class Arrangement:
    """A site, and whoever asks more of its keys than they allow. `sentinel`: over its Redis, if there is one."""

    def __init__(self, site: Site, keys: APIKeys, sentinel: Sentinel | None) -> None:
        self.site = site
        self.sentinel = sentinel
        self._keys = keys
        self._secrets: dict[str, str] = {}
        self._seen: Seen | None = None

    async def see(self, fault: Fault, seconds: float) -> Seen:
        """Have the fault, and see what is let in from a while before it until a while after."""
        made = {name: await self._keys.create(name, limits=[limit]) for name, limit in LIMITS.items()}
        self._secrets = {name: issued.secret for name, issued in made.items()}
        self._seen = seen = Seen(fault)
        asking = [
            asyncio.create_task(self._ask(worker.port)) for worker in self.site.workers for _ in range(CONNECTIONS)
        ]
        await asyncio.sleep(seconds / 4)
        await fault.run(self, seconds)
        seen.recovered = await self.site.recovered()
        seen.stuck = self.site.stuck
        await asyncio.sleep(seconds / 4)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        while True:
            try:
                (state,) = await self._keys.limits(made["quota"].key.id)
                break
            except UnavailableError:  # a connection of before the database died
                await asyncio.sleep(PAUSE_SECONDS)
        seen.used = LIMITS["quota"].units - (state.left or 0)
        return seen

    async def _ask(self, port: int) -> None:
        """Send requests for ever, over a new connection where one breaks."""
        turn = port
        while True:
            with suppress(OSError, EOFError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    while True:
                        turn += 1
                        await self._exchange([*LIMITS][turn % len(LIMITS)], reader, writer)
                        await asyncio.sleep(PAUSE_SECONDS)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _exchange(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request with the key of that limit. Raises `OSError`, `EOFError` where the connection breaks."""
        seen, began, status = self._seen, time.monotonic(), 0
        assert seen is not None
        try:
            writer.write(
                f"GET /held HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {self._secrets[name]}\r\n\r\n".encode()
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            status = int(head[9:12])
        except asyncio.CancelledError:
            status = -1  # nobody waits for it any more: it may have been let in
            raise
        finally:
            if status >= 0:
                seen.statuses[status] += 1
                seen.seconds.append(time.monotonic() - began)
        if status == 200:
            told = json.loads(body)
            seen.let_in[name].append(Admission(began, told["entered"], told["left"], told["by"]))


Run = Callable[[Arrangement, float], Awaitable[None]]


async def _nothing(_to: Arrangement, seconds: float) -> None:
    await asyncio.sleep(seconds)


def _kept(begin: Callable[[Arrangement], object], end: Callable[[Arrangement], object]) -> Run:
    """Something is away, until it is put back."""

    async def run(to: Arrangement, seconds: float) -> None:
        await asyncio.to_thread(begin, to)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(end, to)

    return run


async def _redis_flushed(to: Arrangement, seconds: float) -> None:
    async with to.site.redis_client() as client:
        for _ in range(FLUSHES):
            await client.flushall()
            await asyncio.sleep(seconds / FLUSHES)


async def _redis_full(to: Arrangement, seconds: float) -> None:
    async with to.site.redis_client() as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(seconds)
        await client.config_set("maxmemory", "0")


async def _failed_over(to: Arrangement, seconds: float) -> None:
    assert to.sentinel is not None
    await asyncio.to_thread(to.sentinel.failover)
    await asyncio.sleep(seconds)


async def _worker_killed(to: Arrangement, seconds: float) -> None:
    to.site.stepped.end()
    await asyncio.sleep(seconds / 2)
    await to.site.start_server(to.site.stepped)
    await asyncio.sleep(seconds / 2)


FLUSHES = 3

FAULTS: Sequence[Fault] = [
    Fault("none", _nothing),
    Fault("Redis killed", _kept(lambda to: to.site.redis.stop(), lambda to: to.site.redis.start()), forgets=1),
    Fault("Redis paused", _kept(lambda to: to.site.redis.pause(), lambda to: to.site.redis.resume())),
    Fault("Redis flushed", _redis_flushed, forgets=FLUSHES),
    Fault("Redis out of memory", _redis_full),
    Fault("the database killed", _kept(lambda to: to.site.postgres.kill(), lambda to: to.site.start_database())),
    Fault("a worker killed with leases out", _worker_killed),
    Fault("Redis failed over by its Sentinel", _failed_over, forgets=1, sentinel=True),
]


async def campaign(
    faults: Sequence[Fault],
    seconds: float,
    *,
    source: Any = None,
    tell: Callable[[Seen], None] | None = None,
) -> Sequence[Seen]:
    """All of the faults, each for so many seconds. Raises ProgramMissingError, ServerError."""
    found: list[Seen] = []
    for with_sentinel in (False, True):
        chosen = [fault for fault in faults if fault.sentinel is with_sentinel]
        if not chosen:
            continue
        with sentinel_server() if with_sentinel else nullcontext() as sentinel:
            plan = Plan(
                workers=WORKERS,
                settings=SETTINGS,
                proxied=False,
                loads=0,
                bare=False,
                clocks=False,
                source=source,
                redis=None if sentinel is None else sentinel.url,
            )
            async with running(plan) as site, APIKeys(**{**SETTINGS, **site.addresses(None)}) as keys:
                arrangement = Arrangement(site, keys, sentinel)
                for fault in chosen:
                    found.append(seen := await arrangement.see(fault, seconds))
                    if tell is not None:
                        tell(seen)
    return found
