"""Requests per second with a key, over HTTP, 64 connections, against each framework's alternatives.

One uvicorn worker per contestant, with uvloop and httptools, all on the same core and in turns; wrk on another. Each
but keyshield is started three times, since two starts of the same server differ by some percent: a turn of a start is a
round. The same key again and again, so gatepost answers from memory. Then the same with secrets that are refused; a
quick run does without.
"""

from collections.abc import Sequence

from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app, ten_lines
from benchmarks.rivals.roll import RIVALS
from benchmarks.rounds import Plan
from benchmarks.serving.lineup import Contestant, served, statuses
from benchmarks.serving.turns import Turns

QUICK = (bare.STARLETTE, gatepost_app.STARLETTE, gatepost_app.NO_CHECK, ten_lines.RIVAL)

BARE_AT_LEAST = 0.95
"""Of the unprotected app's requests per second (DESIGN, section 8)."""

KINDS = {
    "unknown": "a key that was deleted",
    "invented": "a secret that was made up",
    "deactivated": "a key that is switched off",
}

SLOW_REFUSED_SECONDS = 5


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second."""
    async with served(QUICK if plan.quick else RIVALS, plan.tell, starts=plan.pick(3, 1)) as contestants:
        tables = await _let_in(plan, contestants)
        for kind in () if plan.quick else KINDS:
            tables.append(await _refused(plan, contestants, kind))
    return tables


async def _let_in(plan: Plan, contestants: Sequence[Contestant]) -> list[Table]:
    """A table a framework."""
    turns = Turns(plan.tell, rounds=plan.pick(4, 1))
    await turns.take(contestants)
    first = [one for one in contestants if one.start == 0]
    frameworks = {one.rival.framework: None for one in first}
    return [_framework(name, [one for one in first if one.rival.framework == name], turns) for name in frameworks]


def _framework(name: str, contestants: Sequence[Contestant], turns: Turns) -> Table:
    named = {one.rival.name: one for one in contestants}
    gatepost, unprotected = named[gatepost_app.STARLETTE.name], named[bare.STARLETTE.name]
    ratios = [*turns.ratios(gatepost, unprotected)]
    if alone := named.get(gatepost_app.NO_CHECK.name):
        ratios += turns.ratios(alone, unprotected, limit=BARE_AT_LEAST)
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
        one
        for one in contestants
        if one.protects and kind in one.secrets.refused() and one.rival is not gatepost_app.NO_CHECK
    ]
    await turns.take(knowing)
    return Table(
        title=f"Refusing {KINDS[kind]}",
        unit="requests/s",
        series=tuple(turns.series(one, name=one.rival.label) for one in knowing if one.start == 0),
        note="the same secret again and again, 64 connections; contestants without such keys are left out",
    )
