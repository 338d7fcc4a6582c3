"""Lines that are logged while a request is being served tell whose key it has, and other lines tell of nobody."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.logging import KeyFilter, add_key
from tests.telemetry.traffic import ask

logger = logging.getLogger("tests.app")


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as opened:
        yield opened


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a handler with the filter writes of all loggers."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.addFilter(KeyFilter())
    handler.setFormatter(logging.Formatter("%(key_id)s %(key_project)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)  # which also has loggers forget what they have found not enabled
    yield told
    root.removeHandler(handler)
    root.setLevel(before)


async def handler(scope: Any, _receive: Any, send: Any) -> None:
    """Logs in its own task, in another, and in a thread."""
    logger.info("here")
    await asyncio.create_task(asyncio.to_thread(logger.info, "in a thread"))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_line_tells_key_and_project_while_the_request_is_served(keys: APIKeys, lines: io.StringIO) -> None:
    issued = await keys.create("good", project="acme")
    other = await keys.create("company-wide")
    protected = APIKeyMiddleware(handler, keys)
    logger.info("before")
    for secret in (issued.secret, issued.secret, other.secret):  # looked up, a memory hit, and another key
        assert await ask(protected, secret) == 204
    logger.info("after")
    told, one, two = lines.getvalue().splitlines(), f"{issued.key.id} acme", f"{other.key.id} None"
    assert told == [
        "None None before",
        *[f"{one} here", f"{one} in a thread"] * 2,
        f"{two} here",
        f"{two} in a thread",
        "None None after",
    ]
    assert issued.secret not in lines.getvalue()


async def test_a_line_about_a_refusal_keeps_the_key_that_it_tells(keys: APIKeys, lines: io.StringIO) -> None:
    issued = await keys.create("off", project="acme")
    await keys.deactivate(issued.key.id)
    assert await ask(APIKeyMiddleware(handler, keys), issued.secret) == 401
    assert lines.getvalue().splitlines()[-1].startswith(f"{issued.key.id} None Refused with key_deactivated")


async def test_without_a_key_a_line_tells_of_none(keys: APIKeys, lines: io.StringIO) -> None:
    assert await ask(APIKeyMiddleware(handler, keys, optional=True), None) == 204
    assert await ask(APIKeyMiddleware(handler, keys, exempt=["/"]), None) == 204
    assert set(lines.getvalue().splitlines()) == {"None None here", "None None in a thread"}


async def test_structlog_tells_the_same(keys: APIKeys) -> None:
    told = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(told), processors=[add_key, structlog.processors.JSONRenderer()], wrapper_class=None
    )

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        log.msg("here", asked="for")
        log.msg("own", key_id="mine")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    issued = await keys.create("good", project="acme")
    log.msg("before")
    assert await ask(APIKeyMiddleware(app, keys), issued.secret) == 204
    assert [json.loads(line) for line in told.getvalue().splitlines()] == [
        {"event": "before"},
        {"event": "here", "asked": "for", "key_id": issued.key.id, "key_project": "acme"},
        {"event": "own", "key_id": "mine", "key_project": "acme"},
    ]
