"""What gatepost adds to a program's start: importing it, opening the keys, and the first answered request.

Imports and opening are timed in new processes, whose bytecode is compiled already. The first answer is that of an app
under uvicorn, from the moment that its process is started: the tables and a key are there before.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tests.servers.child import printed
from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.postgres import postgres_server
from tests.servers.redis import redis_server

from benchmarks.cores import ONE, OTHER, kept
from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app, keygate_fastapi, keyshield_fastapi
from benchmarks.rivals.rival import ROUTE, Rival, Stores
from benchmarks.rounds import Contestant, Plan, ratio, ratios, series, take_turns
from benchmarks.serving.servers import UVICORN

PYTHON, ALL, NAMES = "Python alone", "gatepost", "gatepost, what an app uses"
STARLETTE, FASTAPI, LITESTAR = "Starlette", "FastAPI", "Litestar"

IMPORTS: Mapping[str, str] = {
    PYTHON: "pass",
    ALL: "import gatepost",
    NAMES: "from gatepost import APIKeyMiddleware, APIKeys, requires",
    STARLETTE: "import starlette.applications",
    FASTAPI: "import fastapi",
    LITESTAR: "import litestar",
    "keyshield": """
import keyshield.hasher.argon2, keyshield.repositories.sql
from keyshield import ApiKey, ApiKeyService
from keyshield.api import create_api_keys_router, create_depends_api_key""",
    "fastapi-keygate": "from keygate import AsyncKeyGate",
    "djangorestframework-api-key": """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=[
    "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework_api_key"])
django.setup()
from rest_framework_api_key.permissions import HasAPIKey""",
}
"""What is imported, as each one's own documentation does it."""

IMPORTS_QUICK = (PYTHON, NAMES, STARLETTE, FASTAPI)

IMPORT_NOTES = {
    ALL: "with the parts of Starlette that it needs; SQLAlchemy and redis-py follow when keys are opened",
    **dict.fromkeys((STARLETTE, FASTAPI, LITESTAR), "a framework, for comparison"),
    "keyshield": "with FastAPI, SQLAlchemy and Argon2, which its README's example needs",
    "fastapi-keygate": "with FastAPI, which it is for",
    "djangorestframework-api-key": "with Django, set up, and its REST framework",
}

SQLITE, SERVERS = "SQLite", "PostgreSQL and Redis"

BARE, BARE_FASTAPI = "bare app", "bare app (FastAPI)"
APPS: Mapping[str, tuple[Rival, str]] = {
    BARE: (bare.STARLETTE, SQLITE),
    "gatepost, SQLite": (gatepost_app.STARLETTE, SQLITE),
    "gatepost": (gatepost_app.STARLETTE, SERVERS),
    BARE_FASTAPI: (bare.FASTAPI, SQLITE),
    "gatepost (FastAPI)": (gatepost_app.FASTAPI, SERVERS),
    "keyshield, no delay": (keyshield_fastapi.NO_DELAYS, SERVERS),
    "fastapi-keygate": (keygate_fastapi.RIVAL, SERVERS),
}
"""Contestants, and where their keys are. A quick run does with the first three."""

OPENING = """
import asyncio, sys, time
from gatepost import APIKeys

async def main():
    for _ in range(2):
        begun = time.perf_counter()
        async with APIKeys(*sys.argv[1:]):
            print(time.perf_counter() - begun)

asyncio.run(main())
"""
"""Opens the keys twice, and prints the seconds of each."""

_python = partial(printed, sys.executable, "-c")
"""Runs code in a new process; what it prints. Raises `RuntimeError` where it fails."""

ANSWER_SECONDS = 60.0
AGAIN_SECONDS = 0.002
"""Between two tries to connect to a server that has just been started."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Times are milliseconds."""
    with ExitStack() as stack:
        stack.enter_context(kept(ONE))
        imports = await _imports(plan)
        folder = stack.enter_context(server_folder("startup"))
        postgres, redis = stack.enter_context(postgres_server()), stack.enter_context(redis_server())
        stores = {
            SQLITE: Stores(database=f"sqlite:///{folder / 'keys.db'}", redis="", folder=folder),
            SERVERS: Stores(database=postgres.url, redis=redis.url, folder=folder),
        }
        first = await _first_answers(stores, plan)
        return [imports, await _openings(stores, plan), first]


