"""Tests of anyio's plugin, on asyncio, and its fixtures."""

from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from gatepost.testing import Keyring
from tests.testing.suite.main import app, client_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(anyio_backend: str, api_keys: Keyring) -> AsyncIterator[AsyncClient]:
    async with client_of(app) as client:
        client.headers.update(api_keys.make("OBJECTS_LIST").headers)
        yield client


@pytest.mark.anyio
@pytest.mark.parametrize("turn", [1, 2])
async def test_a_fixture_has_a_key(client: AsyncClient, api_keys: Keyring, turn: int) -> None:
    assert (await client.get("/acme/files")).json() == ["acme"]
    denied = await client.get("/acme/files", headers=api_keys.deactivated("OBJECTS_LIST").headers)
    assert denied.json()["code"] == "key_deactivated"
