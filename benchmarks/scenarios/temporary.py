"""What a temporary secret costs whose parent is remembered, against a memory hit, in process; and issuing one.

The app answers in one piece. A temporary secret that was shown before is known by its digest; one that comes for the
first time costs a MAC. Neither does any I/O, nor does issuing. How many are issued is by the processor's time, of one
core.
"""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from starlette.types import ASGIApp

from benchmarks.in_process import CALLS, Hits, answering, in_python, memory_hits, scope_of, time_requests
from benchmarks.measured import Table
from benchmarks.rivals import bare_starlette
from benchmarks.rounds import Plan, ratio, series, take_turns
from benchmarks.scenarios.budget_served import through_uvicorn
from gatepost import APIKeyMiddleware

HIT, PYTHON = "gatepost, memory hit", "gatepost, memory hit, in Python"
SHOWN, FIRST = "gatepost, temporary secret", "gatepost, temporary secret, the first time"
BOUND = "gatepost, temporary secret, of a page and for somebody"
BARE = "bare app"
ISSUED, NARROWED = "issued of a template", "issued, narrowed to a permission, for a subject"
LIMIT = 4.0
"""Of the time that a memory hit adds."""

SERVED_LIMIT = 1.15
"""Of the time of a whole request with a key of its own, under uvicorn's protocol."""

ISSUING_LIMIT = 50.0
"""Microseconds of a core that issuing one takes at most: 20,000 a second."""

PAGE = "https://www.example.org"


async def measure(plan: Plan) -> Sequence[Table]:
    """Added time, in µs; and how many are issued in a second of one core."""
    async with AsyncExitStack() as stack:
        hits = await stack.enter_async_context(memory_hits())
        with in_python():
            python = await stack.enter_async_context(memory_hits())
            in_python_app = APIKeyMiddleware(answering, python.keys)
        keys = hits.keys
        app = APIKeyMiddleware(answering, keys)
        told = APIKeyMiddleware(answering, keys, subject=lambda _scope: "ann")
        template = await keys.templates.create("a widget", ["OBJECTS_LIST", "OBJECTS_FETCH"])
        of_page = await keys.templates.create("a page", ["OBJECTS_LIST", "OBJECTS_FETCH"], origins=[PAGE])
        shown = (await keys.issue_temporary(template.id)).secret
        bound = (await keys.issue_temporary(of_page.id, subject="ann")).secret
        contestants = {
            HIT: partial(_time, app, hits),
            PYTHON: partial(_time, in_python_app, python),
            SHOWN: partial(_time, app, Hits(keys, shown)),
            BOUND: partial(_time, told, Hits(keys, bound), is_of_page=True),
            FIRST: partial(_time_first, app, keys=hits, of=template.id),
            BARE: partial(_time, answering, hits),
        }
        runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
        issuing = {
            ISSUED: partial(_issue, hits, template.id),
            NARROWED: partial(_issue, hits, template.id, permissions=["OBJECTS_LIST"], lifetime=60, subject="ann"),
        }
        issued = await take_turns(issuing, plan.pick(60, 5), plan.tell)
        guarded = APIKeyMiddleware(bare_starlette.build(), keys)
        served = {HIT: through_uvicorn(guarded, hits.secret), SHOWN: through_uvicorn(guarded, shown)}
        for contestant in served.values():
            await contestant()  # what is made at the first request
        whole = await take_turns(served, plan.pick(300, 8), plan.tell)
        return [
            Table(
                title="Added time of a temporary secret",
                unit="µs",
                series=series(runs, {}, beyond=BARE),
                ratios=(
                    ratio(runs, SHOWN, HIT, beyond=BARE, limit=LIMIT),
                    ratio(runs, SHOWN, PYTHON, beyond=BARE),
                    ratio(runs, BOUND, HIT, beyond=BARE),
                    ratio(runs, FIRST, HIT, beyond=BARE),
                ),
                note="",
            ),
            Table(
                title="A whole request under uvicorn's protocol, caches swept",
                unit="µs",
                series=series(whole, {}),
                ratios=(ratio(whole, SHOWN, HIT, limit=SERVED_LIMIT),),
                note="",
            ),
            Table(
                title="Time to issue one",
                unit="µs",
                series=series(issued, {}, limits=None if plan.quick else {ISSUED: ISSUING_LIMIT}),
                ratios=(),
                note="",
            ),
        ]


async def _time(app: ASGIApp, hits: Hits, *, is_of_page: bool = False) -> float:
    """A turn: µs per request."""
    scopes = [scope_of(hits.secret, client=("127.0.0.1", 5000)) for _ in range(CALLS)]
    if is_of_page:
        for scope in scopes:
            scope["headers"].append((b"origin", PAGE.encode()))
    return time_requests(app, scopes)


async def _time_first(app: ASGIApp, *, keys: Hits, of: str) -> float:
    """A turn: µs per request, each with another secret."""
    secrets = [(await keys.keys.issue_temporary(of)).secret for _ in range(CALLS // 10)]
    return time_requests(app, [scope_of(secret, client=("127.0.0.1", 5000)) for secret in secrets])


async def _issue(hits: Hits, of: str, **narrowing: object) -> float:
    """A turn: µs of the processor for each."""
    begin = time.process_time()
    for _ in range(CALLS // 4):
        await hits.keys.issue_temporary(of, **narrowing)  # type: ignore[arg-type]
    return (time.process_time() - begin) / (CALLS // 4) * 1e6
