"""Where the microseconds of a memory hit go, step by step.

A ladder of middlewares, each doing all that the one before it does and one step more, from handing the request on to
what gatepost does. They take turns, so the difference between two neighbours is the price of the step, whatever else
the machine is doing. The last rung is gatepost itself: what it costs beyond the rung before it is what the steps were
not named for (attributes read, branches for options that are off). No server, no event loop: only the middleware.
"""

from asyncio import AbstractEventLoop, current_task, get_running_loop
from collections.abc import Sequence
from contextvars import ContextVar
from hashlib import sha256
from itertools import pairwise
from types import MethodType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.in_process import bare, memory_hits, time_calls
from benchmarks.measured import Series, Table
from benchmarks.rounds import Plan, take_turns
from gatepost import APIKeyMiddleware
from gatepost.clock import boot_clock

NAMES = frozenset({b"authorization", b"x-api-key"})
served_now: ContextVar[Any] = ContextVar("served_now", default=None)


def watched(served: Any, message: Message) -> Any:
    """What the app is handed for `send`; never called here."""
    return served[0](message)


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
        key = self.recall(self.take(scope))
        if key is not None:
            await self.app(scope, receive, send)

    def recall(self, secret: bytes) -> Any:
        """The key of a secret."""
        return self.by_digest.get(sha256(secret).digest())


class Tell(Find):
    """Four entries of the scope tell the app who calls."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self.recall(self.take(scope))
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            await self.app(scope, receive, send)


class Believe(Tell):
    """May what is remembered be believed, and the key be used: lease, time in memory, expiry, by one clock."""

    def recall(self, secret: bytes) -> Any:
        """The key of a secret, if it counts now."""
        key = self.by_digest.get(sha256(secret).digest())
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
        secret = self.take(scope)
        key = self.recall(secret)
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            token = served_now.set([scope, self, secret, None])
            try:
                await self.app(scope, receive, send)
            finally:
                served_now.reset(token)


class Watch(Serve):
    """`send` is watched, and the task known, so that a stream ends when its key dies."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        secret = self.take(scope)
        key = self.recall(secret)
        if key is not None:
            scope["api_key"] = scope["user"] = key
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            served: Any = [scope, self, secret, key, send, current_task(self.loop), None]
            send = MethodType(watched, served)
            token = served_now.set(served)
            try:
                await self.app(scope, receive, send)
            finally:
                served_now.reset(token)
                if served[-1] is not None:
                    served[-1].leave()


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


async def measure(plan: Plan) -> Sequence[Table]:
    """What each step adds."""
    async with memory_hits() as hits:
        by_digest = {sha256(hits.secret.encode()).digest(): hits.keys.recall(hits.secret.encode())}
        apps: dict[str, ASGIApp] = {"bare app": bare}
        apps |= {name: rung(bare, by_digest, get_running_loop()) for name, rung in RUNGS}
        apps[REST] = APIKeyMiddleware(bare, hits.keys)
        contestants = {name: time_calls(app, hits.secret) for name, app in apps.items()}
        runs = await take_turns(contestants, plan.pick(100, 8), plan.tell)
    names = list(apps)
    whole = [(last - first) * 1e6 for first, last in zip(runs["bare app"], runs[REST], strict=True)]
    series = []
    shares = {}
    for before, name in pairwise(names):
        added = [(mine - theirs) * 1e6 for theirs, mine in zip(runs[before], runs[name], strict=True)]
        series.append(Series(name=name, runs=tuple(added)))
        share = sorted(part / all_ for part, all_ in zip(added, whole, strict=True))[len(whole) // 2]
        shares[f"share of {name}"] = f"{share:.0%}"
    series.append(Series(name="gatepost, in all", runs=tuple(whole)))
    return [
        Table(
            title="What a memory hit adds to a request, step by step",
            unit="µs",
            better="less",
            series=tuple(series),
            figures=shares,
            contest=False,
        )
    ]
