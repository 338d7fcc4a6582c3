"""What a memory hit adds to a request, in process, against what people write by hand.

The same bare ASGI function is called directly, and through each middleware, with the headers that a Python client
sends. No server and no event loop: only what the middleware does. Times are what each adds to the bare call. First the
function does nothing: what is timed is finding the key, and telling the app. Then it answers in one piece, which
gatepost watches. Then the same with the processor's caches swept before each request: under a server other code runs
between two requests, and system calls, and no step finds all that it needs in them.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from starlette.middleware.authentication import AuthenticationMiddleware

from benchmarks.in_process import SWEPT_BYTES, answering, bare, memory_hits, time_calls, time_swept_calls
from benchmarks.measured import Series, Table
from benchmarks.rivals import starlette_authentication, ten_lines
from benchmarks.rounds import Contestant, Plan, Runs, ratio, take_turns
from gatepost import APIKeyMiddleware
from gatepost.base.secret import digest

if TYPE_CHECKING:
    from starlette.types import ASGIApp

BARE = "bare app"
GATEPOST = "gatepost"
TEN_LINES = ten_lines.RIVAL.name
STARLETTE = starlette_authentication.RIVAL.name
LEAST = "gatepost, end_connections=False, strip=False"
NOTES = {
    TEN_LINES: ten_lines.RIVAL.note,
    STARLETTE: starlette_authentication.RIVAL.note,
    LEAST: "streams outlive their key, and the app sees the secret: for comparison with the ten lines",
}
LIMITS = {TEN_LINES: 1.75, STARLETTE: 0.75}


async def measure(plan: Plan) -> Sequence[Table]:
    """Added time, in µs."""
    async with memory_hits() as hits:
        record = hits.keys.hit(digest(hits.secret.encode()))
        if record is None:
            raise RuntimeError("memory does not hold the key")
        by_digest = {sha256(hits.secret.encode()).digest(): (record.id, record.permissions)}

        def contestants(app: "ASGIApp", timed: Callable[..., Contestant]) -> dict[str, Contestant]:
            starlette = AuthenticationMiddleware(app, starlette_authentication.DictBackend(by_digest))
            least = APIKeyMiddleware(app, hits.keys, end_connections=False, strip=False)
            return {
                BARE: timed(app, hits.secret),
                TEN_LINES: timed(ten_lines.TenLines(app, by_digest), hits.secret),
                STARLETTE: timed(starlette, hits.secret),
                LEAST: timed(least, hits.secret),
                GATEPOST: timed(APIKeyMiddleware(app, hits.keys), hits.secret),
            }

        rounds = plan.pick(150, 15)
        finding = await take_turns(contestants(bare, time_calls), rounds, plan.tell)
        answered = await take_turns(contestants(answering, time_calls), rounds, plan.tell)
        swept = await take_turns(contestants(answering, time_swept_calls), rounds, plan.tell)
    return [
        _table("Added time of a memory hit", finding, LIMITS, "The step-by-step price is in the scenario budget."),
        _table("Added time of a memory hit that is answered in one piece", answered, dict.fromkeys(LIMITS), ""),
        _table(
            "Added time of a memory hit, the processor's caches swept before it",
            swept,
            dict.fromkeys(LIMITS),
            f"Answered in one piece. Between two requests {SWEPT_BYTES >> 20} MiB are read, so that code and data come "
            "from farther away.",
        ),
    ]


def _table(title: str, runs: Runs, limits: Mapping[str, float | None], note: str) -> Table:
    return Table(
        title=title,
        unit="µs",
        better="less",
        series=tuple(
            Series(
                name=name,
                runs=tuple((mine - base) * 1e6 for mine, base in zip(runs[name], runs[BARE], strict=True)),
                note=NOTES.get(name, ""),
            )
            for name in (GATEPOST, LEAST, TEN_LINES, STARLETTE)
        ),
        ratios=tuple(ratio(runs, GATEPOST, name, beyond=BARE, limit=limit) for name, limit in limits.items()),
        note=note,
    )
