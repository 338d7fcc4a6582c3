"""All contestants of a scenario, served at the same time, all but one of them stopped while it is loaded."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
from tests.servers.databases import create_database
from tests.servers.folder import server_folder
from tests.servers.ports import free_ports
from tests.servers.postgres import postgres_server
from tests.servers.process import ServerProcess
from tests.servers.redis import redis_server

from benchmarks.cores import ONE, OTHER, kept
from benchmarks.rivals import nginx
from benchmarks.rivals.rival import ROUTE, Rival, Secrets, Stores
from benchmarks.rounds import Tell
from benchmarks.serving import wrk
from benchmarks.serving.servers import UVICORN, Server

PATIENCE_SECONDS = 60.0
"""For an answer while nothing is timed: a rival may have a queue to work off."""

REDIS_DATABASES = "128"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One that is being served. `start`: which of its servers, from 0 on, where it has several. `sessions`: ids of the
    process groups that serve it. `statuses`: what it answers to each kind of secret, filled in by `verify`."""

    rival: Rival
    server: Server
    secrets: Secrets
    port: int
    start: int = 0
    sessions: list[int] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of its route."""
        return f"http://127.0.0.1:{self.port}{ROUTE}"

    @property
    def protects(self) -> bool:
        """Whether it refuses anybody."""
        return self.rival.name != "bare app"

    def header(self, kind: str) -> str:
        """The value of the `Authorization` header with its secret of that kind."""
        return self.rival.header(self.secrets[kind])

    @contextmanager
    def awake(self) -> Iterator[None]:
        """It runs until the end, and is stopped then: what it does by itself would be taken from others' time."""
        self.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.send_signal(signal.SIGSTOP)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it to all its processes."""
        for session in self.sessions:
            os.killpg(session, number)

    async def ask(self, kind: str = "usable") -> int:
        """Its answer's status, to its secret of that kind. Those that queue are answered in turn: once it answers, it
        has worked off what it was sent before."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            return (await client.get(self.url, headers={"Authorization": self.header(kind)})).status_code

    async def verify(self) -> None:
        """Ask it with each of its secrets. Raises `RuntimeError` where one is not answered as it should be."""
        for kind in self.secrets:
            self.statuses[kind] = await self.ask(kind)
        refusals = {401, 403} if self.protects else {200}
        if any(status not in ({200} if kind == "usable" else refusals) for kind, status in self.statuses.items()):
            raise RuntimeError(f"{self.rival.label} answers {self.statuses}: nothing to be measured")

    async def load(self, kind: str, *, connections: int, seconds: int) -> wrk.Load:
        """Wake it, and wait until it answers; send requests with its secret of that kind; wait until it has worked off
        what it was still sent, and stop it again.

        Raises `RuntimeError` where not all of them are let in, or refused, as that kind is to be.
        """
        with self.awake():
            await self.ask()
            try:
                done = await wrk.load(self.url, self.header(kind), connections=connections, seconds=seconds)
                done.check(refused=kind != "usable")
            except RuntimeError as wrong:
                raise RuntimeError(f"{self.rival.label}: {wrong}") from wrong
            await self.ask()
        return done

    async def rate(self, kind: str, *, connections: int, seconds: int) -> float:
        """Answers per second of such a load."""
        return (await self.load(kind, connections=connections, seconds=seconds)).rate


@asynccontextmanager
async def served(
    rivals: Sequence[Rival], tell: Tell, *, servers: Sequence[Server] = (UVICORN,), starts: int = 1
) -> AsyncIterator[Sequence[Contestant]]:
    """Start each contestant on each server, with stores and keys of its own, and find that it answers right.

    `starts`: times, of one that is not slow: two processes of the same server differ by some percent, as what they need
    lies elsewhere in memory. They share stores and keys. What is yielded is stopped, but for the time of its `load` or
    `awake`; first starts come first.

    Raises `ProgramMissingError`, `ServerError`, or `RuntimeError` for one that lets the wrong people in. Until the end
    the servers are on one core, and this process and all that it starts on another.
    """
    wrk.program()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # as many connections as this user may have
    async with AsyncExitStack() as stack:
        stack.enter_context(kept(ONE))
        folder = stack.enter_context(server_folder("bench"))
        tell("starting databases")
        postgres = stack.enter_context(postgres_server(max_connections="500"))
        redis = stack.enter_context(redis_server(databases=REDIS_DATABASES))
        ports = free_ports()
        started: list[tuple[Contestant, ServerProcess]] = []
        for place, rival in enumerate(rivals):
            tell(f"making keys: {rival.label}")
            own = folder / str(place)
            own.mkdir()
            database = await asyncio.to_thread(create_database, postgres.url)
            stores = Stores(database=database, redis=f"redis://127.0.0.1:{redis.port}/{place}", folder=own)
            prepared = await rival.prepare(stores)
            for server in servers:
                for number in range(1 if rival.slow else starts):
                    one = Contestant(rival, server, prepared.secrets, next(ports), number)
                    started.append((one, _start(stack, one, prepared.settings, own, next(ports))))
        tell("waiting for servers")
        for contestant, process in started:
            await asyncio.to_thread(process.wait_until, partial(_answers, contestant.port))
        tell("checking answers")
        await asyncio.gather(*(contestant.verify() for contestant, _ in started))
        contestants = sorted((contestant for contestant, _ in started), key=lambda one: one.start)
        for contestant in contestants:
            contestant.send_signal(signal.SIGSTOP)
        yield contestants


def statuses(contestants: Sequence[Contestant]) -> dict[str, str]:
    """What each answers, for people: `200; unknown 401, invented 401, deactivated 403`."""
    return {
        f"answers of {one.rival.label}": f"{one.statuses['usable']}; "
        + ", ".join(f"{kind} {status}" for kind, status in one.statuses.items() if kind != "usable")
        for one in contestants
        if one.protects
    }


def _start(
    stack: AsyncExitStack, one: Contestant, settings: Mapping[str, Any], folder: Path, behind: int
) -> ServerProcess:
    """Start a contestant, and return at once, with the process that answers for it. A gateway stands in front of the
    server, on the port `behind`, once that one answers."""
    own = folder / token_hex(4)
    own.mkdir()
    gateway = one.rival is nginx.RIVAL
    with kept(OTHER):
        process = one.server.start(one.rival.app, settings, own, behind if gateway else one.port)
        stack.callback(_end, process)
        one.sessions.append(process.pid)
        if gateway:
            process.wait_until(partial(_answers, behind))
            (own / "nginx").mkdir()
            process = nginx.start(own / "nginx", one.port, behind, one.secrets["usable"])
            stack.callback(_end, process)
            one.sessions.append(process.pid)
    return process


def _end(process: ServerProcess) -> None:
    """Stop a server, and whatever of it that would outlive it, as granian's worker may."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
    process.stop()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    """Whether something answers there, whatever it says."""
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE_SECONDS)
    except httpx2.TransportError:
        return False
    return True
