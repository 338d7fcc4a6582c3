"""The arrangement under test: servers, workers, load, the network between them, each a process of its own."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from redis.asyncio import Redis
from tests.servers.clock import SteppedClock, compile_clock
from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer, postgres_folder
from tests.servers.process import ServerProcess
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import RedisServer, redis_server

from benchmarks.revocation.load import RECORD
from benchmarks.revocation.truth import Request
from gatepost import APIKeys

ROOT = Path(__file__).parents[2]
VERB_SECONDS = 120.0
RECOVERY_SECONDS = 30.0
LOOK_SECONDS = 0.05

STEPPED_WORKER = 1
"""The worker whose wall clock can be stepped, and that is paused, killed and cut off."""

BARE_WORKER = 2
"""The worker with no memory tier: it asks Redis at every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. `settings`: of `APIKeys`, for every process. `proxied`: with a network that can fail between
    workers and servers. `source`: the folder that gatepost is imported from, `None` = the installed one. `loads`:
    processes that send requests; `connections`: of each of them to each worker. `bare`: one worker has no memory tier.
    """

    workers: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)
    proxied: bool = True
    source: Path | None = None
    loads: int = 2
    connections: int = 4
    bare: bool = True
    clocks: bool = True


class Server:
    """A process that serves the app, started as often as needed on the same port."""

    def __init__(self, app: str, folder: Path, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._app = f"benchmarks.revocation.app:{app}"
        self.port = free_port()
        self._folder = folder
        self._starts = 0
        self._variables = [f"{name}={value}" for name, value in environment.items()]
        self._variables.append(f"REVOCATION_SETTINGS={json.dumps(settings)}")
        self.process: ServerProcess | None = None

    def start(self) -> None:
        """Start it, and return at once."""
        self._starts += 1
        folder = self._folder / f"{self._starts}"
        folder.mkdir(parents=True)
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-access-log", "--log-level", "warning"]
        command = [sys.executable, "-m", "uvicorn", self._app, "--timeout-keep-alive", "75"]
        self.process = ServerProcess(["env", *self._variables, *command, *options], folder)

    def running(self) -> ServerProcess:
        """Its process."""
        if self.process is None:
            raise RuntimeError("not started")
        return self.process

    def log(self) -> str:
        """All that it has written to its log, over all its starts."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*/log")))


