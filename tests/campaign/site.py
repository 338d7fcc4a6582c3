"""The arrangement under test: PostgreSQL, Redis, a crew, and the network between them, each a process of its own."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from tests.campaign.crew import Crew, Plan, output, spawned, write
from tests.servers.clock import SteppedClock, compile_clock
from tests.servers.folder import server_folder
from tests.servers.postgres import PostgresServer, postgres_folder
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import RedisServer, redis_server

if TYPE_CHECKING:
    from asyncio.subprocess import Process


class Site(Crew):
    """A crew with one PostgreSQL and one Redis, and a network in between that can fail."""

    def __init__(self, plan: Plan, postgres: PostgresServer, redis: RedisServer, folder: Path) -> None:
        super().__init__(plan, folder, self._addresses)
        self.postgres = postgres
        self.redis = redis
        self._network: Process | None = None
        self._ports: dict[str, int] = {}

    def start_database(self) -> None:
        """Start PostgreSQL, and return when it takes connections."""
        clock = self.clocks.get("database")
        self.postgres.start(environment=clock.environment if clock else None)

    def redis_client(self) -> Redis:
        """A client of the Redis itself, with no network in between that fails; whoever asks closes it."""
        return Redis.from_url(self.redis.url, socket_timeout=5)

    async def tell_network(self, names: str, verb: str, *seconds: float) -> None:
        """Have the proxies whose names begin with `names` do something."""
        if self._network is None:
            raise RuntimeError("there is no network in between")
        for name in self._ports:
            if name.startswith(names):
                await write(self._network, f"{name} {verb} {' '.join(map(str, seconds))}\n")

    async def start(self, stack: AsyncExitStack) -> None:
        """The network first, if there is to be one."""
        if self.plan.proxied:
            targets = {"database": self.postgres.tcp_port, "redis": self.redis.port}
            numbers = range(self.plan.workers)
            words = [f"{name}-{number}={port}" for name, port in targets.items() for number in numbers]
            self._network = await spawned(stack, "network", *words)
            self._ports = json.loads(await output(self._network).readline())
        await super().start(stack)

    def _addresses(self, worker: int | None) -> dict[str, str]:
        """For a worker those of its proxies, if there are any."""
        redis = self._ports.get(f"redis-{worker}", self.redis.port)
        database = self.postgres.tcp_url(self._ports.get(f"database-{worker}"))
        return {"database": database, "redis": self.plan.redis or f"redis://127.0.0.1:{redis}/0"}


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[Site]:
    """Start an arrangement, and stop it at the end. Raises ProgramMissingError or ServerError."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(postgres_folder(tcp=True, max_connections="400"))
        redis = stack.enter_context(redis_server())
        site = Site(plan, postgres, redis, stack.enter_context(server_folder("site")))
        if plan.clocks:
            with suppress(ProgramMissingError):  # those faults are left out then
                library = compile_clock(postgres.folder)
                for name in ("worker", "database"):
                    site.clocks[name] = SteppedClock(library, postgres.folder / f"{name}-clock")
        site.start_database()
        await site.start(stack)
        yield site
