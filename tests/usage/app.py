"""A worker whose usage is written often. `GATEPOST_TEST_DATABASE`: its database's URL."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.usage import flushing

flushing.FLUSH_SECONDS = (0.0, 0.1)

keys = APIKeys(os.environ["GATEPOST_TEST_DATABASE"], memory_ttl=3600, max_staleness=600)


async def thing(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def ready(_request: Request) -> Response:
    return PlainTextResponse("ready")


app = APIKeyMiddleware(
    Starlette(routes=[Route("/things/{id}", thing), Route("/ready", ready)]), keys, exempt=["/ready"]
)
