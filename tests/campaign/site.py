"""The arrangement under test: servers, workers, load, the network between them, each a process of its own."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from benchmarks.origin import ROOT
from redis.asyncio import Redis

from gatepost import APIKeys
from tests.campaign.load import RECORD
from tests.campaign.truth import Request
from tests.servers import child
from tests.servers.clock import SteppedClock, compile_clock
from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer, postgres_folder
from tests.servers.process import ServerProcess
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import RedisServer, redis_server

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
    `redis`: the URL of another Redis than that of the site, if there is one.
    """

    workers: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)
    proxied: bool = True
    source: Path | None = None
    loads: int = 2
    connections: int = 4
    bare: bool = True
    clocks: bool = True
    redis: str | None = None


class Server:
    """A process that serves the app, started as often as needed on the same port."""

    process: ServerProcess

    def __init__(self, app: str, folder: Path, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self._folder = folder
        self._starts = 0
        variables = {**environment, "REVOCATION_SETTINGS": json.dumps(settings)}
        serve = f"-m uvicorn tests.campaign.app:{app} --host 127.0.0.1 --port {self.port} --no-access-log"
        options = f"{serve} --log-level warning --timeout-keep-alive 75".split()
        self._command = ["env", *(f"{name}={value}" for name, value in variables.items()), sys.executable, *options]

    def start(self) -> None:
        """Start it, and return at once."""
        self._starts += 1
        folder = self._folder / f"{self._starts}"
        folder.mkdir(parents=True)
        self.process = ServerProcess(self._command, folder)

    def end(self) -> None:
        """Kill it. No effect if it is gone."""
        if self.process.running:
            self.process.kill()

    def log(self) -> str:
        """All that it has written to its log, over all its starts."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*/log")))


class Site:
    """All processes of one arrangement."""

    admin: Server

    def __init__(self, plan: Plan, postgres: PostgresServer, redis: RedisServer, folder: Path) -> None:
        self.plan = plan
        self.postgres = postgres
        self.redis = redis
        self.folder = folder
        self.workers: list[Server] = []
        self.clocks: dict[str, SteppedClock] = {}
        self.requests: list[Request] = []
        self.loads: list[Process] = []
        self._network: Process | None = None
        self._ports: dict[str, int] = {}
        self._http = httpx2.AsyncClient(timeout=VERB_SECONDS, limits=httpx2.Limits(max_connections=None))

    @property
    def stepped(self) -> Server:
        """The worker that is paused and killed."""
        return self.workers[STEPPED_WORKER]

    def start_database(self) -> None:
        """Start PostgreSQL, and return when it takes connections."""
        clock = self.clocks.get("database")
        self.postgres.start(environment=clock.environment if clock else None)

    def addresses(self, worker: int | None = None) -> dict[str, str]:
        """Of the database and of Redis; for a worker those of its proxies, if there are any."""
        redis = self._ports.get(f"redis-{worker}", self.redis.port)
        database = self.postgres.tcp_url(self._ports.get(f"database-{worker}"))
        return {"database": database, "redis": self.plan.redis or f"redis://127.0.0.1:{redis}/0"}

    def redis_client(self) -> Redis:
        """A client of the Redis itself, with no network in between that fails; whoever asks closes it."""
        return Redis.from_url(self.redis.url, socket_timeout=5)

    async def tell_network(self, names: str, verb: str, *seconds: float) -> None:
        """Have the proxies whose names begin with `names` do something."""
        if self._network is None:
            raise RuntimeError("there is no network in between")
        for name in self._ports:
            if name.startswith(names):
                await _write(self._network, f"{name} {verb} {' '.join(map(str, seconds))}\n")

    async def tell_load(self, **command: Any) -> None:
        """Have every load process obey."""
        for load in self.loads:
            await _write(load, f"{json.dumps(command)}\n")

    async def call(self, server: Server, verb: str, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Run a verb in that process. Raises `httpx2.TransportError` where it dies meanwhile."""
        done: Mapping[str, Any] = await self._post(server, "/verb", {"verb": verb, "args": args, "kwargs": kwargs})
        return done

    async def prime(self, secrets: Sequence[str]) -> int:
        """Have every worker remember the secrets; how many of them all find usable, at the least."""
        usable = await asyncio.gather(*(self._post(worker, "/prime", list(secrets)) for worker in self.workers))
        return int(min(usable))

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
        while (taken := time.monotonic() - begun) < RECOVERY_SECONDS:
            states = await asyncio.gather(*map(self.state, self.workers))
            if all(state.get("lease", 0) > 0 and state.get("redis") for state in states):
                now = states[BARE_WORKER]["from_redis"] if self.plan.bare else 0
                if not self.plan.bare or (used is not None and now > used):
                    return taken
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
            if not server.process.running or time.monotonic() > deadline:
                raise RuntimeError(f"a process of the app did not start:\n{server.log()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _post(self, server: Server, path: str, body: Any) -> Any:
        answer = await self._http.post(f"http://127.0.0.1:{server.port}{path}", json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: status {answer.status_code}\n{server.log()[-4000:]}")
        return answer.json()

    def _server(self, app: str, number: int | None = None) -> Server:
        """A worker, by its number, or the administrator."""
        settings = {**self.plan.settings, **self.addresses(number)}
        if self.plan.bare and number == BARE_WORKER:
            settings["memory_entries"] = 0
        folders = [str(folder) for folder in (self.plan.source, ROOT) if folder is not None]
        stepped = self.clocks.get("worker") if number == STEPPED_WORKER else None
        environment = {"PYTHONPATH": os.pathsep.join(folders), **(stepped.environment if stepped else {})}
        return Server(app, self.folder / f"{app}-{number}", settings, environment)

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._http.aclose)
        numbers = range(self.plan.workers)
        if self.plan.proxied:
            targets = {"database": self.postgres.tcp_port, "redis": self.redis.port}
            words = [f"{name}-{number}={port}" for name, port in targets.items() for number in numbers]
            self._network = await _spawned(stack, "network", *words)
            self._ports = json.loads(await _output(self._network).readline())
        await APIKeys(self.addresses()["database"]).create_schema()
        self.workers = [self._server("worker", number) for number in numbers]
        self.admin = self._server("admin")
        servers = [*self.workers, self.admin]
        for server in servers:
            server.start()
            stack.callback(server.end)
        await asyncio.gather(*map(self._answers, servers))
        for _ in range(self.plan.loads):
            ports = [worker.port for worker in self.workers]
            self.loads.append(load := await _spawned(stack, "load", self.plan.connections, *ports))
            stack.callback(asyncio.create_task(self._collect(load)).cancel)

    async def _collect(self, load: Process) -> None:
        while True:
            self.requests.append(Request(*RECORD.unpack(await _output(load).readexactly(RECORD.size))))


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
        await site._start(stack)
        yield site


async def _spawned(stack: AsyncExitStack, module: str, *words: Any) -> Process:
    """Start one of our modules, with pipes; it is killed at the end."""
    command = (sys.executable, "-m", f"{__package__}.{module}", *words)
    options: dict[str, Any] = {"cwd": ROOT, "stdin": PIPE, "stdout": PIPE, "start_new_session": True}
    return await stack.enter_async_context(child.running(*command, **options))


async def _write(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())
    await process.stdin.drain()


def _output(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None
    return process.stdout
