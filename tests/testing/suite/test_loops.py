"""Tests that are coroutines, in every event loop that pytest-asyncio has, and the app within."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
from httpx2 import AsyncClient
from starlette.testclient import TestClient

from gatepost.testing import Clock, Keyring
from tests.testing.suite.main import app, client_of, keys

Headers = Callable[..., Mapping[str, str]]


async def works(api_keys: Keyring, clock: Clock) -> None:
    """What is asked for in the test's own event loop holds in the next request there."""
    async with client_of(app) as client:
        key = api_keys.make("OBJECTS_LIST")
        assert (await client.get("/acme/files", headers=key.headers)).json() == ["acme"]
        await asyncio.sleep(0)
        api_keys.deactivate(key)
        assert (await client.get("/acme/files", headers=key.headers)).json()["code"] == "key_deactivated"
        await keys.activate(key.id)  # the app's own verbs are in their own loop here
        assert (await client.get("/acme/files", headers=key.headers)).json() == ["acme"]
        clock.forward(3600)
        assert (await client.get("/acme/files", headers=key.headers)).json() == ["acme"]
        many = [api_keys.make("OBJECTS_LIST").headers for _ in range(5)]
        answers = await asyncio.gather(*[client.get("/acme/files", headers=each) for each in many])
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.asyncio
async def test_of_the_function(api_keys: Keyring, clock: Clock, turn: int) -> None:
    await works(api_keys, clock)


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.asyncio(loop_scope="module")
async def test_of_the_module(api_keys: Keyring, clock: Clock, turn: int) -> None:
    await works(api_keys, clock)


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.asyncio
async def test_of_the_function_again(api_keys: Keyring, clock: Clock, turn: int) -> None:
    await works(api_keys, clock)


@pytest.mark.asyncio
async def test_a_sync_client_within(key_headers: Headers) -> None:
    with TestClient(app) as client:
        assert client.get("/acme/files", headers=key_headers("OBJECTS_LIST")).json() == ["acme"]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def session_client() -> AsyncIterator[AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.asyncio(loop_scope="session")
async def test_of_the_session(session_client: AsyncClient, key_headers: Headers, turn: int) -> None:
    for _ in range(2):
        assert (await session_client.get("/acme/files", headers=key_headers("OBJECTS_LIST"))).json() == ["acme"]


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.asyncio
async def test_of_the_function_once_more(api_keys: Keyring, clock: Clock, turn: int) -> None:
    await works(api_keys, clock)


def test_of_nobody_but_the_test(api_keys: Keyring, clock: Clock) -> None:
    asyncio.run(works(api_keys, clock))
