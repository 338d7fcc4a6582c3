# pyright: strict
"""A user's files in one, for checkers alone: nobody runs it. They find nothing in it but what the lines say."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, assert_type

import pytest
import strawberry
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from strawberry.fastapi import GraphQLRouter

from gatepost import (
    Admin,
    APIKey,
    APIKeyMiddleware,
    APIKeys,
    Bearer,
    Catalogue,
    Header,
    Issued,
    PermissionsFirst,
    Quota,
    Rate,
    Readiness,
    Receipt,
    requires,
)
from gatepost.integrations.drf import postprocessing_hook
from gatepost.integrations.fastapi import Guard, current_key, optional_key
from gatepost.integrations.litestar import Guard as LitestarGuard
from gatepost.integrations.ninja import NinjaAPI
from gatepost.integrations.quart import openapi_provider
from gatepost.integrations.starlette import SchemaGenerator
from gatepost.integrations.strawberry import Requires
from gatepost.testing import Clock, Keyring, assert_guarded


class Notes(Catalogue):
    """What keys may do here."""

    NOTES_READ = "read notes"
    NOTES_WRITE = "write notes"


keys = APIKeys(database="sqlite+aiosqlite:///notes.db", catalogue=Notes)
app = FastAPI()
Guard(app, keys, exempt=["/ready"], sources=(Bearer(), Header("X-API-Key")))
Guard(app, keys, exemt=["/ready"])  # type: ignore[call-arg]
LitestarGuard(keys, docs=False, exempt=["/ready"], sources=[Header("X-API-Key")])
LitestarGuard(keys, exemt=["/ready"])  # type: ignore[call-arg]
LitestarGuard(keys, sources=5)  # type: ignore[arg-type]
openapi_provider(keys, exempt=["/docs"])
openapi_provider(keys, exemt=["/docs"])  # type: ignore[call-arg]
postprocessing_hook(keys, exempt=["/schema/"])
postprocessing_hook(keys, realm=5)  # type: ignore[arg-type]
NinjaAPI(keys=keys, title="Notes", exempt=["/api/docs"])
NinjaAPI(keys=keys, titel="Notes")  # type: ignore[call-arg]
SchemaGenerator({"openapi": "3.1.0"}, keys, exempt=["/schema"])
SchemaGenerator({"openapi": "3.1.0"}, keys, optional="no")  # type: ignore[arg-type]
app.mount("/settings/api-keys", Admin(keys))
app.router.routes.append(Route("/ready", Readiness(keys)))
EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)
router = APIRouter(prefix="/notes", dependencies=[Depends(requires("NOTES_READ"))])


@router.get("/", dependencies=[Security(requires, scopes=["NOTES_READ"])])
async def read(key: Annotated[APIKey, Depends(current_key)], word: str = "") -> list[str]:
    """A caller's key."""
    assert_type(key.project, str | None)
    return [key.description, word]


@router.post("/")
@requires("NOTES_WRITE", any_of=("NOTES_READ",), fresh=True, limit=Rate(10, per=60), cost=2)
async def write(request: Request, key: Annotated[APIKey | None, Depends(optional_key)]) -> dict[str, str]:
    """All options."""
    return {"by": "" if key is None else key.id}


@router.delete("/{name}")
@requires("NOTES_WRITE", on="dir:/{name}", limit=Quota(100, per="day"))
def delete(request: Request, name: str) -> int:
    """A sync handler."""
    return len(name)


@app.websocket("/feed")
@requires(any_of=["NOTES_READ", "NOTES_WRITE"])
async def feed(websocket: WebSocket) -> None:
    """A WebSocket."""
    await websocket.accept()


assert_type(delete(Request({}), "x"), int)
delete("x")  # type: ignore[call-arg, arg-type]
requires(["NOTES_READ"])  # type: ignore[arg-type]


class Files(HTTPEndpoint):
    """An endpoint class."""

    @requires("NOTES_READ")
    async def get(self, request: Request) -> Response:
        """A method."""
        return Response(request.scope["api_key"].id)


@strawberry.type
class Query:
    """Fields of GraphQL's."""

    @Requires("NOTES_READ", any_of=["NOTES_WRITE"], fresh=True, limit=Rate(10, per=60, name="titles"))
    @strawberry.field
    def titles(self) -> list[str]:
        """A sync resolver."""
        return ["one"]

    @Requires("NOTES_READ")
    @strawberry.field
    async def first(self, info: strawberry.Info) -> str:
        """An async one, with what strawberry tells."""
        return str(info.path)

    @strawberry.field
    @requires("NOTES_READ")
    def last(self) -> str:
        """The decorator of routes."""
        return "two"


@strawberry.type
class Subscription:
    """What goes on."""

    @Requires("NOTES_READ")
    @strawberry.subscription
    async def written(self) -> AsyncGenerator[str, None]:
        """A subscription."""
        yield "three"


class Writes(Requires):
    """One of a user's own."""

    def __init__(self) -> None:
        super().__init__("NOTES_WRITE")


def plain() -> str:
    """No field."""
    return ""


Writes()(plain)  # type: ignore[type-var]
Requires(["NOTES_READ"])  # type: ignore[arg-type]
assert_type(Writes().check.all_of, frozenset[str])
app.include_router(GraphQLRouter(strawberry.Schema(Query, subscription=Subscription)), prefix="/graphql")


async def manage() -> None:
    """The verbs."""
    async with keys:
        issued = await keys.create("nightly import", ["NOTES_READ"], project="acme", expires_at=EXPIRY)
        assert_type(issued, Issued)
        assert_type(issued.secret, str)
        page = await keys.list(project="acme", active=True, limit=10)
        assert_type(page.items[0], APIKey)
        receipt = await keys.deactivate(issued.key.id)
        assert_type(receipt, Receipt)
        await keys.update(issued.key.id, permissions=["NOTES_WRITE"])
        await keys.create("x", "NOTES_READ", limt=3)  # type: ignore[call-arg]


site = Starlette(
    routes=[Route("/files", Files)],
    middleware=[Middleware(APIKeyMiddleware, keys=keys, exempt=["/ready"]), Middleware(PermissionsFirst)],
)
wrapped = APIKeyMiddleware(site, keys, project=lambda scope: scope["path"].split("/")[1])


pytest_plugins = ["gatepost.testing"]


@pytest.fixture(scope="session")
def gatepost_keys() -> APIKeys:
    """The app's."""
    return keys


@pytest.fixture
def client() -> Iterator[TestClient]:
    """The app."""
    with TestClient(app) as client:
        yield client


def test_a_user(
    client: TestClient,
    api_keys: Keyring,
    key_headers: Callable[..., Mapping[str, str]],
    clock: Clock,
    outage: Callable[[str], AbstractContextManager[None]],
) -> None:
    """What the fixtures give."""
    headers = key_headers("NOTES_READ", project="acme", expires_at=clock.now() + timedelta(hours=1))
    assert client.get("/notes", headers=headers).status_code == 200
    key = api_keys.make("NOTES_READ")
    assert_type(key.secret, str)
    assert client.get("/notes", headers=api_keys.expired("NOTES_READ").headers).status_code == 401
    api_keys.deactivate(key)
    with outage("database"):
        clock.forward(11)
    assert_guarded(app, except_for=["/ready"])
