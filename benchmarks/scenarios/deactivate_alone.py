"""How long `deactivate()` takes without Redis, 4 workers: heard by the database's own doorbell, against polls alone.

Two sites side by side, on databases of their own, asked in turn: one as it is, one whose processes hear no doorbell and
poll each `poll_interval` (1 s), as all did before there was one; its code is today's else. Each is workers under
uvicorn that serve some requests, and an administrator. Every worker remembers the key before it is deactivated.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.campaign.crew import Crew
from tests.campaign.latency import PLAN, make_keys, serve_good_keys
from tests.servers.databases import create_database
from tests.servers.folder import server_folder
from tests.servers.postgres import postgres_server

from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns

WORKERS = 4
CALLS, CALLS_QUICK = 60, 6
LIMITS: Mapping[str, float] = {"PostgreSQL": 0.05, "SQLite": 0.1}
HEARD, POLLED = "gatepost", "gatepost, polls only"


async def measure(plan: Plan) -> Sequence[Table]:
    """Milliseconds, a value a call."""
    with ExitStack() as stack:
        folder = stack.enter_context(server_folder("alone"))
        postgres = stack.enter_context(postgres_server(tcp=True))
        made = [await asyncio.to_thread(create_database, postgres.tcp_url()) for _ in range(2)]
        urls = {
            "PostgreSQL": dict(zip((HEARD, POLLED), made, strict=True)),
            "SQLite": {HEARD: f"sqlite:///{folder}/heard.db", POLLED: f"sqlite:///{folder}/polled.db"},
        }
        return [await _table(plan, kind, folder / kind, of) for kind, of in urls.items()]


async def _table(plan: Plan, kind: str, folder: Path, urls: Mapping[str, str]) -> Table:
    calls = plan.pick(CALLS, CALLS_QUICK)
    contestants = {}
    async with AsyncExitStack() as stack:
        for name, url in urls.items():
            plan.tell(f"{kind}: starting {WORKERS} workers, {name}")
            told = {"database": url}
            of = replace(PLAN, workers=WORKERS, polls_only=name == POLLED)
            crew = Crew(of, folder / name, lambda _worker, told=told: told)  # type: ignore[misc]
            await crew.start(stack)
            await serve_good_keys(crew)
            contestants[name] = partial(_call, crew, list((await make_keys(crew, calls)).values()))
        runs = await take_turns(contestants, calls, lambda said: plan.tell(f"{kind}, {said}"))
    return Table(
        title=f"deactivate() without Redis, {WORKERS} workers, {kind}",
        unit="ms",
        series=series(runs, {POLLED: "as it was before the database was a doorbell; else the same code"}),
        ratios=(ratio(runs, HEARD, POLLED, limit=LIMITS[kind]),),
        note="From call to return, when no worker accepts the key any more. Ratios of calls that follow each other.",
        contest=False,
    )


async def _call(crew: Crew, ids: list[str]) -> float:
    """One of the keys, at any moment between two polls. Raises `RuntimeError` where it was not done everywhere."""
    await asyncio.sleep(random.uniform(0, 1))
    done = await crew.call(crew.admin, "deactivate", ids.pop())
    if "error" in done or not done["complete"] or done["expired"]:
        raise RuntimeError(f"a call of deactivate() did not do its work: {done}")
    return float(done["ended"] - done["began"]) / 1e6
