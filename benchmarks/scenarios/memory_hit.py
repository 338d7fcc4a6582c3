"""What a memory hit adds to a request, in process, against what people write by hand.

The same bare ASGI function is called directly, and through each middleware, with the headers that a Python client
sends. No server and no event loop: only what the middleware does. Times are what each adds to the bare call. First the
function does nothing: what is timed is finding the key, and telling the app. Then it answers in one piece, which
gatepost watches. Then the same with the processor's caches swept before each request: under a server other code runs
between two requests, and system calls, and no step finds all that it needs in them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256

from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp

from benchmarks.in_process import SWEPT_BYTES, answering, bare, in_python, memory_hits, time_calls, time_swept_calls
from benchmarks.measured import Table
from benchmarks.rivals import starlette_authentication, ten_lines
from benchmarks.rounds import Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware
from gatepost.base.secret import digest

BARE, GATEPOST, LEAST = "bare app", "gatepost", "gatepost, end_connections=False, strip=False"
PYTHON = "gatepost, in Python"
TEN_LINES, STARLETTE = ten_lines.RIVAL.name, starlette_authentication.RIVAL.name
NOTES = {
    TEN_LINES: ten_lines.RIVAL.note,
    STARLETTE: starlette_authentication.RIVAL.note,
    PYTHON: "as where it could not be compiled",
    LEAST: "streams outlive their key, and the app sees the secret: for comparison with the ten lines",
}
LIMITS: Mapping[str, float | None] = {TEN_LINES: 1.75, STARLETTE: 0.75}
"""Of the time that finding the key takes in Python, around an app that does nothing."""

COMPILED_LIMIT = 1.0
"""The same compiled, against ten lines, also around an app that answers."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Added time, in µs."""
    async with memory_hits() as hits, AsyncExitStack() as stack:
        with in_python():
            plain = await stack.enter_async_context(memory_hits())
        record = hits.keys.hit(digest(hits.secret.encode()))
        if record is None:
            raise RuntimeError("memory does not hold the key")
        by_digest = {sha256(hits.secret.encode()).digest(): (record.id, record.permissions)}

        async def added(
            which: str,
            app: ASGIApp,
            note: str,
            *,
            limits: Mapping[str, float | None] = dict.fromkeys(LIMITS),
            timed: Callable[[ASGIApp, str], Awaitable[float]] = time_calls,
            compiled_limit: float | None = COMPILED_LIMIT,
        ) -> Table:
            with in_python():
                python = APIKeyMiddleware(app, plain.keys)
            apps: dict[str, ASGIApp] = {
                GATEPOST: APIKeyMiddleware(app, hits.keys),
                PYTHON: python,
                LEAST: APIKeyMiddleware(app, hits.keys, end_connections=False, strip=False),
                TEN_LINES: ten_lines.TenLines(app, by_digest),
                STARLETTE: AuthenticationMiddleware(app, starlette_authentication.DictBackend(by_digest)),
                BARE: app,
            }
            contestants = {
                name: partial(timed, each, (plain if each is python else hits).secret) for name, each in apps.items()
            }
            runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
            return Table(
                title=f"Added time of a memory hit{which}",
                unit="µs",
                series=series(runs, NOTES, beyond=BARE),
                ratios=(
                    ratio(runs, GATEPOST, TEN_LINES, beyond=BARE, limit=compiled_limit),
                    *(ratio(runs, PYTHON, name, beyond=BARE, limit=limit) for name, limit in limits.items()),
                ),
                note=note,
            )

        budget = "The step-by-step price is in the scenario budget."
        swept = f"Answered in one piece. Between two requests {SWEPT_BYTES >> 20} MiB are read, so that code and data "
        swept += "come from farther away."
        return [
            await added("", bare, budget, limits=LIMITS),
            await added(" that is answered in one piece", answering, ""),
            await added(
                ", the processor's caches swept before it",
                answering,
                swept,
                timed=time_swept_calls,
                compiled_limit=None,
            ),
        ]
