"""What the polls of many workers cost the database, with nothing changing.

Run as a module, with a database and how many workers: a process with so many in it that only poll, until its standard
input ends.
"""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import psutil  # type: ignore[import-untyped]
from benchmarks.origin import ROOT
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys
from tests.servers import child
from tests.servers.postgres import PostgresServer, postgres_server

MODULE = "tests.campaign.polling"
PROCESSES = 2
BEGIN_SECONDS = 60.0
SETTLE_SECONDS = 3.0


async def polling(workers: int, seconds: float) -> Mapping[str, Any]:
    """`workers` with default settings, in `PROCESSES` processes, watched for `seconds`. CPU: shares of one core."""
    with postgres_server(tcp=True, max_connections=str(2 * workers + 100)) as server:
        await APIKeys(server.tcp_url()).create_schema()
        idle_cpu, _ = await _watched(server, seconds / 2)
        async with AsyncExitStack() as stack:
            for _ in range(PROCESSES):
                command = (sys.executable, "-m", MODULE, server.tcp_url(), workers // PROCESSES)
                process = await stack.enter_async_context(child.running(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE))
                assert process.stdout is not None
                async with asyncio.timeout(BEGIN_SECONDS):
                    await process.stdout.readline()
            await asyncio.sleep(SETTLE_SECONDS)
            cpu, statements = await _watched(server, seconds)
    return {
        "workers": workers,
        "poll_interval_seconds": 1.0,
        "statements_per_second": round(statements, 1),
        "server_cpu_percent_of_one_core": round(100 * (cpu - idle_cpu), 2),
        "server_cpu_us_per_statement": round(1e6 * (cpu - idle_cpu) / statements, 1),
        "seconds": seconds,
    }


async def _watched(server: PostgresServer, seconds: float) -> tuple[float, float]:
    """CPU seconds per second of all the server's processes, and transactions per second: each poll is one."""
    engine = create_async_engine(server.tcp_url(), isolation_level="AUTOCOMMIT")
    count = text("SELECT pg_stat_force_next_flush(), xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
    try:
        async with engine.connect() as connection:
            transactions = -(await connection.execute(count)).one()[1]
            spent, begun = -cpu_seconds(server), time.monotonic()
            await asyncio.sleep(seconds)
            spent, lasted = spent + cpu_seconds(server), time.monotonic() - begun
            transactions += (await connection.execute(count)).one()[1]
    finally:
        await engine.dispose()
    return spent / lasted, transactions / lasted


def cpu_seconds(server: PostgresServer) -> float:
    spent = 0.0
    for pid in server.pids():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            times = psutil.Process(pid).cpu_times()
            spent += times.user + times.system
    return spent


async def _poll(database: str, workers: int) -> None:
    """Hold a lease in each until the standard input ends."""
    lines = await child.commands()
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            await (await stack.enter_async_context(APIKeys(database))).serve()
        print("serving", flush=True)
        await lines.read()


if __name__ == "__main__":
    asyncio.run(_poll(sys.argv[1], int(sys.argv[2])))
