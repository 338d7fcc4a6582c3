"""Requests to an ASGI app in this process: so many in flight, and what became of each."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = (
    (b"host", b"api.example.org"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"python-httpx2/2.16.2"),
)
"""What a client sends beside its secret."""

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY: Message = {"type": "http.response.body", "body": b"ok"}


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


async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    """The app that is protected: a small response."""
    await send(START)
    await send(BODY)


def scope_of(secret: str | None, path: str = "/") -> Scope:
    """A new request with that secret, or without any."""
    carried = [] if secret is None else [(b"authorization", b"Bearer " + secret.encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [*HEADERS, *carried],
    }


async def ask(app: ASGIApp, secrets: Iterable[str | None], in_flight: int, *, path: str = "/") -> Answers:
    """Send a request with each of the secrets, `in_flight` of them at any time; the next as soon as one is answered."""
    scopes = [scope_of(secret, path) for secret in secrets]
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
                await app(scope, _receive, send)
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


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
