"""Redis or the database killed, paused or emptied: which answers requests get then, and how soon.

In process, through the whole middleware, over a real Redis and PostgreSQL, at a steady pace: keys that this process
remembers, keys that only Redis remembers, and new keys, which only the database has. Each fault is brought about right
before its requests begin. Told for each: the share of requests with a good key that got 200, what the others got, and
how long answers took. Requests of a fault that are under way at its end are given 0.7 s more, and then count as not
answered. A good key that gets a 401
from gatepost, or a deactivated one that gets in, ends the benchmark.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, cycle

from starlette.types import ASGIApp

from benchmarks import stock
from benchmarks.asking import ask, told
from benchmarks.by_hand import GET, GET_THEN_SELECT, get_then_select, put_in_redis, put_in_table, redis_get
from benchmarks.in_process import answering
from benchmarks.measured import Table
from benchmarks.quiet import quiet
from benchmarks.rounds import Plan, series
from benchmarks.tiers import Tiers, stocked
from gatepost import APIKeyMiddleware

PACE_SECONDS = 0.01
"""Between two requests of one kind: 100 a second, far below what this can serve."""

CALLERS = 8
"""Of one kind: most of its requests that wait at the same time. None is sent while all of them do."""

HOT, OFF = range(20), range(20, 24)
"""Numbers of the keys that memory holds, and of the deactivated ones."""

READ_SECONDS = 0.5
GRACE_SECONDS = 0.7
"""What requests under way are given at the end: more than a read of gatepost may take."""

RECOVERY_SECONDS = 60.0
LOOK_SECONDS = 0.02

IN_MEMORY, IN_REDIS, NEW, DEACTIVATED = "in memory", "in Redis", "new", "deactivated"
UNANSWERED = "no answer"


@dataclass
class Kind:
    """Requests of one sort. `answers`, `seconds`: of those of the fault that is on."""

    contestant: str
    keys: str
    app: ASGIApp
    secrets: Iterator[str] = field(default_factory=lambda: iter(()))
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.contestant}, keys {self.keys}" if self.keys != NEW else f"{self.contestant}, new keys"


WITHIN, AFTER = "for less than max_staleness", "for longer than max_staleness"


@dataclass(frozen=True)
class Fault:
    """`begin`: brings it about. `anew`: everything works, and tiers are filled, right before it; else it goes on from
    the one before, once no lease holds any more."""

    name: str
    begin: Sequence[Callable[[Tiers], object]] = ()
    anew: bool = True


FAULTS = (
    Fault("nothing"),
    Fault("Redis killed", [lambda under: under.redis.stop()]),
    Fault("Redis paused", [lambda under: under.redis.pause()]),
    Fault("Redis restarted, empty", [lambda under: under.redis.stop(), lambda under: under.redis.start()]),
    Fault(f"PostgreSQL killed, {WITHIN}", [lambda under: under.postgres.kill()]),
    Fault(f"PostgreSQL killed, {AFTER}", anew=False),
    Fault(f"PostgreSQL paused, {WITHIN}", [lambda under: under.postgres.pause()]),
    Fault(f"both killed, {WITHIN}", [lambda under: under.redis.stop(), lambda under: under.postgres.kill()]),
)


async def measure(plan: Plan) -> Sequence[Table]:
    """A table for each fault: the share of good keys that were let in."""
    seconds, lease = (0.4, 1.0) if plan.quick else (3.0, 6.0)
    each = int(seconds / PACE_SECONDS) + CALLERS
    good = range(OFF.stop + 2 * each * len(FAULTS))
    in_redis, new = (
        [good[first : first + each] for first in range(OFF.stop + start, len(good), 2 * each)] for start in (0, each)
    )
    settings = {"max_staleness": lease, "poll_interval": lease / 20, "read_timeout": READ_SECONDS}
    tables = []
    with quiet():
        async with stocked((number for number in good if number not in OFF), OFF, **settings) as under:
            await under.keys.serve()
            await put_in_table(under.engine, good)
            kinds = _kinds(under)
            for number, fault in enumerate(FAULTS):
                plan.tell(fault.name)
                if fault.anew:
                    _repair(under)
                    await _prepare(under, kinds, [*in_redis[number], *in_redis[(number + 1) % len(FAULTS)]])
                else:
                    await _until(lambda: under.keys.lease_seconds == 0)
                _hand_out(kinds, in_redis[number], new[number])
                for step in fault.begin:
                    step(under)
                await _send(kinds, seconds)
                _judge(kinds, fault)
                tables.append(_table(kinds, fault, lease))
            _repair(under)  # so that what is open is closed in time
            await _until(lambda: under.keys.lease_seconds > 0)
    return tables


def _repair(under: Tiers) -> None:
    """Have both servers run."""
    for server in (under.redis, under.postgres):
        server.resume()
        server.start()


def _kinds(under: Tiers) -> Sequence[Kind]:
    gatepost, get = APIKeyMiddleware(answering, under.keys), redis_get(answering, under.client)
    cached = get_then_select(answering, under.engine, under.client)
    return [
        *(Kind("gatepost", each, gatepost) for each in (IN_MEMORY, IN_REDIS, NEW, DEACTIVATED)),
        Kind(GET, IN_REDIS, get),
        *(Kind(GET_THEN_SELECT, each, cached) for each in (IN_REDIS, NEW)),
    ]


async def _prepare(under: Tiers, kinds: Sequence[Kind], in_redis: Sequence[int]) -> None:
    """Wait until everybody works, then fill the tiers. `in_redis`: also for the next fault, if it goes on from here."""
    redis = under.keys._opened().redis
    await _until(lambda: under.keys.lease_seconds > 0 and redis is not None and redis.healthy)
    for prefix in (b"by_hand:", b"cached:"):
        await put_in_redis(under.client, map(stock.digest, in_redis), prefix)
    by_app = {kind.contestant: kind.app for kind in kinds}
    for number, protected in enumerate(by_app.values()):
        probe = [stock.secret(in_redis[number])] * 64
        async with asyncio.timeout(RECOVERY_SECONDS):
            while set((await ask(protected, probe, 16)).counts) != {"200"}:  # noqa: ASYNC110 - broken ones are found so
                await asyncio.sleep(LOOK_SECONDS)
    gatepost = by_app["gatepost"]
    (await ask(gatepost, map(stock.secret, in_redis), 64)).only(200)
    await stock.settled(under.keys)
    stock.forget(under.keys)
    (await ask(gatepost, map(stock.secret, HOT), 1)).only(200)
    (await ask(gatepost, map(stock.secret, OFF), 1)).only(401)


def _hand_out(kinds: Sequence[Kind], in_redis: Sequence[int], new: Sequence[int]) -> None:
    """Secrets for each kind of request; those in Redis and new ones are used once, or memory would know them."""
    numbers = {IN_MEMORY: HOT, IN_REDIS: in_redis, NEW: new, DEACTIVATED: OFF}
    for kind in kinds:
        texts = [stock.secret(number) for number in numbers[kind.keys]]
        kind.secrets = iter(texts) if kind.keys in {IN_REDIS, NEW} else cycle(texts)
        kind.answers.clear()
        kind.seconds.clear()


async def _send(kinds: Sequence[Kind], seconds: float) -> None:
    begun = time.perf_counter()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + GRACE_SECONDS), asyncio.TaskGroup() as callers:
            for kind in kinds:
                for number in range(CALLERS):
                    callers.create_task(_call(kind, begun + number * PACE_SECONDS, begun + seconds))


async def _call(kind: Kind, due: float, end: float) -> None:
    """Send a request at each of this caller's moments, or as soon as the one before is answered."""
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        secret = next(kind.secrets, None)
        if secret is None:
            return
        begun = time.perf_counter()
        try:
            answers = await ask(kind.app, [secret], 1)
        except asyncio.CancelledError:
            kind.answers[UNANSWERED] += 1
            raise
        kind.answers.update(answers.counts)
        kind.seconds.append(time.perf_counter() - begun)
        due += CALLERS * PACE_SECONDS


