"""The asset store behind the real middleware, with real keys: each permission opens its routes and no others."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gatepost import DAM, APIKeyMiddleware, APIKeys
from gatepost.demo.app import EXEMPT, ROUTES, Operation, asset_store
from gatepost.demo.sample import fill
from gatepost.demo.store import AssetStore

GUARDED = [route for route in ROUTES if route.permission]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: refused calls change nothing, and allowed ones here ask for what does not exist."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """The demo's app in its middleware, its lifespan run."""
    store = AssetStore(folder / "store")
    fill(store)
    app = APIKeyMiddleware(asset_store(store), APIKeys(f"sqlite:///{folder}/keys.db"), exempt=EXEMPT)
    with TestClient(app) as client:
        yield client


async def make_secrets(database: str) -> dict[str, str]:
    """For each permission the secret of a key that has only it, and one of a key that has all others."""
    async with APIKeys(database) as keys:
        made = {}
        for name in DAM:
            made[str(name)] = (await keys.create(f"only {name}", [name])).secret
            made[f"not {name}"] = (await keys.create(f"not {name}", [other for other in DAM if other != name])).secret
        return made


@pytest.fixture(scope="module")
def secrets(client: TestClient, folder: Path) -> dict[str, str]:
    """`make_secrets` for the app's database."""
    return asyncio.run(make_secrets(f"sqlite:///{folder}/keys.db"))


def call(client: TestClient, route: Operation, secret: str | None) -> tuple[int, dict[str, object]]:
    """Status and body of a call of that route, with parameters that name nothing that exists."""
    path = re.sub(r"\{[^}]*\}", "no-such-thing", route.path)
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    response = client.request(route.method, path, headers=headers)
    is_json = "json" in response.headers.get("content-type", "")
    body = response.json() if is_json else {}
    return response.status_code, body if isinstance(body, dict) else {}


@pytest.mark.parametrize("name", [str(name) for name in DAM])
def test_a_permission_opens_its_routes_and_its_lack_closes_them(
    client: TestClient, secrets: dict[str, str], name: str
) -> None:
    routes = [route for route in GUARDED if route.permission == name]
    assert routes, "guards no route"
    for route in routes:
        assert call(client, route, None)[0] == 401
        status, body = call(client, route, secrets[f"not {name}"])
        assert (status, body["code"], body["missing"]) == (403, "permission_denied", [name])
        status, body = call(client, route, secrets[name])
        assert status not in {401, 403, 500}, (route.path, status, body)
