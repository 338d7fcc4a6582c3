"""A ladder of middlewares, each doing all that the one before it does and one step more, up to nearly gatepost.

What a step costs is the difference between two neighbours that take turns. Whole middlewares, so they repeat each
other's lines on purpose.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from hashlib import sha256
from statistics import median
from types import MethodType
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.in_process import Hits
from benchmarks.measured import Table
from benchmarks.rounds import Runs, series
from gatepost import APIKeyMiddleware
from gatepost.asgi.current import serving, set_serving, task_of
from gatepost.asgi.streams import send_watched
from gatepost.base.clock import boot_clock
from gatepost.base.secret import digest

NAMES = frozenset({b"authorization", b"x-api-key"})


class Lease:
    """Until when what is remembered counts, and how far the database's clock is ahead."""

    def __init__(self) -> None:
        self.until = self.usable_until = float("inf")
        self.offset = 0.0


class Rung:
    """A middleware that does nothing yet: it hands the request on."""

    def __init__(self, app: ASGIApp, by_digest: dict[bytes, Any], loop: AbstractEventLoop) -> None:
        self.app = app
        self.by_digest = by_digest
        self.loop = loop
        self.lease = Lease()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Scan(Rung):
    """The headers are read, one by one, for those that may carry a secret."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.take(scope)
        await self.app(scope, receive, send)

    def take(self, scope: Scope) -> bytes:
        """The secret."""
        for name, content in scope["headers"]:
            if name in NAMES:
                value: bytes = content
        return value[7:] if value[:7] == b"Bearer " else value


class Hash(Scan):
    """The secret's SHA-256: nothing that is remembered or stored tells a secret."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sha256(self.take(scope)).digest()
        await self.app(scope, receive, send)


class Find(Hash):
    """The key, from a dict."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self.hit(sha256(self.take(scope)).digest())
        if key is not None:
            await self.app(scope, receive, send)

    def hit(self, digest: bytes) -> Any:
        """The key of a secret's digest."""
        return self.by_digest.get(digest)


class Tell(Find):
    """Four entries of the scope tell the app who calls."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self.hit(sha256(self.take(scope)).digest())
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            await self.app(scope, receive, send)


class Believe(Tell):
    """May what is remembered be believed, and the key be used: lease, time in memory, expiry, by one clock."""

    def hit(self, digest: bytes) -> Any:
        """The key of a secret's digest, if it counts now."""
        key = self.by_digest.get(digest)
        if key is not None:
            now = boot_clock()
            lease = self.lease
            if now < lease.until and now < key.until and now + lease.offset < key.usable_until:
                return key
        return None


class Strip(Believe):
    """The header that carried the secret is taken out; one that stands twice is noticed."""

    def take(self, scope: Scope) -> bytes:
        """The secret, and the scope without it."""
        headers = scope["headers"]
        carrier = None
        value: bytes
        place = 0
        for name, content in headers:
            if name in NAMES:
                if carrier is not None:
                    raise PermissionError
                carrier, value, carrier_place = name, content, place
            place += 1  # noqa: SIM113 - as gatepost does
        kept = [*headers]
        del kept[carrier_place]
        scope["headers"] = kept
        return value[7:] if value[:7] == b"Bearer " else value


class Serve(Strip):
    """A context variable holds the request, for handlers that take none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = sha256(self.take(scope)).digest()
        key = self.hit(digest)
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            served: Any = [scope, self, digest, None]
            outer = serving()
            set_serving(served)
            try:
                await self.app(scope, receive, send)
            finally:
                if outer:
                    set_serving(outer)
                served.clear()


class Watch(Serve):
    """`send` is watched, and the task known, so that a stream ends when its key dies."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = sha256(self.take(scope)).digest()
        key = self.hit(digest)
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            served: Any = [scope, self, digest, None, send, key, task_of(self.loop)]
            send = MethodType(send_watched, served)
            outer = serving()
            set_serving(served)
            try:
                await self.app(scope, receive, send)
            finally:
                if outer or served[3]:
                    raise NotImplementedError
                served.clear()


RUNGS: tuple[tuple[str, type[Rung]], ...] = (
    ("hand the request on", Rung),
    ("read the headers", Scan),
    ("SHA-256 of the secret", Hash),
    ("find the key in a dict", Find),
    ("tell the app: four entries of the scope", Tell),
    ("may it be believed: clock, lease, expiry", Believe),
    ("take the secret out, notice two", Strip),
    ("hold the request for handlers that take none", Serve),
    ("watch over streams", Watch),
)
REST = "options that are off, and all else"
WHOLE = "gatepost, in all"


def apps(app: Callable[[], ASGIApp], hits: Hits, loop: AbstractEventLoop) -> Mapping[str, ASGIApp]:
    """The app alone, behind each rung, and behind gatepost, in this order. `app`: makes it, for each of them anew."""
    by_digest = {sha256(hits.secret.encode()).digest(): hits.keys.hit(digest(hits.secret.encode()))}
    rungs = {name: rung(app(), by_digest, loop) for name, rung in RUNGS}
    return {"bare app": app(), **rungs, REST: APIKeyMiddleware(app(), hits.keys)}


def steps(title: str, runs: Runs, note: str) -> Table:
    """What each step adds, and its share of all. `runs`: a request's µs, round by round, with each of `apps`."""
    names = list(runs)
    added = {
        name: [mine - less for less, mine in zip(runs[before], runs[last], strict=True)]
        for before, last, name in [*zip(names, names[1:], names[1:], strict=False), (names[0], names[-1], WHOLE)]
    }
    return Table(
        title=title,
        unit="µs",
        series=series(added),
        figures={f"share of {name}": f"{median(added[name]) / median(added[WHOLE]):.0%}" for name in names[1:]},
        contest=False,
        note=note,
    )