class Site:
    """All processes of one arrangement."""

    def __init__(self, plan: Plan, postgres: PostgresServer, redis: RedisServer, folder: Path) -> None:
        self.plan = plan
        self.postgres = postgres
        self.redis = redis
        self.folder = folder
        self.workers: list[Server] = []
        self.admin: Server
        self.clocks: dict[str, SteppedClock] = {}
        self.requests: list[Request] = []
        self._loads: list[asyncio.subprocess.Process] = []
        self._network: asyncio.subprocess.Process | None = None
        self._ports: dict[str, int] = {}
        self._http = httpx2.AsyncClient(timeout=VERB_SECONDS, limits=httpx2.Limits(max_connections=None))

    def start_database(self) -> None:
        """Start PostgreSQL, and return when it takes connections."""
        clock = self.clocks.get("database")
        self.postgres.start(environment=clock.environment if clock else None)

    def database_url(self, name: str | None = None) -> str:
        """The URL of the database; `name`: of a proxy."""
        return self.postgres.tcp_url(self._ports.get(name or ""))

    def redis_url(self, name: str | None = None) -> str:
        """The URL of Redis; `name`: of a proxy."""
        return f"redis://127.0.0.1:{self._ports.get(name or '', self.redis.port)}/0"

    def redis_client(self) -> Redis:
        """A client of the Redis itself, with no network in between that fails; whoever asks closes it."""
        return Redis.from_url(self.redis.url, socket_timeout=5)

    async def tell_network(self, names: str, verb: str, *seconds: float) -> None:
        """Have the proxies whose names begin with `names` do something."""
        if self._network is None or self._network.stdin is None:
            raise RuntimeError("there is no network in between")
        for name in self._ports:
            if name.startswith(names):
                self._network.stdin.write(f"{name} {verb} {' '.join(map(str, seconds))}\n".encode())
        await self._network.stdin.drain()

    async def tell_load(self, **command: Any) -> None:
        """Have every load process obey."""
        line = json.dumps(command).encode() + b"\n"
        for load in self._loads:
            if load.stdin is not None:
                load.stdin.write(line)
                await load.stdin.drain()

    def load_pids(self) -> Sequence[int]:
        """The ids of the load processes."""
        return [load.pid for load in self._loads]

    async def call(self, server: Server, verb: str, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Run a verb in that process. Raises `httpx2.TransportError` where it dies meanwhile."""
        done: Mapping[str, Any] = await self._post(server, "/verb", {"verb": verb, "args": args, "kwargs": kwargs})
        return done

    async def prime(self, secrets: Sequence[str]) -> int:
        """Have every worker remember the secrets; how many of them all find usable, at the least."""
        usable: list[int] = await asyncio.gather(
            *(self._post(worker, "/prime", list(secrets)) for worker in self.workers)
        )
        return min(usable)

    async def state(self, server: Server) -> Mapping[str, Any]:
        """What that process believes; empty where it does not answer."""
        try:
            answer = await self._http.get(f"http://127.0.0.1:{server.port}/state", timeout=2)
        except httpx2.TransportError:
            return {}
        state: Mapping[str, Any] = answer.json()
        return state

    async def recovered(self) -> float | None:
        """Wait until every worker holds a lease and uses Redis; seconds it took, `None` where it took too long."""
        begun = time.monotonic()
        used: int | None = None
        while time.monotonic() - begun < RECOVERY_SECONDS:
            states = await asyncio.gather(*map(self.state, self.workers))
            if all(state.get("lease", 0) > 0 and state.get("redis") for state in states):
                if not self.plan.bare:
                    return time.monotonic() - begun
                now = states[BARE_WORKER]["from_redis"]
                if used is not None and now > used:
                    return time.monotonic() - begun
                used = now
            await asyncio.sleep(LOOK_SECONDS)
        return None

    async def start_server(self, server: Server) -> None:
        """Start a process of the app, and return when it answers."""
        server.start()
        await self._answers(server)

    async def _answers(self, server: Server) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not await self.state(server):
            if not server.running().running or time.monotonic() > deadline:
                raise RuntimeError(f"a process of the app did not start:\n{server.log()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _post(self, server: Server, path: str, body: Any) -> Any:
        answer = await self._http.post(f"http://127.0.0.1:{server.port}{path}", json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: status {answer.status_code}\n{server.log()[-4000:]}")
        return answer.json()

    def environment(self, clock: str | None = None) -> dict[str, str]:
        """Variables for a process of the app; with the stepped clock of that name, if there is one."""
        folders = [str(ROOT)] if self.plan.source is None else [str(self.plan.source), str(ROOT)]
        stepped = self.clocks.get(clock or "")
        return {"PYTHONPATH": os.pathsep.join(folders), **(stepped.environment if stepped else {})}

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._http.aclose)
        if self.plan.proxied:
            await self._start_network(stack)
        await APIKeys(self.database_url()).create_schema()
        for number in range(self.plan.workers):
            settings = dict(self.plan.settings)
            settings["database"] = self.database_url(f"database-{number}")
            settings["redis"] = self.redis_url(f"redis-{number}")
            if self.plan.bare and number == BARE_WORKER:
                settings["memory_entries"] = 0
            clock = "worker" if number == STEPPED_WORKER else None
            self.workers.append(Server("worker", self.folder / f"worker-{number}", settings, self.environment(clock)))
        settings = {**self.plan.settings, "database": self.database_url(), "redis": self.redis_url()}
        self.admin = Server("admin", self.folder / "admin", settings, self.environment())
        servers = [*self.workers, self.admin]
        for server in servers:
            server.start()
            stack.callback(_stop, server)
        await asyncio.gather(*map(self._answers, servers))
        for _ in range(self.plan.loads):
            await self._start_load(stack)

    async def _start_network(self, stack: AsyncExitStack) -> None:
        targets = {"database": self.postgres.tcp_port, "redis": self.redis.port}
        words = [f"{name}-{n}={port}" for name, port in targets.items() for n in range(self.plan.workers)]
        network = await _spawn(stack, "benchmarks.revocation.network", *words)
        self._network = network
        if network.stdout is not None:
            self._ports = json.loads(await network.stdout.readline())

    async def _start_load(self, stack: AsyncExitStack) -> None:
        ports = [str(worker.port) for worker in self.workers]
        load = await _spawn(stack, "benchmarks.revocation.load", str(self.plan.connections), *ports)
        self._loads.append(load)
        task = asyncio.create_task(self._collect(load))
        stack.callback(task.cancel)

    async def _collect(self, load: asyncio.subprocess.Process) -> None:
        if load.stdout is None:
            return
        while True:
            self.requests.append(Request(*RECORD.unpack(await load.stdout.readexactly(RECORD.size))))


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[Site]:
    """Start an arrangement, and stop it at the end. Raises ProgramMissingError or ServerError."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(postgres_folder(tcp=True, max_connections="400"))
        redis = stack.enter_context(redis_server())
        site = Site(plan, postgres, redis, stack.enter_context(server_folder("site")))
        if plan.clocks:
            try:
                library = compile_clock(postgres.folder)
            except ProgramMissingError:
                pass  # those faults are left out then
            else:
                names = ("worker", "database")
                site.clocks = {name: SteppedClock(library, postgres.folder / f"{name}-clock") for name in names}
        site.start_database()
        await site._start(stack)
        yield site


def _stop(server: Server) -> None:
    if server.process is not None and server.process.running:
        server.process.kill()


async def _spawn(stack: AsyncExitStack, module: str, *words: str) -> asyncio.subprocess.Process:
    """Start one of our modules, with pipes; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )

    async def end() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return process
