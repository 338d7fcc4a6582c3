"""What a memory hit costs of a key that is bound to networks, against one that is not, in process.

Ten networks, and a client in the last of them, whose address was asked about before, as it is for all requests of a
client but the first. The app answers in one piece.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from starlette.types import ASGIApp

from benchmarks.in_process import CALLS, Hits, answering, in_python, memory_hits, scope_of, time_requests
from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware

NETWORKS = (*(f"10.{number}.0.0/16" for number in range(7)), "192.0.2.0/24", "2001:db8::/32", "203.0.113.0/24")
CLIENT = "203.0.113.9"

PLAIN, BOUND = "gatepost", "gatepost, ten networks"
PYTHON, BOUND_PYTHON = "gatepost, in Python", "gatepost, in Python, ten networks"
BEHIND = "gatepost, ten networks, behind a trusted proxy"
BARE = "bare app"
NOTES = {BEHIND: "X-Forwarded-For is read for each request, in Python"}
LIMIT = 1.25
"""Of the time that a memory hit without networks adds."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Added time, in µs."""
    async with AsyncExitStack() as stack:
        hits = await stack.enter_async_context(memory_hits())
        bound = await stack.enter_async_context(memory_hits(allow=NETWORKS, address=CLIENT))
        with in_python():
            python = await stack.enter_async_context(memory_hits())
            bound_python = await stack.enter_async_context(memory_hits(allow=NETWORKS, address=CLIENT))
            apps: dict[str, tuple[ASGIApp, Hits]] = {
                PYTHON: (APIKeyMiddleware(answering, python.keys), python),
                BOUND_PYTHON: (APIKeyMiddleware(answering, bound_python.keys), bound_python),
            }
        behind = APIKeyMiddleware(answering, bound.keys, trusted_proxies=["127.0.0.1"])
        apps |= {
            PLAIN: (APIKeyMiddleware(answering, hits.keys), hits),
            BOUND: (APIKeyMiddleware(answering, bound.keys), bound),
            BEHIND: (behind, bound),
            BARE: (answering, bound),
        }
        contestants = {name: partial(_time, app, each.secret, app is behind) for name, (app, each) in apps.items()}
        runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
        return [
            Table(
                title="Added time of a memory hit with an address list",
                unit="µs",
                series=series(runs, NOTES, beyond=BARE),
                ratios=(
                    ratio(runs, BOUND, PLAIN, beyond=BARE, limit=LIMIT),
                    ratio(runs, BOUND_PYTHON, PYTHON, beyond=BARE, limit=LIMIT),
                    ratio(runs, BEHIND, PLAIN, beyond=BARE),
                ),
                note="",
            )
        ]


async def _time(app: ASGIApp, secret: str, is_proxied: bool) -> float:
    """A turn: µs per request."""
    scopes = [scope_of(secret, client=("127.0.0.1" if is_proxied else CLIENT, 5000)) for _ in range(CALLS)]
    if is_proxied:
        for scope in scopes:
            scope["headers"].append((b"x-forwarded-for", CLIENT.encode()))
    return time_requests(app, scopes)
