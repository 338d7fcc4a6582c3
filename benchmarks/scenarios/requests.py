"""Requests per second with a key, over HTTP, 64 connections, against each framework's alternatives.

One uvicorn worker per contestant, with uvloop and httptools, all on the same core and in turns; wrk on another. Each
but keyshield is started three times, since two starts of the same server differ by some percent: a turn of a start is a
round. The same key again and again, so gatepost answers from memory. Then the same with secrets that are refused; a
quick run does without.
"""

from collections.abc import Sequence

from benchmarks.measured import Table
from benchmarks.rivals import (
    bare,
    drf_api_key,
    gatepost_app,
    keygate_fastapi,
    keyshield_fastapi,
    litestar_authentication,
    nginx,
    redis_by_hand,
    starlette_authentication,
    ten_lines,
)
from benchmarks.rivals.rival import Rival
from benchmarks.rounds import Plan
from benchmarks.serving.lineup import Contestant, served, statuses
from benchmarks.serving.turns import Turns

RIVALS: Sequence[Rival] = (
    bare.STARLETTE,
    gatepost_app.STARLETTE,
    gatepost_app.NO_CHECK,
    ten_lines.RIVAL,
    starlette_authentication.RIVAL,
    gatepost_app.REDIS_ONLY,
    redis_by_hand.PURE,
    redis_by_hand.BASE_HTTP,
    nginx.RIVAL,
    bare.FASTAPI,
    gatepost_app.FASTAPI,
    keygate_fastapi.RIVAL,
    keyshield_fastapi.CACHED_NO_DELAYS,
    keyshield_fastapi.CACHED,
    keyshield_fastapi.NO_DELAYS,
    keyshield_fastapi.DOCUMENTED,
    bare.LITESTAR,
    gatepost_app.LITESTAR,
    litestar_authentication.RIVAL,
    bare.DJANGO,
    gatepost_app.DJANGO,
    drf_api_key.RIVAL,
)
"""All, in the order in which people read of them."""

QUICK = (bare.STARLETTE, gatepost_app.STARLETTE, gatepost_app.NO_CHECK, ten_lines.RIVAL)

BARE_AT_LEAST = 0.95
"""Of the unprotected app's requests per second (DESIGN, section 8)."""

KINDS = {
    "unknown": "a key that was deleted",
    "invented": "a secret that was made up",
    "deactivated": "a key that is switched off",
}

TEN_LINES_AT_LEAST = 0.97
"""Of the requests per second of ten lines by hand, which check no permission either."""

SLOW_REFUSED_SECONDS = 5


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second."""
    async with served(QUICK if plan.quick else RIVALS, plan.tell, starts=plan.pick(3, 1)) as contestants:
        turns = Turns(plan.tell, rounds=plan.pick(4, 1))
        await turns.take(contestants)
        first = [one for one in contestants if one.start == 0]
        tables = [_framework(name, first, turns) for name in dict.fromkeys(one.rival.framework for one in first)]
        refused = [await _refused(plan, contestants, kind) for kind in (() if plan.quick else KINDS)]
    return [*tables, *refused]


def _framework(name: str, everybody: Sequence[Contestant], turns: Turns) -> Table:
    contestants = [one for one in everybody if one.rival.framework == name]
    named = {one.rival.name: one for one in contestants}
    gatepost, unprotected = named[gatepost_app.STARLETTE.name], named[bare.STARLETTE.name]
    ratios = [*turns.ratios(gatepost, unprotected)]
    if alone := named.get(gatepost_app.NO_CHECK.name):
        ratios += turns.ratios(alone, unprotected, limit=BARE_AT_LEAST)
        ratios += turns.ratios(alone, named[ten_lines.RIVAL.name], limit=TEN_LINES_AT_LEAST)
    for one in contestants:
        if one.protects and not one.rival.name.startswith("gatepost"):
            ratios += turns.ratios(gatepost, one)
    return Table(
        title=f"A valid key over HTTP: {name}",
        unit="requests/s",
        series=tuple(turns.series(one) for one in contestants),
        ratios=tuple(ratios),
        figures=statuses(contestants),
        note="64 connections, one key, one uvicorn worker (uvloop, httptools); the servers take turns on one core",
    )


async def _refused(plan: Plan, contestants: Sequence[Contestant], kind: str) -> Table:
    """Of all frameworks. The middleware alone refuses as it does with a permission check behind it."""
    turns = Turns(plan.tell, rounds=1, kind=kind, slow_seconds=SLOW_REFUSED_SECONDS)
    knowing = [
        one for one in contestants if one.protects and kind in one.secrets and one.rival is not gatepost_app.NO_CHECK
    ]
    await turns.take(knowing)
    return Table(
        title=f"Refusing {KINDS[kind]}",
        unit="requests/s",
        series=tuple(turns.series(one, name=one.rival.label) for one in knowing if one.start == 0),
        note="the same secret again and again, 64 connections; contestants without such keys are left out",
    )
