"""What the polls of many workers cost the database, with nothing changing."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers.postgres import PostgresServer, postgres_server

from benchmarks.revocation.site import ROOT
from gatepost import APIKeys

PROCESSES = 2
BEGIN_SECONDS = 60.0
SETTLE_SECONDS = 3.0
TICKS = os.sysconf("SC_CLK_TCK")


async def polling(workers: int, seconds: float) -> Mapping[str, Any]:
    """`workers` with default settings, in `PROCESSES` processes, watched for `seconds`. CPU: shares of one core."""
    with postgres_server(tcp=True, max_connections=str(2 * workers + 100)) as server:
        await APIKeys(server.tcp_url()).create_schema()
        idle_cpu, _ = await _watched(server, seconds / 2)
        async with AsyncExitStack() as stack:
            processes = [await _begin(stack, server.tcp_url(), workers // PROCESSES) for _ in range(PROCESSES)]
            await asyncio.sleep(SETTLE_SECONDS)
            cpu, statements = await _watched(server, seconds)
            for process in processes:
                if process.stdin is not None:
                    process.stdin.close()
                await process.wait()
    return {
        "workers": workers,
        "poll_interval_seconds": 1.0,
        "statements_per_second": round(statements, 1),
        "server_cpu_percent_of_one_core": round(100 * (cpu - idle_cpu), 2),
        "server_cpu_us_per_statement": round(1e6 * (cpu - idle_cpu) / statements, 1),
        "seconds": seconds,
    }


async def _begin(stack: AsyncExitStack, database: str, workers: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.revocation.simulated", database, str(workers)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    def end() -> None:
        if process.returncode is None:
            process.kill()

    stack.callback(end)
    if process.stdout is not None:
        async with asyncio.timeout(BEGIN_SECONDS):
            await process.stdout.readline()
    return process


async def _watched(server: PostgresServer, seconds: float) -> tuple[float, float]:
    """CPU seconds per second of all the server's processes, and transactions per second: each poll is one."""
    engine = create_async_engine(server.tcp_url(), isolation_level="AUTOCOMMIT")
    count = text("SELECT pg_stat_force_next_flush(), xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
    try:
        async with engine.connect() as connection:
            transactions = -(await connection.execute(count)).one()[1]
            spent, begun = -_cpu_seconds(server), time.monotonic()
            await asyncio.sleep(seconds)
            spent, lasted = spent + _cpu_seconds(server), time.monotonic() - begun
            transactions += (await connection.execute(count)).one()[1]
    finally:
        await engine.dispose()
    return spent / lasted, transactions / lasted


def _cpu_seconds(server: PostgresServer) -> float:
    ticks = 0
    for pid in server.pids():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS
