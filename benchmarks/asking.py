"""Requests to an ASGI app in this process: so many in flight, and what became of each."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message

from benchmarks.counting import RedisCommands
from benchmarks.in_process import receive, scope_of

Secrets = Sequence[str | None]

SERVED = {
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50_000),
}
"""What a server tells of a request besides."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of requests: `seconds` for all of them together; `counts` by status, such as `200`, or by the name of
    the exception that the app raised, of which a server makes a 500."""

    seconds: float
    counts: Counter[str]

    @property
    def per_second(self) -> float:
        """Answers a second, whatever they are."""
        return self.counts.total() / self.seconds

    def only(self, status: int) -> "Answers":
        """Itself. Raises `RuntimeError` where anything else was answered: errors are not worth timing."""
        if set(self.counts) != {str(status)}:
            raise RuntimeError(f"not every answer was {status}: {told(self.counts)}")
        return self


@dataclass(kw_only=True)
class Asked:
    """A contestant's requests, round after round, and what they took: `gets`: how many `GET` and `MGET` Redis was sent,
    `statements`: SQL, by what counts them (`counted`). A counter that is not needed may be left out. `status`: the only
    one that is right. `note`: what it does less than gatepost; an app may say so itself."""

    app: ASGIApp
    secrets: Callable[[], Iterable[str | None]]
    in_flight: int
    path: str = "/"
    note: str = ""
    status: int | None = None
    commands: RedisCommands | None = None
    counted: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    gets: list[int] = field(default_factory=list)
    statements: list[Counter[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.note = self.note or getattr(self.app, "less", "")

    async def ask(self) -> Answers:
        """One round. Raises `RuntimeError` where there is a `status`, and another is answered."""
        before = Counter(self.counted)
        if self.commands is not None:
            await self.commands.begin()
        answers = await ask(self.app, self.secrets(), self.in_flight, path=self.path)
        if self.commands is not None:
            sent = await self.commands.count()
            self.gets.append(sent["get"] + sent["mget"])
        self.statements.append(self.counted - before)
        self.answers += answers.counts
        return answers if self.status is None else answers.only(self.status)

    async def rate(self) -> float:
        """One round: answers per second."""
        return (await self.ask()).per_second

    @property
    def failed(self) -> float:
        """Which part of the requests was not answered with 200."""
        return 1 - self.answers["200"] / self.answers.total()

    @property
    def told(self) -> str:
        """The note, and before it which part of the requests failed."""
        failed = f"{self.failed:.0%} of the requests failed: {told(self.answers)}" if self.failed else ""
        return ". ".join(filter(None, [failed, self.note]))


async def ask(app: ASGIApp, secrets: Iterable[str | None], in_flight: int, *, path: str = "/") -> Answers:
    """Send a request with each of the secrets, `in_flight` of them at any time; the next as soon as one is answered."""
    place = {"path": path, "raw_path": path.encode()}
    scopes = [scope_of(secret, **SERVED, **place) for secret in secrets]
    waiting = iter(scopes)
    counts: Counter[int | str] = Counter()

    async def call() -> None:
        answer: int | str = "no response"

        async def send(message: Message) -> None:
            nonlocal answer
            if message["type"] == "http.response.start":
                answer = message["status"]

        for scope in waiting:
            answer = "no response"
            try:
                await app(scope, receive, send)
            except Exception as failure:  # noqa: BLE001 - a server answers 500, and goes on
                answer = type(failure).__name__
            counts[answer] += 1

    begun = time.perf_counter()
    if in_flight == 1:
        await call()
    else:
        await asyncio.gather(*(call() for _ in range(min(in_flight, len(scopes)))))
    seconds = time.perf_counter() - begun
    return Answers(seconds, Counter({str(answer): count for answer, count in counts.items()}))


async def look_up(one: Callable[[bytes], Awaitable[object]], digests: Sequence[bytes], in_flight: int) -> float:
    """Have `one` look each of the digests up, so many of them at any time: lookups per second.

    Raises `RuntimeError` where it answers `None`: every digest must be of a key.
    """
    waiting = iter(digests)

    async def caller() -> None:
        for digest in waiting:
            if await one(digest) is None:
                raise RuntimeError("a key was not found")

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return len(digests) / (time.perf_counter() - begun)


async def check(app: ASGIApp, good: Sequence[str], bad: Sequence[str]) -> None:
    """Raises `RuntimeError` unless the app lets the good secrets in, and nobody else."""
    (await ask(app, good, 1)).only(200)
    (await ask(app, [*bad, None], 1)).only(401)


def told(counts: Counter[str]) -> str:
    """For people: `200: 990, 503: 10`."""
    return ", ".join(f"{answer}: {count:,}" for answer, count in sorted(counts.items()))