def _judge(kinds: Sequence[Kind], fault: Fault) -> None:
    """Raises `RuntimeError` where gatepost was wrong: not to know is allowed, to be mistaken is not."""
    for kind in kinds:
        if kind.contestant == "gatepost":
            right = "401" if kind.keys == DEACTIVATED else "200"
            if set(kind.answers) - {right, "503", UNANSWERED}:
                raise RuntimeError(f"{fault.name}: {kind.name}: {told(kind.answers)}")


def _table(kinds: Sequence[Kind], fault: Fault, lease: float) -> Table:
    bad = next(kind for kind in kinds if kind.keys == DEACTIVATED)
    good = {kind.name: kind for kind in kinds if kind is not bad}
    slowest = max(chain.from_iterable(kind.seconds for kind in kinds if kind.contestant == "gatepost"))
    let_in = {name: [100 * kind.answers["200"] / kind.answers.total()] for name, kind in good.items()}
    told_of = {
        name: "; ".join(filter(None, (told(kind.answers), _times(kind.seconds), getattr(kind.app, "less", ""))))
        for name, kind in good.items()
    }
    return Table(
        title=f"Good keys let in: {fault.name}",
        unit="% of requests",
        series=series(let_in, told_of),
        figures={
            "gatepost's wrong answers": "0",
            "gatepost, deactivated keys": told(bad.answers),
            "gatepost's slowest answer": f"{1_000 * slowest:,.1f} ms",
        },
        note=f"max_staleness {lease:g} s, read_timeout {READ_SECONDS:g} s; by hand: the clients' defaults. "
        f"{1 / PACE_SECONDS:,.0f} requests a second of each kind, while no more than {CALLERS} wait.",
    )


def _times(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none answered"
    return f"median {1_000 * statistics.median(seconds):,.1f} ms, slowest {1_000 * max(seconds):,.1f} ms"


async def _until(holds: Callable[[], bool]) -> None:
    """Raises `TimeoutError`."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while not holds():  # noqa: ASYNC110 - nothing of it tells
            await asyncio.sleep(LOOK_SECONDS)
