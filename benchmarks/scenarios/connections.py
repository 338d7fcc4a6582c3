"""Requests per second and the 99th percentile of latency, over 1, 64 and 1,000 connections at once.

One uvicorn worker per contestant, on the same core; wrk, Redis and PostgreSQL on another. wrk sends the next request
over a connection as soon as the last one is answered, so latency is that of a server that is always fully loaded.
"""

from collections.abc import Sequence

from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app, redis_by_hand, ten_lines
from benchmarks.rounds import Plan
from benchmarks.serving.lineup import served
from benchmarks.serving.turns import Turns

CONTESTANTS = (bare.STARLETTE, ten_lines.RIVAL, gatepost_app.STARLETTE, redis_by_hand.PURE, gatepost_app.REDIS_ONLY)

QUICK = (bare.STARLETTE, gatepost_app.STARLETTE)


async def measure(plan: Plan) -> Sequence[Table]:
    """Both from the same turns."""
    numbers = (1, 64) if plan.quick else (1, 64, 1_000)
    turns = Turns(plan.tell, rounds=plan.pick(2, 1), seconds=plan.pick(2, 1))
    async with served(QUICK if plan.quick else CONTESTANTS, plan.tell, starts=plan.pick(3, 1)) as contestants:
        await turns.take(contestants, numbers)
    contestants = [one for one in contestants if one.start == 0]
    named = {one.rival.name: one for one in contestants}
    pairs = [("gatepost", "bare app"), ("gatepost", "ten lines by hand"), ("gatepost, Redis only", "Redis GET by hand")]
    rates = Table(
        title="Requests per second by connections",
        unit="requests/s",
        axis="connections",
        series=tuple(turns.series(one, number) for one in contestants for number in numbers),
        ratios=tuple(
            ratio
            for of, to in pairs
            if of in named and to in named
            for number in numbers
            for ratio in turns.ratios(named[of], named[to], number)
        ),
        note="one uvicorn worker with uvloop and httptools",
    )
    latency = Table(
        title="99th percentile of latency by connections",
        unit="ms",
        axis="connections",
        series=tuple(turns.series(one, number, p99=True) for one in contestants for number in numbers),
        note="under full load, where latency is mostly the queue of the other connections",
    )
    return [rates, latency]
