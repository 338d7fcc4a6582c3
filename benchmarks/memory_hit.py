"""What a memory hit adds to a request, in process, as ratios (DESIGN, section 8).

Four apps around the same bare ASGI function are called in turns: the bare function, a hand-written middleware of ten
lines with a dict, Starlette's `AuthenticationMiddleware` with a dict, and gatepost. Printed are the medians of each
one's added time over the bare app. Run: `make bench`, or `python benchmarks/memory_hit.py --rounds 50`.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys

CALLS = 2000
"""Requests per app and round: some milliseconds, short against what disturbs a shared machine."""

HEADERS = (
    (b"host", b"api.example.org"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"python-httpx2/2.16.2"),
    (b"content-type", b"application/json"),
)


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """The app."""


class TenLines:
    """What one writes by hand: header scan, SHA-256, dict, three scope entries. No expiry, no bound, no refresh."""

    def __init__(self, app: ASGIApp, keys: dict[bytes, tuple[Any, frozenset[str]]]) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope["headers"]:
            if name == b"authorization" and value.startswith(b"Bearer "):
                found = self.keys.get(sha256(value[7:]).digest())
                if found is not None:
                    scope["api_key"], scope["permissions"] = found
                    scope["auth"] = found[1]
                    await self.app(scope, receive, send)
                    return
        raise PermissionError


class DictBackend(AuthenticationBackend):
    """Starlette's way, over the same dict."""

    def __init__(self, keys: dict[bytes, tuple[Any, frozenset[str]]]) -> None:
        self.keys = keys

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Look the secret's digest up."""
        header = conn.headers.get("authorization")
        if header is None or not header.startswith("Bearer "):
            return None
        key_id, permissions = self.keys[sha256(header[7:].encode()).digest()]
        return AuthCredentials(list(permissions)), SimpleUser(key_id)


async def receive() -> Message:
    """Never called."""
    raise NotImplementedError


async def send(message: Message) -> None:
    """Never called."""
    raise NotImplementedError


def drive(call: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, without a loop's own cost."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise RuntimeError("a memory hit awaited something")


def time_calls(app: ASGIApp, secret: str) -> float:
    """Seconds per request."""
    headers = [*HEADERS, (b"authorization", b"Bearer " + secret.encode())]
    scopes: list[Scope] = [
        {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": list(headers)}
        for _ in range(CALLS)
    ]
    begin = time.perf_counter()
    for scope in scopes:
        drive(app(scope, receive, send))  # type: ignore[arg-type]  # an async function's call is a coroutine
    return (time.perf_counter() - begin) / CALLS


async def measure(rounds: int) -> dict[str, float]:
    """Median added time over the bare app, in seconds, by the name of the middleware."""
    with tempfile.TemporaryDirectory() as folder:
        async with APIKeys(f"sqlite:///{Path(folder) / 'keys.db'}") as keys:
            issued = await keys.create("benchmark", ["OBJECTS_LIST", "OBJECTS_FETCH"])
            await keys.verify(issued.secret)
            by_digest = {sha256(issued.secret.encode()).digest(): (issued.key.id, issued.key.permissions)}
            apps: dict[str, ASGIApp] = {
                "bare": bare,
                "ten lines": TenLines(bare, by_digest),
                "starlette": AuthenticationMiddleware(bare, DictBackend(by_digest)),
                "gatepost": APIKeyMiddleware(bare, keys),
            }
            times: dict[str, list[float]] = {name: [] for name in apps}
            for _ in range(rounds):
                for name, app in apps.items():
                    times[name].append(time_calls(app, issued.secret))
                await asyncio.sleep(0)
    return {
        name: statistics.median(mine - base for mine, base in zip(times[name], times["bare"], strict=True))
        for name in apps
        if name != "bare"
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60, help="rounds of %(default)s by default")
    added = asyncio.run(measure(parser.parse_args().rounds))
    for name, seconds in added.items():
        print(f"{name:10} adds {seconds * 1e6:6.2f} µs")
    print(f"gatepost / ten lines: {added['gatepost'] / added['ten lines']:.2f}   (to hold: at most 1.75)")
    print(f"gatepost / starlette: {added['gatepost'] / added['starlette']:.2f}   (to hold: at most 0.75)")


if __name__ == "__main__":
    main()
