"""Keys and event loops: they belong to the one that they were opened in, and say so in another."""

import asyncio
import gc
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.base.errors import ConfigurationError

BOTH = re.compile(r"opened in the event loop 0x[0-9a-f]+ \(thread (.+?)\) .* event loop 0x[0-9a-f]+ \(thread (.+?)\):")


async def elsewhere(use: Callable[[], Awaitable[Any]]) -> Any:
    """What it gives in an event loop of another thread's."""

    def run() -> Any:
        with asyncio.Runner() as runner:
            return runner.run(use())  # type: ignore[arg-type]  # every verb is a coroutine function

    return await asyncio.to_thread(run)


async def test_each_use_in_another_event_loop_is_an_error_that_names_both_and_spoils_nothing(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    uses: dict[str, Callable[[], Awaitable[Any]]] = {
        "verify": lambda: keys.verify(issued.secret),
        "create": lambda: keys.create("another"),
        "get": lambda: keys.get(issued.key.id),
        "list": keys.list,
        "deactivate": lambda: keys.deactivate(issued.key.id),
        "ping": keys.ping,
        "serve": keys.serve,
        "status": keys.status,
        "schema_status": keys.schema_status,
        "open": keys.open,
        "close": keys.close,
    }
    for name, use in uses.items():
        with pytest.raises(ConfigurationError) as refused:
            await elsewhere(use)
        named = BOTH.search(str(refused.value))
        assert named is not None, (name, refused.value)
        assert named[1] == "MainThread" != named[2]
    assert (await keys.verify(issued.secret)).valid
    assert len((await keys.list()).items) == 1
    await keys.deactivate(issued.key.id)
    assert not (await keys.verify(issued.secret)).valid


def connections() -> set[aiosqlite.Connection]:
    """The driver's connections that are open in this process."""
    # Not isinstance: it asks lazy objects of other libraries for their class, which makes some of them fail.
    found = {each for each in gc.get_objects() if type(each) is aiosqlite.Connection}
    return {each for each in found if each._connection is not None}


def test_where_an_event_loop_is_over_the_keys_are_opened_anew_in_the_next(ready_sqlite_url: str) -> None:
    before, left = connections(), set[aiosqlite.Connection]()
    keys = APIKeys(ready_sqlite_url)

    async def both_at_once() -> tuple[bool, bool]:  # so that the lock around it has a loop of its own
        return await asyncio.gather(keys.open(), keys.open())

    for _ in range(2):
        with asyncio.Runner() as runner:
            assert sorted(runner.run(both_at_once())) == [False, True]
            assert runner.run(keys.list()).items == []
            left |= connections() - before
    with asyncio.Runner() as runner:
        runner.run(keys.close())
    assert not keys.is_open
    assert left
    for connection in left:  # nobody could close them: their loops were closed first
        connection.stop()
        while connection._connection is not None:
            time.sleep(0.005)


def app_of(keys: APIKeys) -> APIKeyMiddleware:
    async def home(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request["api_key"].description)

    return APIKeyMiddleware(Starlette(routes=[Route("/", home)]), keys)


async def test_an_app_that_a_sync_client_runs_elsewhere_says_so_too(keys: APIKeys) -> None:
    issued = await keys.create("a key")

    def ask() -> None:
        TestClient(app_of(keys)).get("/", headers={"X-API-Key": issued.secret})

    with pytest.raises(ConfigurationError, match="event loop"):
        await asyncio.to_thread(ask)

    def start() -> None:
        with TestClient(app_of(keys)):
            raise AssertionError("the app has started")

    with pytest.raises(ConfigurationError, match="event loop"):
        await asyncio.to_thread(start)
    assert (await keys.verify(issued.secret)).valid


def test_a_sync_client_that_runs_the_lifespan_works_to_the_end(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    with TestClient(app_of(keys)) as client:
        assert client.portal is not None
        issued = client.portal.call(keys.create, "a key")
        headers = {"X-API-Key": issued.secret}
        assert client.get("/", headers=headers).text == "a key"
        client.portal.call(keys.deactivate, issued.key.id)
        assert client.get("/", headers=headers).status_code == 401
