"""Where the microseconds of a memory hit go, step by step.

A ladder of middlewares, each doing all that the one before it does and one step more, from handing the request on to
what gatepost does. They take turns, so the difference between two neighbours is the price of the step, whatever else
the machine is doing. The last rung is gatepost itself: what it costs beyond the rung before it is what the steps were
not named for (attributes read, branches for options that are off). The app answers in one piece. No server, no event
loop: only the middleware.
"""

from asyncio import get_running_loop
from collections.abc import Sequence
from functools import partial

from benchmarks.in_process import answering, memory_hits, time_calls
from benchmarks.ladder import apps, steps
from benchmarks.measured import Table
from benchmarks.rounds import Plan, take_turns


async def measure(plan: Plan) -> Sequence[Table]:
    """What each step adds."""
    async with memory_hits(compiled=False) as hits:
        ladder = apps(lambda: answering, hits, get_running_loop())
        contestants = {name: partial(time_calls, app, hits.secret) for name, app in ladder.items()}
        runs = await take_turns(contestants, plan.pick(100, 8), plan.tell)
    return [steps("What a memory hit adds to a request, step by step", runs, "")]
