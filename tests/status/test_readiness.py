"""What a load balancer is told."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from gatepost import APIKeyMiddleware, APIKeys, Readiness
from gatepost.base.errors import UnavailableError
from tests.freshness.conftest import counted_statements


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    keys = APIKeys(ready_sqlite_url, poll_interval=1, max_staleness=300)
    yield keys
    await keys.close()


def client_of(keys: APIKeys, *, details: bool = False) -> httpx2.AsyncClient:
    """Of an app whose readiness needs no key."""
    readiness = Readiness(keys, details=details)
    routes = [Route("/ready", readiness), Mount("/mounted", readiness)]
    app = APIKeyMiddleware(Starlette(routes=routes), keys, exempt=["/ready", "/mounted/"])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app")


async def test_it_is_ready_while_the_lease_holds_without_a_read(keys: APIKeys) -> None:
    await keys.open()
    await keys.serve()
    async with client_of(keys) as client:
        with counted_statements(keys) as counts:
            for path in ("/ready", "/mounted/"):
                answer = await client.get(path)
                assert answer.status_code == 200
        assert counts["other"] + counts["records"] == 0
        said = answer.json()
        assert (said["ready"], said["reason"]) == (True, None)
        assert 0 < said["lease_seconds"] <= 300
        assert set(said) == {"ready", "lease_seconds", "reason"}, "no names of hosts"
        head = await client.head("/ready")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.post("/ready")).status_code == 405


async def test_it_is_not_ready_before_the_keys_are_open(keys: APIKeys) -> None:
    async with client_of(keys) as client:
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "keys_closed")
        assert (await client.head("/ready")).status_code == 503
        assert not keys.is_open


async def test_without_a_lease_the_database_decides_asked_at_most_once_a_second(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.open()
    async with client_of(keys, details=True) as client:
        with counted_statements(keys) as counts:
            answers = [await client.get("/ready") for _ in range(5)]
        assert {answer.status_code for answer in answers} == {200}
        assert counts["counter"] == 1

    async def fail() -> None:
        raise UnavailableError("the database failed on db1.internal")

    monkeypatch.setattr(keys, "ping", fail)
    for details in (False, True):
        async with client_of(keys, details=details) as client:
            answer = await client.get("/ready")
            assert (answer.status_code, answer.json()["reason"]) == (503, "database_down")
            assert ("db1" in answer.text) is details
