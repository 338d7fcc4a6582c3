"""The asset store with keys that are limited to directories and collections."""

from pathlib import Path
from typing import Any

import pytest

from gatepost import DAM, APIKeyMiddleware, APIKeys
from gatepost.demo.app import EXEMPT, asset_store
from gatepost.demo.store import AssetStore
from tests.frameworks.connection import bearer, client_of

ALL = [str(name) for name in DAM if name not in ("ACCESS_MANAGE", "ACCESS_READ")]

ALLOWED: list[tuple[str, str, Any]] = [
    ("GET", "/objects?directory=campaigns/spring", None),
    ("GET", "/objects?directory=campaigns/spring&deep=1", None),
    ("GET", "/files/campaigns/spring/a.txt", None),
    ("PUT", "/files/campaigns/spring/new.txt", b"new"),
    ("POST", "/files/campaigns/spring/a.txt/rename", {"name": "b.txt"}),
    ("POST", "/files/campaigns/spring/b.txt/move", {"directory": "campaigns/spring/done"}),
    ("PUT", "/collections/spring", {"files": ["campaigns/spring/new.txt"]}),
]
REFUSED: list[tuple[str, str, Any]] = [
    ("GET", "/objects", None),
    ("GET", "/objects?deep=1", None),
    ("GET", "/objects?directory=campaigns", None),
    ("GET", "/objects?directory=campaigns&deep=1", None),
    ("GET", "/objects/campaigns/summer/a.txt", None),
    ("GET", "/files/campaigns/summer/a.txt", None),
    ("GET", "/files/campaigns/springtime/a.txt", None),
    ("GET", "/files/campaigns/spring/%2e%2e/summer/a.txt", None),
    ("GET", "/files/campaigns/spring%2f..%2fsummer/a.txt", None),
    ("GET", "/files/campaigns/spring/%252e%252e/summer/a.txt", None),
    ("GET", "/files/Campaigns/Spring/a.txt", None),
    ("PUT", "/files/campaigns/summer/new.txt", b"new"),
    ("DELETE", "/files/campaigns/summer/a.txt", None),
    ("POST", "/files/campaigns/spring/new.txt/move", {"directory": "campaigns/summer"}),
    ("POST", "/files/campaigns/summer/a.txt/move", {"directory": "campaigns/spring"}),
    ("POST", "/directories/campaigns/summer/rename", {"name": "spring"}),
    ("DELETE", "/directories/campaigns/spring", None),
    ("PUT", "/collections/spring", {"files": ["campaigns/summer/a.txt"]}),
    ("PUT", "/collections/summer", {"files": []}),
    ("GET", "/collections", None),
    ("GET", "/labels", None),
    ("GET", "/shares", None),
    ("PATCH", "/config", {"share_seconds": 5}),
]


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    store = AssetStore(tmp_path / "store")
    for path in ("campaigns", "campaigns/spring", "campaigns/spring/done", "campaigns/summer", "campaigns/springtime"):
        store.create_directory(path)
    for path in ("campaigns/spring/a.txt", "campaigns/summer/a.txt", "campaigns/springtime/a.txt"):
        store.add(path, b"text")
    return store


async def test_a_key_reaches_its_directories_and_collections_alone(ready_sqlite_url: str, store: AssetStore) -> None:
    within = ["dir:/campaigns/spring", "dir:/campaigns/spring/*", "collection:spring"]
    async with APIKeys(ready_sqlite_url) as keys:
        app = APIKeyMiddleware(asset_store(store), keys, exempt=EXEMPT)
        limited = await keys.create("spring", [name for name in ALL if not name.startswith("DIR_")], resources=within)
        whole = await keys.create("all", ALL)
        async with client_of(app) as client:
            for secret, refused in ((limited.secret, ()), (limited.secret, REFUSED), (whole.secret, ())):
                for method, url, body in refused or (ALLOWED if secret is limited.secret else REFUSED[:5]):
                    given = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
                    response = await client.request(method, url, headers=bearer(secret), **given)
                    assert (response.status_code == 403) is bool(refused), (method, url, response.text)
                    assert refused or response.status_code < 300, (method, url, response.text)
                    assert "dir:" not in response.text
    assert store.fetch("campaigns/summer/a.txt").data == b"text"


OF_A_TREE: list[tuple[str, str, Any]] = [
    ("GET", "/directories/campaigns/spring/accesses", None),
    ("PATCH", "/directories/campaigns/spring/visibility", {"visibility": "public"}),
    ("POST", "/directories/campaigns/spring/rename", {"name": "fall"}),
    ("POST", "/directories/campaigns/spring/move", {"directory": ""}),
    ("DELETE", "/directories/campaigns/spring?recursive=1", None),
]


async def test_what_touches_all_below_a_directory_is_refused_to_who_reaches_that_alone(
    ready_sqlite_url: str, store: AssetStore
) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        app = APIKeyMiddleware(asset_store(store), keys, exempt=EXEMPT)
        held = [*ALL, "ACCESS_READ"]
        exact = await keys.create("that alone", held, resources=["dir:/campaigns/spring"])
        async with client_of(app) as client:
            for method, url, body in OF_A_TREE:
                response = await client.request(method, url, headers=bearer(exact.secret), json=body)
                assert response.status_code == 403, (method, url, response.text)
            tree = await keys.create("all below", held, resources=["dir:/campaigns/*"])
            for method, url, body in (*OF_A_TREE[:2], OF_A_TREE[-1]):
                response = await client.request(method, url, headers=bearer(tree.secret), json=body)
                assert response.status_code < 300, (method, url, response.text)
    assert store.fetch("campaigns/summer/a.txt").data == b"text"
