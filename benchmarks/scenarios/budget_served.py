"""The same steps as under a server: in uvicorn's protocol, around a Starlette app, the processor's caches swept.

The ladder of *budget*, each rung around the same app, behind uvicorn's protocol with httptools, over a transport that
sends nothing. Before each request more memory is read than the core's own caches hold: in a server, system calls and
other requests do that. A scope has as many entries here as under a server, and must grow where a rung adds some.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from benchmarks.in_process import SWEPT_BYTES, SWEPT_CALLS, memory_hits
from benchmarks.ladder import apps, steps
from benchmarks.measured import Table
from benchmarks.rivals import bare_starlette
from benchmarks.rivals.rival import ROUTE
from benchmarks.rounds import Contestant, Plan, take_turns

PAUSE_SECONDS = 0.005
"""Before each turn, in which the keys poll: a turn keeps the loop busy, and with no polls the lease would run out."""


class Wire(asyncio.Transport):
    """A connection over which nothing is sent. `written`: what would have been."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8_000)})
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written += data

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to close."""


async def measure(plan: Plan) -> Sequence[Table]:
    """What each step adds."""
    async with memory_hits(compiled=False) as hits:
        ladder = apps(bare_starlette.build, hits, asyncio.get_running_loop())
        contestants = {name: through_uvicorn(app, hits.secret) for name, app in ladder.items()}
        for contestant in contestants.values():
            await contestant()  # what is made at the first request
        runs = await take_turns(contestants, plan.pick(400, 8), plan.tell)
    note = f"{SWEPT_BYTES >> 20} MiB are read before each request; times are medians of {SWEPT_CALLS} requests a round."
    return [steps("What a memory hit adds under uvicorn's protocol, caches swept, step by step", runs, note)]


def through_uvicorn(app: ASGIApp, secret: str) -> Contestant:
    """µs per request over one connection: median of a turn. Raises `RuntimeError` where one is not answered."""
    config = Config(app, http=HttpToolsProtocol, access_log=False, log_config=None, lifespan="off")
    config.load()
    wire = Wire()
    protocol = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(wire)
    head = f"GET {ROUTE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
    memory = bytes(SWEPT_BYTES)

    async def turn() -> float:
        await asyncio.sleep(PAUSE_SECONDS)
        times = []
        for _ in range(SWEPT_CALLS):
            wire.written.clear()
            memory.count(1)
            begin = time.perf_counter()
            protocol.data_received(head)
            await asyncio.sleep(0)
            times.append(time.perf_counter() - begin)
            if not wire.written.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not answered in one turn of the loop: {bytes(wire.written[:40])!r}")
        return median(times) * 1e6

    return turn
