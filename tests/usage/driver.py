"""A worker that sends requests to its own app, with no server in between, as fast as they are answered.

Over its standard input it is told the database's URL and the secrets by name, then to begin, and at last to end; each
time it says something once it has: that it is ready, that it has made its requests, and how many of each kind they
were, a JSON array of [name of the secret, route, outcome, count].
"""

import asyncio
import sys
from collections import Counter
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.usage import flushing
from tests.servers.child import commands
from tests.usage.requests import ask

flushing.FLUSH_SECONDS = (0.0, 0.05)

REQUESTS = 25_000
TOGETHER = 250
"""Requests without a pause in which the loop does other things."""

PATHS = {"/things/{id}": "/things/7", "/uploads/{id}": "/uploads/7"}


async def thing(_request: Request) -> Response:
    return PlainTextResponse("ok")


@requires("FILE_UPLOAD")
async def upload(_request: Request) -> Response:
    return PlainTextResponse("ok")


class Driver:
    """`made`: requests, by secret, route and outcome."""

    def __init__(self, app: Any, secrets: dict[str, str]) -> None:
        self._app = app
        self._secrets = secrets
        self.made: Counter[tuple[str, str, str]] = Counter()

    async def send(self, name: str, route: str) -> None:
        """One request."""
        start, body, *_ = await ask(self._app, self._secrets[name], PATHS[route])
        code = "valid" if start["status"] == 200 else orjson.loads(body["body"])["code"]
        self.made[name, route if code in {"valid", "permission_denied"} else "", code] += 1

    async def run(self, ended: asyncio.Event) -> None:
        """At least `REQUESTS`, and until it is told that it is enough."""
        kinds = [(name, route) for name in self._secrets for route in PATHS]
        number = 0
        while number < REQUESTS or not ended.is_set():
            for _ in range(TOGETHER):
                await self.send(*kinds[number % len(kinds)])
                number += 1
            await asyncio.sleep(0 if number < REQUESTS else 0.01)


async def main() -> None:
    """Serve, send, tell."""
    lines = await commands()
    told = orjson.loads(await lines.readline())
    keys = APIKeys(told["database"], memory_ttl=3600, max_staleness=600, poll_interval=300)
    app = APIKeyMiddleware(Starlette(routes=[Route("/things/{id}", thing), Route("/uploads/{id}", upload)]), keys)
    async with keys:
        driver = Driver(app, told["secrets"])
        for name in told["secrets"]:  # what is to be remembered is, before anything fails
            for route in PATHS:
                await driver.send(name, route)
        await keys.flush_usage()
        say("ready")
        await lines.readline()
        ended = asyncio.Event()
        running = asyncio.create_task(driver.run(ended))
        await lines.readline()
        ended.set()
        await running
        say("made")
        await lines.readline()
    say([[*kind, count] for kind, count in driver.made.items()])


def say(what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main())