async def _imports(plan: Plan) -> Table:
    codes = {name: IMPORTS[name] for name in (IMPORTS_QUICK if plan.quick else IMPORTS)}
    modules = {name: int(await _python(f"{code}\nimport sys; print(len(sys.modules))")) for name, code in codes.items()}
    contestants: dict[str, Contestant] = {name: partial(_time_python, code) for name, code in codes.items()}
    runs = await take_turns(contestants, plan.pick(20, 3), plan.tell)
    imported = [name for name in codes if name != PYTHON]
    return Table(
        title="Import, added to Python's own start",
        unit="ms",
        series=series(runs, IMPORT_NOTES, beyond=PYTHON),
        ratios=ratios(runs, NAMES, [name for name in imported if name not in {ALL, NAMES}], beyond=PYTHON),
        figures={f"modules loaded by {name}": str(modules[name] - modules[PYTHON]) for name in imported},
    )


async def _openings(stores: Mapping[str, Stores], plan: Plan) -> Table:
    """Each process gives two values: the first opening loads libraries."""
    runs: dict[str, list[float]] = {}
    rounds = plan.pick(20, 2)
    for number in range(rounds):
        for name, store in stores.items():
            plan.tell(f"round {number + 1} of {rounds}: opening the keys: {name}")
            first, again = map(float, (await _python(OPENING, store.database, *filter(None, [store.redis]))).split())
            runs.setdefault(f"{name}, first in a process", []).append(first * 1000)
            runs.setdefault(f"{name}, again", []).append(again * 1000)
    return Table(
        title="Opening the keys: async with keys",
        unit="ms",
        series=series(runs),
        note="The first time in a process SQLAlchemy, the driver and redis-py are loaded. The tables are there before.",
    )


async def _first_answers(stores: Mapping[str, Stores], plan: Plan) -> Table:
    contestants: dict[str, Contestant] = {}
    for name, (rival, where) in islice(APPS.items(), plan.pick(len(APPS), 3)):
        prepared = await rival.prepare(stores[where])
        header = rival.header(prepared.secrets["usable"])
        contestants[name] = partial(_time_first_answer, rival.app, prepared.settings, header, stores[where].folder)
        await contestants[name]()  # compiles what was not
    runs = await take_turns(contestants, plan.pick(10, 2), plan.tell)
    against = {
        name: BARE_FASTAPI if APPS[name][0].framework == "FastAPI" else BARE
        for name in runs
        if name not in {BARE, BARE_FASTAPI}
    }
    return Table(
        title="From the start of uvicorn to the first answer",
        unit="ms",
        series=series(runs, {name: rival.note for name, (rival, _) in APPS.items()}),
        ratios=tuple(ratio(runs, name, unprotected) for name, unprotected in against.items()),
        note="One worker, uvloop and httptools. The request has a good key; all but the bare apps look it up.",
    )


async def _time_first_answer(app: str, settings: Mapping[str, Any], header: str, folder: Path) -> float:
    """Raises `RuntimeError` where the first answer is not the right one."""
    port = free_port()
    begun = time.perf_counter()
    with kept(OTHER):
        process = UVICORN.start(app, settings, folder, port)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status = await _first_status(port, header)
        taken = time.perf_counter() - begun
    finally:
        process.stop()
    if status != 200:
        raise RuntimeError(f"{app}: the first answer is {status}\n{(folder / 'log').read_text()[-2000:]}")
    return taken * 1000


async def _first_status(port: int, header: str) -> int:
    """Of the first answer that a server gives on that port, as soon as it takes connections."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        try:
            writer.write(f"GET {ROUTE} HTTP/1.1\r\nHost: a\r\nAuthorization: {header}\r\n\r\n".encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


async def _time_python(code: str) -> float:
    begun = time.perf_counter()
    await _python(code)
    return (time.perf_counter() - begun) * 1000
