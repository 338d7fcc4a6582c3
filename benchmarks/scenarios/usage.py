"""What it costs to count how often keys are used.

In process, as in *memory_hit*: the same memory hit with `usage=True`, which is the default, and with `usage=False`,
around an app that does nothing, one that answers, and one that tells of its route, as routers of frameworks do. Then
what it takes to write the counts: a batch of 2,000, into SQLite.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.in_process import answering, bare, in_python, memory_hits, time_calls
from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware, Outcome

COUNTED, NOT_COUNTED = "usage=True", "usage=False"
COUNTED_PYTHON, NOT_COUNTED_PYTHON = "usage=True, in Python", "usage=False, in Python"
BARE = "bare app"
LIMIT = 1.08
"""Of the time of a compiled memory hit that is not counted, around an app that answers."""

BATCH = 2000


async def routed(scope: Scope, receive: Receive, send: Send) -> None:
    """As `answering`, behind a router that tells a template."""
    scope["path_template"] = "/images/{id}"
    await answering(scope, receive, send)


async def measure(plan: Plan) -> Sequence[Table]:
    """Times of a request, in µs, and of writing, in ms."""
    async with AsyncExitStack() as stack:
        on, off = [await stack.enter_async_context(memory_hits(usage=usage)) for usage in (True, False)]
        with in_python():
            plain_on, plain_off = [await stack.enter_async_context(memory_hits(usage=usage)) for usage in (True, False)]

        async def hit(which: str, app: ASGIApp, limit: float | None) -> Table:
            with in_python():
                python = [
                    (plain_on, APIKeyMiddleware(app, plain_on.keys)),
                    (plain_off, APIKeyMiddleware(app, plain_off.keys)),
                ]
            compiled = [(on, APIKeyMiddleware(app, on.keys)), (off, APIKeyMiddleware(app, off.keys))]
            names = (COUNTED, NOT_COUNTED, COUNTED_PYTHON, NOT_COUNTED_PYTHON)
            contestants: dict[str, Callable[[], Awaitable[float]]] = {
                name: partial(time_calls, middleware, hits.secret)
                for name, (hits, middleware) in zip(names, [*compiled, *python], strict=True)
            }
            contestants[BARE] = partial(time_calls, app, on.secret)
            runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
            return Table(
                title=f"A memory hit, counted or not, around an app that {which}",
                unit="µs",
                series=series(runs),
                ratios=(
                    ratio(runs, COUNTED, NOT_COUNTED, limit=limit),
                    ratio(runs, COUNTED_PYTHON, NOT_COUNTED_PYTHON),
                ),
            )

        async def write() -> float:
            uses = on.keys.uses
            if uses is None:
                raise RuntimeError("usage is not counted")
            for number in range(BATCH):
                uses.count(Outcome.VALID, f"{number:012}", bytes(32), uses.clock(), "/images/{id}", None)
            begin = time.perf_counter()
            await on.keys.flush_usage()
            return (time.perf_counter() - begin) * 1000

        tables = [
            await hit("does nothing", bare, None),
            await hit("answers", answering, LIMIT),
            await hit("tells of its route", routed, None),
        ]
        runs = await take_turns({f"{BATCH:,} counts": write}, plan.pick(20, 3), plan.tell)
        return [*tables, Table(title="Writing usage into SQLite", unit="ms", series=series(runs))]
