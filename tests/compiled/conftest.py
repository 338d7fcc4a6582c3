"""A key that memory holds, and requests with it that nothing but a memory hit answers unseen."""

import gc
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.base import Record
from gatepost.base.secret import digest
from tests.deaf import deafen

START: Message = {"type": "http.response.start", "status": 204, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b""}


async def receive() -> Message:
    """Nothing comes."""
    return {"type": "http.disconnect"}


@dataclass
class Served:
    """What a request came to. `status`: `None` where nothing was answered. `asked`: lookups that were no hit."""

    scope: Scope
    seen: Scope | None
    sent: list[Message]
    asked: int

    @property
    def status(self) -> Any:
        """Of the answer."""
        return self.sent[0].get("status", self.sent[0].get("code")) if self.sent else None

    @property
    def is_hit(self) -> bool:
        """Whether the app was called, and nothing but memory was asked."""
        return self.seen is not None and self.asked == 0


@dataclass
class Gate:
    """Open keys, with one that memory holds."""

    keys: APIKeys
    secret: bytes
    seen: list[Scope] = field(default_factory=list)

    @property
    def record(self) -> Record:
        """What memory holds of the key."""
        return self.keys._opened().lookup._memory.records[digest(self.secret)]

    def scope(self, *headers: tuple[bytes, bytes], **entries: Any) -> dict[str, Any]:
        """A request with these headers among others; without any: with the secret."""
        carried = headers or ((b"x-api-key", self.secret),)
        lines = [(b"host", b"testserver"), *carried, (b"accept", b"*/*")]
        return {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": lines} | entries

    async def app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers with nothing."""
        self.seen.append(dict(scope))
        if scope["type"] == "http":
            await send(START)
            await send(BODY)

    async def serve(self, scope: Scope, app: ASGIApp | None = None, **options: Any) -> Served:
        """One request."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        self.seen.clear()
        lookups = self.keys._opened().lookup.counts.lookups
        await APIKeyMiddleware(app or self.app, self.keys, **options)(scope, receive, send)
        asked = self.keys._opened().lookup.counts.lookups - lookups
        return Served(scope, self.seen[0] if self.seen else None, sent, asked)


@pytest.fixture
async def gate(either_way: str, ready_sqlite_url: str) -> AsyncIterator[Gate]:
    """With memory hits compiled, and in Python. Polls do not come before the test's end."""
    async with APIKeys(ready_sqlite_url, poll_interval=30, max_staleness=60) as keys:
        deafen(keys)
        await keys.serve()
        issued = await keys.create("a key", ["OBJECTS_LIST", "OBJECTS_FETCH"])
        await keys.verify(issued.secret)
        yield Gate(keys, issued.secret.encode())


def drive(call: Awaitable[Any]) -> Any:
    """What a coroutine comes to that waits for nothing."""
    try:
        call.send(None)  # type: ignore[attr-defined]  # a coroutine, if its type says less
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits")


LEAST_KEPT, ROUNDS = 4_096, 300


async def keeps_nothing(every_way: Callable[[], Awaitable[None]], watched: Sequence[object]) -> None:
    """Fail where requests leave objects, or references to those that are watched."""
    for _ in range(50):
        await every_way()
    gc.collect()
    before = [sys.getrefcount(each) for each in watched]
    tracemalloc.start()
    try:
        at_first = tracemalloc.get_traced_memory()[0]
        for _ in range(ROUNDS):
            await every_way()
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - at_first
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(each) for each in watched] == before
    assert kept < LEAST_KEPT + ROUNDS, "more than a byte for each round, and a few things made once"
