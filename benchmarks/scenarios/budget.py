"""Where the microseconds of a memory hit go, step by step.

A ladder of middlewares, each doing all that the one before it does and one step more, from handing the request on to
what gatepost does. They take turns, so the difference between two neighbours is the price of the step, whatever else
the machine is doing. The last rung is gatepost itself: what it costs beyond the rung before it is what the steps were
not named for (attributes read, branches for options that are off). The app answers in one piece. No server, no event
loop: only the middleware.
"""

from asyncio import get_running_loop
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from benchmarks.in_process import answering, memory_hits, time_calls
from benchmarks.ladder import REST, RUNGS, steps
from benchmarks.measured import Table
from benchmarks.rounds import Plan, take_turns
from gatepost import APIKeyMiddleware
from gatepost.base.secret import digest

if TYPE_CHECKING:
    from starlette.types import ASGIApp


async def measure(plan: Plan) -> Sequence[Table]:
    """What each step adds."""
    async with memory_hits() as hits:
        by_digest = {sha256(hits.secret.encode()).digest(): hits.keys.hit(digest(hits.secret.encode()))}
        apps: dict[str, ASGIApp] = {"bare app": answering}
        apps |= {name: rung(answering, by_digest, get_running_loop()) for name, rung in RUNGS}
        apps[REST] = APIKeyMiddleware(answering, hits.keys)
        contestants = {name: time_calls(app, hits.secret) for name, app in apps.items()}
        runs = await take_turns(contestants, plan.pick(100, 8), plan.tell)
    return [steps("What a memory hit adds to a request, step by step", runs, "")]
