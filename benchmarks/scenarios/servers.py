"""Requests per second of the same app under uvicorn (uvloop and httptools, or asyncio and h11) and granian.

A valid key again and again over 64 connections, against the unprotected app on the same server; one worker each.
"""

from collections.abc import Sequence

from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app
from benchmarks.rounds import Plan
from benchmarks.serving.lineup import Contestant, served
from benchmarks.serving.servers import GRANIAN, UVICORN, UVICORN_PURE, Server
from benchmarks.serving.turns import Turns


async def measure(plan: Plan) -> Sequence[Table]:
    """A table a server."""
    servers = (UVICORN, GRANIAN) if plan.quick else (UVICORN, UVICORN_PURE, GRANIAN)
    starts = plan.pick(3, 1)
    async with served(
        (bare.STARLETTE, gatepost_app.STARLETTE), plan.tell, servers=servers, starts=starts
    ) as contestants:
        return [await _table(plan, server, [one for one in contestants if one.server is server]) for server in servers]


async def _table(plan: Plan, server: Server, contestants: Sequence[Contestant]) -> Table:
    turns = Turns(plan.tell, rounds=plan.pick(4, 1))
    await turns.take(contestants)
    unprotected, gatepost = (one for one in contestants if one.start == 0)
    return Table(
        title=f"A valid key under {server.name}",
        unit="requests/s",
        series=(turns.series(unprotected), turns.series(gatepost)),
        ratios=tuple(turns.ratios(gatepost, unprotected)),
        note="Starlette, 64 connections, one worker",
    )
