"""Requests without a server and without an event loop: what a middleware alone costs."""

import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import APIKeys
from gatepost.base import Limit
from gatepost.compiled import compiled as loaded

T = TypeVar("T")

CALLS = 2_000
"""Requests a turn: some milliseconds, short against what disturbs a shared machine."""

MEMORY_TTL = 600
"""Seconds: longer than anything that is measured here, so that every request is a hit."""

SWEPT_CALLS = 40
SWEPT_BYTES = 2 << 20
"""Read before each request: more than the caches hold that a core has for itself."""

HEADERS = (
    (b"host", b"api.example.org"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"python-httpx2/2.16.2"),
    (b"content-type", b"application/json"),
)
"""What a client sends beside its secret."""

START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"14"), (b"content-type", b"application/json")],
}
BODY: Message = {"type": "http.response.body", "body": b'["sunset.jpg"]'}


@dataclass(frozen=True, slots=True)
class Hits:
    """Open keys, and the secret of one that memory holds."""

    keys: APIKeys
    secret: str


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that does nothing."""


async def answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that answers in one piece, as one of Starlette's does."""
    await send(START)
    await send(BODY)


async def receive() -> Message:
    """A request's body, which is empty."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Nobody is there to be answered."""


def drive(call: Awaitable[T]) -> T:
    """What a coroutine returns that never waits. Raises `RuntimeError` where it waits for something."""
    try:
        call.send(None)  # type: ignore[attr-defined]  # a coroutine, if its type says less
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what a coroutine returns is the exception's value
    raise RuntimeError("it was not to wait for anything, but did")


@asynccontextmanager
async def memory_hits(
    *,
    compiled: bool = True,
    usage: bool = True,
    allow: Sequence[str] | None = None,
    limits: Sequence[Limit] = (),
    address: str | None = None,
) -> AsyncIterator[Hits]:
    """A key on SQLite that memory holds. `allow`, `limits`: as for `create`; `address`: which it was used from.
    `compiled`: hits may run so; else they run in Python, also those of other keys that are opened, and middlewares that
    are made, meanwhile. `usage`: they are counted."""
    with tempfile.TemporaryDirectory() as folder, nullcontext() if compiled else in_python():
        async with APIKeys(f"sqlite:///{Path(folder) / 'keys.db'}", memory_ttl=MEMORY_TTL, usage=usage) as keys:
            issued = await keys.create("benchmark", ["OBJECTS_LIST", "OBJECTS_FETCH"], allow=allow, limits=limits)
            await keys.verify(issued.secret, address=address)
            yield Hits(keys, issued.secret)


@contextmanager
def in_python() -> Iterator[None]:
    """Keys that are opened and middlewares that are made meanwhile run memory hits in Python, compiled or not."""
    built, loaded._hit = loaded._hit, None
    try:
        yield
    finally:
        loaded._hit = built


def scope_of(secret: str | bytes | None, **more: Any) -> Scope:
    """A new request with that secret, or without any, with as little else as an app needs."""
    text = secret.encode() if isinstance(secret, str) else secret
    headers = [*HEADERS] if text is None else [*HEADERS, (b"authorization", b"Bearer " + text)]
    return {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers} | more


def time_requests(app: ASGIApp, scopes: Sequence[Scope]) -> float:
    """µs per request, of these one after the other."""
    begin = time.perf_counter()
    for scope in scopes:
        drive(app(scope, receive, send))
    return (time.perf_counter() - begin) / len(scopes) * 1e6


async def time_calls(app: ASGIApp, secret: str) -> float:
    """A turn: µs per request, of `CALLS` requests."""
    return time_requests(app, [scope_of(secret) for _ in range(CALLS)])


async def time_swept_calls(app: ASGIApp, secret: str) -> float:
    """A turn: µs per request whose code and data are in none of the core's own caches: the median."""
    memory, times = bytes(SWEPT_BYTES), []
    for scope in [scope_of(secret) for _ in range(SWEPT_CALLS)]:
        memory.count(1)
        times.append(time_requests(app, [scope]))
    return median(times)
