"""One client for all tests of a module, as others have one for the session: its keys are open all the time."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from gatepost.testing import Keyring
from tests.testing.suite.main import app, keys

made: list[str] = []


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("turn", [1, 2])
def test_its_keys_are_still_there(client: TestClient, api_keys: Keyring, turn: int) -> None:
    key = api_keys.make("OBJECTS_LIST")
    assert client.get("/acme/files", headers=key.headers).status_code == 200
    api_keys.deactivate(key)
    assert client.get("/acme/files", headers=key.headers).status_code == 401
    made.append(key.id)
    assert [each.id for each in api_keys.run(lambda keys: keys.list()).items] == made[::-1]
    assert keys.is_open
