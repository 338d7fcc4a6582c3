"""The admin app as a whole: where it may stand, what it is made with, and that nobody gets in without a key."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from gatepost import Actor, Admin, APIKeyMiddleware, APIKeys, BadInputError, Catalogue, ConfigurationError, requires

SETTINGS = "/settings/api-keys"
ADMIN = ("ACCESS_READ", "ACCESS_MANAGE")


class Notes(Catalogue):
    """A catalogue that says nothing of managing keys."""

    NOTES_READ = "read notes"


@pytest.fixture
async def secret(ready_sqlite_url: str) -> str:
    """Of a key that manages keys."""
    async with APIKeys(ready_sqlite_url) as keys:
        return (await keys.create("admin", ADMIN)).secret


@requires("ACCESS_READ")
async def own(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the app's own")


def test_by_itself_it_opens_and_closes_the_keys(ready_sqlite_url: str, secret: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    with TestClient(Admin(keys)) as client:
        assert keys.is_open
        assert client.get("/api/whoami", headers={"X-API-Key": secret}).status_code == 200
    assert not keys.is_open


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_mounted_beside_or_inside_a_wrapped_app_it_does_the_same(
    ready_sqlite_url: str, secret: str, place: str
) -> None:
    keys = APIKeys(ready_sqlite_url)
    mounted, routes = Mount(SETTINGS, Admin(keys)), [Route("/own", own)]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with keys:
            yield

    app = (
        Starlette(routes=[mounted, Mount("/", APIKeyMiddleware(Starlette(routes=routes), keys))], lifespan=lifespan)
        if place == "beside"
        else APIKeyMiddleware(Starlette(routes=[mounted, *routes]), keys, exempt=Admin.paths(SETTINGS))
    )
    with TestClient(app) as client:
        for path in ("/own", f"{SETTINGS}/api/keys", f"{SETTINGS}/openapi.json"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200, path
        page = client.get(SETTINGS if place == "inside" else f"{SETTINGS}/")
        assert page.url.path == f"{SETTINGS}/"
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert 'action="/settings/api-keys/sign-in"' in page.text
        client.cookies.set("gatepost_session", secret)
        assert client.get(f"{SETTINGS}/api/keys").status_code == 401


def test_nothing_of_it_answers_without_a_key_but_the_form_to_sign_in(ready_sqlite_url: str) -> None:
    with TestClient(Admin(APIKeys(ready_sqlite_url))) as client:
        for path in ("/", "/new", "/log", "/change", "/keys/abcdefghijkl", "/keys/abcdefghijkl/history"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert 'name="secret"' in answer.text
        for path in ("/api/keys", "/api/events", "/api/permissions", "/api/openapi.json", "/openapi.json", "/api/x"):
            assert client.get(path).json()["code"] == "key_missing", path


@pytest.mark.parametrize("path", ["/", "/api/keys"])
async def test_a_database_that_is_away_from_the_start_is_an_outage(tmp_path: Path, path: str) -> None:
    app = Admin(APIKeys(f"sqlite:///{tmp_path}/missing/keys.db"))
    before = set(threading.enumerate())
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport) as client:
        answer = await client.get(f"http://app{path}", headers={"X-API-Key": "gp_x"})  # without a lifespan
    for thread in set(threading.enumerate()) - before:
        if "connection_worker" in thread.name:  # aiosqlite's, which tells this loop of its end: nobody waits for that
            await asyncio.to_thread(thread.join)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    if path == "/":
        assert "The keys cannot be reached" in answer.text


def test_a_catalogue_without_the_two_permissions_cannot_be_managed(ready_sqlite_url: str) -> None:
    with pytest.raises(ConfigurationError, match="Notes lacks ACCESS_READ and ACCESS_MANAGE"):
        Admin(APIKeys(ready_sqlite_url, catalogue=Notes))


def test_options_that_cannot_be_used_are_clear_errors(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    with pytest.raises(BadInputError, match="session_seconds"):
        Admin(keys, session_seconds=0)
    with pytest.raises(BadInputError, match="No permission 'NOPE'"):
        Admin(keys, presets={"Wrong": ["NOPE"]})
    with pytest.raises(BadInputError, match="realm"):
        Admin(keys, realm='"')


def test_the_paths_of_a_mount_are_what_the_middleware_must_not_judge() -> None:
    assert Admin.paths(SETTINGS) == [SETTINGS, f"{SETTINGS}/", f"{SETTINGS}/*"]
    for wrong in ("settings", "/settings/", "/settings/*", "/", "", None):
        with pytest.raises(BadInputError, match="mount must be where the app is mounted"):
            Admin.paths(wrong)  # type: ignore[arg-type]


def test_the_old_way_to_it_says_what_to_write(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    with pytest.raises(
        AttributeError, match=r"no attribute 'admin': write Admin\(keys\), and from gatepost import Admin"
    ):
        keys.admin()  # type: ignore[attr-defined]
    assert not hasattr(keys, "admin")
    assert not hasattr(APIKeys, "__getattr__"), "reading any attribute would take longer, that of a memory hit too"


def test_the_host_app_may_say_who_comes_in_but_the_api_wants_a_key_all_the_same(ready_sqlite_url: str) -> None:
    def authorize(request: Request) -> Actor | None:
        return Actor("ann", operator=True) if request.headers.get("x-user") == "ann" else None

    with TestClient(Admin(APIKeys(ready_sqlite_url), authorize=authorize)) as client:
        assert client.get("/").status_code == 403
        page = client.get("/", headers={"X-User": "ann"})
        assert page.status_code == 200
        assert "Sign out" not in page.text
        assert client.get("/api/keys", headers={"X-User": "ann"}).status_code == 401
