"""No event loop in sight: Starlette's test client, which runs the app's in a thread."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from gatepost import Rate
from gatepost.testing import Clock, Keyring
from tests.testing.suite.main import app, keys

Headers = Callable[..., Mapping[str, str]]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def code(client: TestClient, headers: Mapping[str, str], path: str = "/acme/files") -> str:
    answer = client.get(path, headers=headers)
    return "ok" if answer.status_code == 200 else str(answer.json()["code"])


def test_a_key_is_let_in_with_the_permission_and_refused_without(client: TestClient, key_headers: Headers) -> None:
    assert code(client, {}) == "key_missing"
    assert code(client, key_headers("OBJECTS_LIST")) == "ok"
    assert code(client, key_headers("OBJECTS_LIST", project="acme")) == "ok"
    assert code(client, key_headers("OBJECTS_LIST", project="globex")) == "project_denied"
    assert code(client, key_headers("FILE_UPLOAD")) == "permission_denied"
    assert client.post("/acme/files", headers=key_headers("FILE_UPLOAD")).json() == "acme"


def test_each_way_not_to_be_usable(client: TestClient, api_keys: Keyring) -> None:
    assert code(client, api_keys.expired("OBJECTS_LIST").headers) == "key_expired"
    assert code(client, api_keys.deactivated("OBJECTS_LIST").headers) == "key_deactivated"
    assert code(client, api_keys.rotated_out("OBJECTS_LIST").headers) == "key_invalid"
    assert code(client, api_keys.over_limit("OBJECTS_LIST").headers) == "limit_exceeded"


def test_what_a_test_does_to_a_key_holds_when_the_call_returns(client: TestClient, api_keys: Keyring) -> None:
    key = api_keys.make("OBJECTS_LIST")
    assert code(client, key.headers) == "ok"
    api_keys.deactivate(key)
    assert code(client, key.headers) == "key_deactivated"
    api_keys.activate(key)
    assert code(client, key.headers) == "ok"
    assert not api_keys.update(key, permissions=[]).permissions
    assert code(client, key.headers) == "permission_denied"
    api_keys.update(key, permissions=["OBJECTS_LIST"])
    new = api_keys.rotate(key, grace=60)
    assert [code(client, each.headers) for each in (key, new)] == ["ok", "ok"]
    api_keys.delete(key.id)
    assert [code(client, each.headers) for each in (key, new)] == ["key_invalid", "key_invalid"]


def test_time_is_moved(client: TestClient, api_keys: Keyring, clock: Clock) -> None:
    key = api_keys.make("OBJECTS_LIST", expires_at=clock.now() + timedelta(hours=1))
    limited = api_keys.make("OBJECTS_LIST", limits=[Rate(1, per=3600)])
    assert code(client, key.headers) == code(client, limited.headers) == "ok"
    assert code(client, limited.headers) == "limit_exceeded"
    clock.forward(3590)
    assert code(client, key.headers) == "ok"
    clock.forward(11)
    assert code(client, key.headers) == "key_expired"
    assert code(client, limited.headers) == "ok"
    old = api_keys.make("OBJECTS_LIST")
    new = api_keys.rotate(old, grace=60)
    clock.forward(61)
    assert [code(client, each.headers) for each in (old, new)] == ["key_expired", "ok"]


def test_outages(
    client: TestClient, api_keys: Keyring, clock: Clock, outage: Callable[[str], AbstractContextManager[None]]
) -> None:
    known, new = api_keys.make("OBJECTS_LIST"), api_keys.make("OBJECTS_LIST")
    assert code(client, known.headers) == "ok"
    with outage("redis"):
        assert code(client, new.headers) == "ok"
    with outage("database"):
        assert code(client, known.headers) == "ok"
        clock.forward(11)
        assert code(client, known.headers) == "unavailable"
    assert code(client, known.headers) == "ok"


def test_a_websocket(client: TestClient, key_headers: Headers) -> None:
    with client.websocket_connect("/acme/live", headers=dict(key_headers("OBJECTS_LIST"))) as socket:
        assert socket.receive_text() == "acme"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_no_keys(client: TestClient, api_keys: Keyring, clock: Clock, turn: int) -> None:
    assert not api_keys.run(lambda keys: keys.list()).items
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    api_keys.make("OBJECTS_LIST")
    clock.forward(3600)


def test_without_a_lifespan_each_request_has_an_event_loop_of_its_own(api_keys: Keyring) -> None:
    client, key = TestClient(app), api_keys.make("OBJECTS_LIST")
    assert [code(client, key.headers) for _ in range(3)] == ["ok"] * 3
    api_keys.deactivate(key)
    assert code(client, key.headers) == "key_deactivated"
    assert not keys.is_open
