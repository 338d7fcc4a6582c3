"""What each statement costs the real PostgreSQL, for the simulated one (`site.COSTS`):

    python -m tests.simulation.calibrate

    the real gatepost.database.Database, some connections at once ──> PostgreSQL: processor time / statements

It is the processor time of all the server's processes, so it does not matter that the client is slower than the server;
the median of several rounds. (No autovacuum: what a process has spent goes with it.) A server that has slept between
two statements pays more for each (docs/freshness.md has 205 µs for polls that come one by one): its caches are cold.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from statistics import median
from typing import Any

from sqlalchemy import text

from gatepost import APIKeys
from gatepost.base import Worker
from gatepost.database import Database
from tests.campaign.polling import cpu_seconds
from tests.servers.postgres import PostgresServer, postgres_server

AT_ONCE = 5
"""As many connections as the engine keeps: those beyond are closed again, and what they have spent goes with them."""

SIZES = (1_000, 10_000)
ROUNDS = 5
SECONDS = 1.5

Statement = Callable[[], Awaitable[Any]]


async def main() -> None:
    """Print microseconds of the server's processor a statement, and of this process's."""
    settings = {"fsync": "on", "full_page_writes": "on", "autovacuum": "off"}
    with postgres_server(tcp=True, **settings) as server:
        await APIKeys(server.tcp_url()).create_schema()
        async with APIKeys(server.tcp_url()) as keys:
            issued = [(await keys.create("a key", ["FILE_UPLOAD"])).key.id for _ in range(10)]
            turns = count()
            for size in SIZES:
                database = Database(server.tcp_url(), timeout=60.0)
                await database.open()
                try:
                    await measure(server, f"{size} workers", await statements(database, size))
                finally:
                    await database.close()
            change: Statement = lambda: keys.deactivate(issued[next(turns) % 10], wait="commit")  # noqa: E731
            await measure(server, "one after the other", {"deactivate, and one look at all": change}, at_once=1)


async def statements(database: Database, size: int) -> Mapping[str, Statement]:
    """What workers ask, in a table of so many."""
    workers = database.workers
    for n in range(len(await workers.read_acked()), size):
        await workers.join(Worker(f"{n * 2**128 // 10_000:032x}", f"host-{n}:1"), 10.0, datetime.now(UTC))
    async with database.engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE gatepost_workers"))
    ids = list(await workers.read_acked())
    numbers = count()
    position = await database.read_position(None)

    def somebody() -> str:
        return ids[next(numbers) * 7919 % size]

    async def read_events() -> None:
        async for _ in database.read_events(position.seq - 1, position.seq, 100):
            pass

    return {
        "read_position": lambda: database.read_position(somebody()),
        "read_events": read_events,
        "read_records": partial(database.read_records, [bytes(32)]),
        "renew": lambda: workers.renew(somebody(), position.seq, position.nonce, datetime.now(UTC)),
        "read_after": lambda: workers.read_after(somebody(), 32),
        "read_all": workers.read_all,
        "read_acked": workers.read_acked,
    }


async def measure(server: PostgresServer, title: str, asked: Mapping[str, Statement], at_once: int = AT_ONCE) -> None:
    """Take turns, and print the median of each."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, statement in asked.items():
            taken[name].append(await _round(server, statement, at_once))
    print(title)
    for name, rounds in taken.items():
        ours, own = (1e6 * median(each[side] for each in rounds) for side in (0, 1))
        print(f"  {name:32} {ours:8.0f} µs of the server, {own:8.0f} µs of the client", flush=True)


async def _round(server: PostgresServer, statement: Statement, at_once: int) -> tuple[float, float]:
    ends = time.monotonic() + SECONDS
    done = 0

    async def go_on() -> None:
        nonlocal done
        while time.monotonic() < ends:
            await statement()
            done += 1

    spent, own = -cpu_seconds(server), -time.process_time()
    await asyncio.gather(*(go_on() for _ in range(at_once)))
    return (spent + cpu_seconds(server)) / done, (own + time.process_time()) / done


if __name__ == "__main__":
    asyncio.run(main())
