"""A worker with everything mounted that operators ask.

`GATEPOST_TEST_DATABASE`: its database's URL. `GATEPOST_AUDIT_TOKEN`: the shared token. `GATEPOST_TEST_BROKEN`: what is
wrong with it: `drop` (it never forgets what has changed), `lease` (it stops to poll, and believes what it remembers for
an hour), or nothing.
"""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, AuditEndpoint, Readiness
from gatepost.lookup.memory import MemoryTier

keys = APIKeys(os.environ["GATEPOST_TEST_DATABASE"], poll_interval=0.1, max_staleness=1)
broken = os.environ["GATEPOST_TEST_BROKEN"]


def keep(_memory: MemoryTier, digest: bytes, below: int) -> None:
    """In place of `MemoryTier.drop`."""


if broken == "drop":
    MemoryTier.drop = keep  # type: ignore[assignment, method-assign]


async def me(_request: Request) -> Response:
    return PlainTextResponse("in")


async def freeze(_request: Request) -> Response:
    """Poll no more, and believe everything for an hour."""
    freshness = keys._opened().freshness
    assert freshness._task is not None
    freshness._task.cancel()
    freshness.until = freshness._clock() + 3600
    return PlainTextResponse("frozen")


app = APIKeyMiddleware(
    Starlette(
        routes=[
            Route("/me", me),
            Route("/ready", Readiness(keys)),
            Route("/_gatepost", AuditEndpoint(keys, token=os.environ["GATEPOST_AUDIT_TOKEN"])),
            *([Route("/freeze", freeze)] if broken == "lease" else []),
        ]
    ),
    keys,
    exempt=["/ready", "/_gatepost", "/freeze"],
)
