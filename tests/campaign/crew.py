"""Processes that serve, one that changes keys, and those that send requests, wherever the keys may lie."""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from benchmarks.origin import ROOT

from gatepost import APIKeys
from tests.campaign.load import RECORD
from tests.campaign.truth import Request
from tests.servers import child, clock
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

VERB_SECONDS = 120.0
RECOVERY_SECONDS = 30.0
LOOK_SECONDS = 0.05
STACK_SECONDS = 0.5

STEPPED_WORKER = 1
"""The worker whose wall clock can be stepped, and that is paused, killed and cut off."""

BARE_WORKER = 2
"""The worker with no memory tier: it asks Redis, or the database, at every request."""

Addresses = Callable[[int | None], Mapping[str, str]]
"""Of a process's database, and of its Redis if there is one, as `APIKeys` takes them: by the worker's number, `None` =
the administrator's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. `settings`: of `APIKeys`, for every process. `proxied`: with a network that can fail between
    workers and servers. `source`: the folder that gatepost is imported from, `None` = the installed one. `loads`:
    processes that send requests; `connections`: of each of them to each worker. `bare`: one worker has no memory tier.
    `polls_only`: no process hears the database's doorbell. `redis`: the URL of another Redis than that of the site, if
    there is one.
    """

    workers: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)
    proxied: bool = True
    source: Path | None = None
    loads: int = 2
    connections: int = 4
    bare: bool = True
    clocks: bool = True
    polls_only: bool = False
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

    def state(self) -> str:
        """The system's letter for what the process does: R, S, T, …"""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][:1]

    def log(self) -> str:
        """All that it has written to its log, over all its starts."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*/log")))


class Crew:
    """All processes of gatepost's and those that ask them. `folder`: for their logs."""

    admin: Server

    def __init__(self, plan: Plan, folder: Path, addresses: Addresses) -> None:
        self.plan = plan
        self.addresses = addresses
        self.workers: list[Server] = []
        self.clocks: dict[str, clock.SteppedClock] = {}
        self.requests: list[Request] = []
        self.loads: list[Process] = []
        self.stuck = ""
        """What is the matter with the workers that did not recover."""
        self._folder = folder
        self._http = httpx2.AsyncClient(timeout=VERB_SECONDS, limits=httpx2.Limits(max_connections=None))

    @property
    def stepped(self) -> Server:
        """The worker that is paused and killed."""
        return self.workers[STEPPED_WORKER]

    async def start(self, stack: AsyncExitStack) -> None:
        """Make the tables, start everybody, and return when they answer; they are ended with the stack."""
        stack.push_async_callback(self._http.aclose)
        await APIKeys(self.addresses(None)["database"]).create_schema()
        self.workers = [self._server("worker", number) for number in range(self.plan.workers)]
        self.admin = self._server("admin")
        servers = [*self.workers, self.admin]
        for server in servers:
            server.start()
            stack.callback(server.end)
        await asyncio.gather(*map(self._answers, servers))
        for _ in range(self.plan.loads):
            ports = [worker.port for worker in self.workers]
            self.loads.append(load := await spawned(stack, "load", self.plan.connections, *ports))
            stack.callback(asyncio.create_task(self._collect(load)).cancel)

    async def tell_load(self, **command: Any) -> None:
        """Have every load process obey."""
        for load in self.loads:
            await write(load, f"{json.dumps(command)}\n")

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
        """Wait until every worker holds a lease and uses Redis, if there is one; seconds it took, `None` where it took
        too long: then `stuck` tells more."""
        has_redis = "redis" in self.addresses(None)
        begun = time.monotonic()
        used: int | None = None
        while (taken := time.monotonic() - begun) < RECOVERY_SECONDS:
            states = await asyncio.gather(*map(self.state, self.workers))
            if all(state.get("lease", 0) > 0 and (state.get("redis") or not has_redis) for state in states):
                asks_redis = has_redis and self.plan.bare
                now = states[BARE_WORKER]["from_redis"] if asks_redis else 0
                if not asks_redis or (used is not None and now > used):
                    return taken
                used = now
            await asyncio.sleep(LOOK_SECONDS)
        self.stuck = "\n".join([await self._told_of(worker) for worker in self.workers])
        return None

    async def _told_of(self, worker: Server) -> str:
        """What a process believes; and where it does not say so, what it is at."""
        state = await self.state(worker)
        if not state and worker.process.running:
            os.kill(worker.process.pid, signal.SIGUSR1)  # it writes where its threads are, whatever they do
            await asyncio.sleep(STACK_SECONDS)
            state = {"system": worker.state()}
        return f"process {worker.process.pid}: {state or 'gone'}\n{worker.log()[-4000:]}"

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
        if self.plan.polls_only:
            environment["REVOCATION_POLLS_ONLY"] = "1"
        return Server(app, self._folder / f"{app}-{number}", settings, environment)

    async def _collect(self, load: Process) -> None:
        while True:
            self.requests.append(Request(*RECORD.unpack(await output(load).readexactly(RECORD.size))))


async def spawned(stack: AsyncExitStack, module: str, *words: Any) -> Process:
    """Start one of our modules, with pipes; it is killed at the end."""
    command = (sys.executable, "-m", f"{__package__}.{module}", *words)
    options: dict[str, Any] = {"cwd": ROOT, "stdin": PIPE, "stdout": PIPE, "start_new_session": True}
    return await stack.enter_async_context(child.running(*command, **options))


async def write(process: Process, line: str) -> None:
    """Say it over its standard input."""
    assert process.stdin is not None
    process.stdin.write(line.encode())
    await process.stdin.drain()


def output(process: Process) -> asyncio.StreamReader:
    """Its standard output."""
    assert process.stdout is not None
    return process.stdout
