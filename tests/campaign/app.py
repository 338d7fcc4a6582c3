"""The app of a worker: two routes behind gatepost, and beside them what the campaign asks of it; and the app of the
administrator, who has only the latter.
"""

import asyncio
import faulthandler
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.base.errors import GatepostError

HELD_SECONDS = 0.02
"""How long a request holds its slots."""

faulthandler.register(signal.SIGUSR1)

keys = APIKeys(**json.loads(os.environ["REVOCATION_SETTINGS"]))

if "REVOCATION_POLLS_ONLY" in os.environ:  # as before the database was a doorbell (docs/decisions/0044)
    from gatepost.database.doorbell.notifications import Notifications
    from gatepost.database.doorbell.sqlite_file import FileWatch
    from gatepost.freshness import freshness

    freshness.BUSY_PART = 1.0
    for _kind in (Notifications, FileWatch):
        _kind.listen = lambda _self: None  # type: ignore[method-assign]


async def read(_request: Request) -> Response:
    """For every usable key."""
    return PlainTextResponse("read")


@requires("FILE_UPLOAD", on="dir:/campaign")
async def write(_request: Request) -> Response:
    """For keys with a permission that holds on a resource."""
    return PlainTextResponse("written")


async def held(request: Request) -> Response:
    """For keys with limits: when it began and ended here (CLOCK_MONOTONIC, seconds), and who counted it."""
    entered = time.monotonic()
    await asyncio.sleep(HELD_SECONDS)
    taken = request.scope["limits"]._taken
    by = "shared" if any(each.shared for each in taken) else f"process {os.getpid()}"
    return _json({"entered": entered, "left": time.monotonic(), "by": by})


async def state(_request: Request) -> Response:
    """What this process believes, with no I/O."""
    opened = keys._parts.current
    if opened is None:
        return _json({"lease": keys.lease_seconds})
    redis = opened.redis is not None and opened.redis.healthy
    return _json({"lease": keys.lease_seconds, "redis": redis, "from_redis": opened.lookup.counts.from_redis})


async def verb(request: Request) -> Response:
    """Run one verb; how long it took, and how it spread. `began`, `ended`: CLOCK_MONOTONIC, nanoseconds."""
    asked = orjson.loads(await request.body())
    began = time.monotonic_ns()
    try:
        done: Any = await attrgetter(asked["verb"])(keys)(*asked["args"], **asked["kwargs"])
    except GatepostError as failure:
        return _json({"began": began, "ended": time.monotonic_ns(), "error": type(failure).__name__})
    answer: dict[str, Any] = {"began": began, "ended": time.monotonic_ns()}
    if (spread := getattr(done, "propagation", None)) is not None:
        answer |= {"complete": spread.complete, "seconds": spread.seconds, "waiting": len(spread.waiting)}
        answer |= {name: len(getattr(spread, name)) for name in ("acknowledged", "left", "expired")}
    if (secret := getattr(done, "secret", None)) is not None:
        answer["secret"] = secret
    if hasattr(made := getattr(done, "key", done), "id"):
        answer["id"] = made.id
    return _json(answer)


async def prime(request: Request) -> Response:
    """Remember these secrets; how many of them are usable."""
    secrets = orjson.loads(await request.body())
    verdicts = await asyncio.gather(*map(keys.verify, secrets))
    return _json(sum(verdict.valid for verdict in verdicts))


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


@asynccontextmanager
async def opened(_app: Starlette) -> AsyncIterator[None]:
    """The keys of a process that serves nobody, and so is no worker."""
    async with keys:
        yield


_ROUTES = [Route("/state", state), Route("/verb", verb, methods=["POST"]), Route("/prime", prime, methods=["POST"])]

worker = APIKeyMiddleware(
    Starlette(routes=[Route("/read", read), Route("/write", write), Route("/held", held), *_ROUTES]),
    keys,
    exempt=["/state", "/verb", "/prime"],
)
admin = Starlette(routes=_ROUTES, lifespan=opened)
