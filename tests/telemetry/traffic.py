"""Real traffic through a guarded app: who asks, and what came of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.in_process import scope_of
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message

from gatepost import APIKeyMiddleware, APIKeys, Rate, requires


@requires("OBJECTS_FETCH")
async def guarded(scope: object, receive: object, send: object) -> None:
    """An app that hardly any key may use."""


async def app(scope: Mapping[str, object], receive: object, send: object) -> None:
    """Answers 200, or asks for a permission."""
    if scope["path"] == "/guarded":
        await guarded(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


async def ask(asked: ASGIApp, secret: str | None, path: str = "/", **more: object) -> int:
    """The status of one request."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await asked(scope_of(secret, path=path, **more), receive, send)
    return int(sent[0]["status"])


@dataclass(frozen=True, slots=True)
class Callers:
    """Secrets: of a key that works, one that is switched off, one over its limit, and one for another project."""

    good: str
    off: str
    limited: str
    ids: Sequence[str]
    secrets: Sequence[str]

    @classmethod
    async def of(cls, keys: APIKeys) -> "Callers":
        """Made in these keys."""
        good = await keys.create("good", ["OBJECTS_LIST"], project="acme", owner="ann")
        off = await keys.create("off", ["OBJECTS_LIST"])
        limited = await keys.create("limited", limits=[Rate(1, per=3600, burst=1)])
        await keys.deactivate(off.key.id)
        issued = (good, off, limited)
        return cls(
            good.secret, off.secret, limited.secret, [each.key.id for each in issued], [each.secret for each in issued]
        )


async def traffic(keys: APIKeys) -> Callers:
    """Something of everything: 12 requests that are let in, 6 that are refused, and a change with its propagation."""
    callers = await Callers.of(keys)
    protected = APIKeyMiddleware(app, keys)
    for _ in range(11):
        assert await ask(protected, callers.good) == 200
    assert await ask(protected, callers.good, "/guarded") == 403
    assert await ask(protected, callers.off) == 401
    assert await ask(protected, callers.off) == 401
    assert await ask(protected, callers.limited) == 200
    assert await ask(protected, callers.limited) == 429
    assert await ask(protected, None) == 401
    assert await ask(protected, "gp_nonsense") == 401
    return callers


async def polled(keys: APIKeys) -> None:
    """Return when a poll has ended that began after this."""
    await asyncio.wait_for(keys._opened().freshness.poll(), 60)


def values(registry: CollectorRegistry) -> Mapping[str, float]:
    """What a registry tells now: `name{label="value"}`, without what is 0 and buckets."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith(("_bucket", "_created")) and sample.value
    }
