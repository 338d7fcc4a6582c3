"""Litestar's plugin: keys around the app, permissions asked first, guards, the dependency, and the document."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from litestar import Controller, Litestar, Request, Router, WebSocket, get, post, websocket
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException, LitestarDeprecationWarning
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.controller import OpenAPIController
from litestar.params import FromPath, JSONBody
from openapi_spec_validator import validate
from pydantic import BaseModel

from gatepost import APIKeys, BadInputError, Header, Rate, requires
from gatepost.integrations.litestar import CurrentKey, Guard
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, client_of, http_scope, websocket_scope
from tests.frameworks.contract import assert_denied, ran


class Asset(BaseModel):
    name: str


def note() -> str:
    ran.append("dependency")
    return "noted"


@post("/decorated")
@requires("FILE_UPLOAD")
async def decorated(data: JSONBody[Asset], noted: NamedDependency[str]) -> str:
    return "done"


@post("/guarded", guards=[requires("FILE_UPLOAD")])
async def guarded(data: JSONBody[Asset], noted: NamedDependency[str]) -> str:
    return "done"


class Assets(Controller):
    path = "/controller"

    @post()
    @requires("FILE_UPLOAD")
    async def add(self, data: JSONBody[Asset], noted: NamedDependency[str]) -> str:
        return f"done{data and noted and ''}"


@post("/open")
async def opened(data: JSONBody[Asset]) -> str:
    return "done"


@requires("FILE_UPLOAD")
async def uploader(request: Request[Any, Any, Any]) -> str:
    return "an uploader"


async def through(uploader: NamedDependency[str]) -> str:
    return uploader


@get("/depends", dependencies={"uploader": Provide(uploader), "through": Provide(through)})
async def depends(through: NamedDependency[str]) -> str:
    return through


@get("/me")
async def me(api_key: CurrentKey) -> str:
    return api_key.id


@get("/health")
async def health() -> str:
    return "well"


@get("/limited", guards=[requires("FILE_UPLOAD", limit=Rate(1, per=3600, name="litestar"))])
async def limited() -> str:
    return "done"


@get("/missing")
async def missing() -> None:
    raise HTTPException(status_code=418, detail="The app's own.")


@websocket("/socket", guards=[requires("FILE_UPLOAD")])
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.close()


def make(keys: APIKeys, **options: Any) -> Any:
    router = Router("/router", route_handlers=[opened], guards=[requires("FILE_UPLOAD")])
    return Litestar(
        [decorated, guarded, Assets, router, depends, me, health, limited, missing, socket],
        plugins=[Guard(keys, exempt=["/health"], **options)],
        dependencies={"noted": Provide(note, sync_to_thread=False)},
        openapi_config=OpenAPIConfig("Assets", "1"),
    )


def post_scope(path: str, secret: str) -> dict[str, Any]:
    return http_scope(path, {**bearer(secret), "content-type": "application/json"}, method="POST")


@pytest.mark.parametrize("path", ["/decorated", "/guarded", "/controller", "/router/open"])
async def test_who_lacks_the_permission_is_refused_before_a_byte_of_the_body_or_a_dependency(
    keys: APIKeys, issuance: Issuance, path: str
) -> None:
    app = make(keys)
    async with Connection(app, post_scope(path, issuance.reader.secret)) as connection:
        assert_denied(await connection.answer())
    allowed = await ask(app, post_scope(path, issuance.uploader.secret), b'{"name": "a"}')
    assert (allowed.status_code, allowed.text) == (201, "done")
    assert (await ask(app, post_scope(path, "nonsense"))).status_code == 401


@asynccontextmanager
async def started(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.lifespan(), client_of(app) as client:
        yield client


async def test_the_plugin_opens_the_keys_and_gives_the_callers(database: str, issuance: Issuance) -> None:
    keys = APIKeys(database)
    async with started(make(keys)) as client:
        assert keys.is_open
        assert (await client.get("/me", headers=bearer(issuance.reader.secret))).text == issuance.reader.key.id
        assert (await client.get("/me")).json()["code"] == "key_missing"
        assert (await client.get("/health")).text == "well"
        assert (await client.get("/missing", headers=bearer(issuance.reader.secret))).json()["status_code"] == 418
    assert not keys.is_open


async def test_what_a_guard_refuses_is_told_as_the_middleware_tells_it(keys: APIKeys, issuance: Issuance) -> None:
    async with client_of(make(keys)) as client:
        assert_denied(await client.get("/depends", headers=bearer(issuance.reader.secret)))
        assert (await client.get("/depends", headers=bearer(issuance.uploader.secret))).text == "an uploader"
        client.headers.update(bearer(issuance.uploader.secret))
        assert (await client.get("/limited")).status_code == 200
        refused = await client.get("/limited")
        assert (refused.status_code, refused.json()["code"]) == (429, "limit_exceeded")
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_websockets_guard(keys: APIKeys, issuance: Issuance) -> None:
    for secret, expected in ((issuance.reader.secret, 3003), (issuance.uploader.secret, 0)):
        async with Connection(make(keys), websocket_scope("/socket", bearer(secret))) as connection:
            connection.give("websocket.connect")
            assert (await connection.take()).get("code", 0) == expected


async def test_the_document_is_valid_and_true(keys: APIKeys) -> None:
    for docs, expected in ((True, 200), (False, 401)):
        async with client_of(make(keys, docs=docs)) as client:
            answer = await client.get("/schema/openapi.json")
            assert answer.status_code == expected
            assert (await client.get("/schema/swagger")).status_code == expected
    document = make(keys).openapi_schema.to_schema()
    validate(document)
    needed = [{"Bearer": ["FILE_UPLOAD"]}, {"X-API-Key": ["FILE_UPLOAD"]}]
    for path in ("/decorated", "/guarded", "/controller", "/router/open"):
        operation = document["paths"][path]["post"]
        assert operation["security"] == needed
        assert operation["x-permissions"] == {"all": ["FILE_UPLOAD"]}
        assert {"401", "403", "429", "503"} <= set(operation["responses"])
    assert document["paths"]["/depends"]["get"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}
    assert document["paths"]["/me"]["get"]["security"] == [{"Bearer": []}, {"X-API-Key": []}]
    assert "security" not in document["paths"]["/health"]["get"]
    document = make(keys, sources=[Header("X-Key")]).openapi_schema.to_schema()
    assert list(document["components"]["securitySchemes"]) == ["X-Key"]


@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("/api", {"path": "/api"}),
        ("", {"path": "/"}),
        ("/apidocs", {"openapi_router": Router("/apidocs", route_handlers=[])}),
        ("/schema", {"openapi_router": Router("/schema", route_handlers=[health])}),
    ],
)
async def test_the_document_is_open_where_it_is_and_nothing_beside_it(
    keys: APIKeys, issuance: Issuance, base: str, place: dict[str, Any]
) -> None:
    @get(f"{base}/files")
    async def files() -> str:
        return "files"

    @get(f"{base}/files/{{name:str}}")
    async def file(name: FromPath[str]) -> str:
        return name

    app: Any = Litestar([files, file], plugins=[Guard(keys)], openapi_config=OpenAPIConfig("Assets", "1", **place))
    async with client_of(app) as client:
        for page in ("/openapi.json", "/swagger", "/oauth2-redirect.html", ""):
            assert (await client.get(base + page or "/")).status_code == 200, page
        for path in ("/files", "/files/openapi.json", "/health", "/nothing"):
            assert (await client.get(base + path)).status_code in {401, 404}, path
        assert (await client.get(f"{base}/files")).status_code == 401
        answer = await client.get(f"{base}/files", headers=bearer(issuance.reader.secret))
        assert answer.text == "files"


async def test_the_document_may_be_a_controllers(keys: APIKeys) -> None:
    with pytest.warns(LitestarDeprecationWarning, match="openapi_controller"):
        config = OpenAPIConfig("Assets", "1", openapi_controller=OpenAPIController, path="/pages")
    app: Any = Litestar([me], plugins=[Guard(keys)], openapi_config=config)
    async with client_of(app) as client:
        assert (await client.get("/pages/openapi.json")).status_code == 200
        assert (await client.get("/me")).status_code == 401


def test_options_that_cannot_be_used_are_said_at_once(keys: APIKeys) -> None:
    not_keys: Any = Litestar([health])
    with pytest.raises(BadInputError, match=r"Guard\(keys\)"):
        Guard(not_keys)
    with pytest.raises(BadInputError, match="source"):
        Guard(keys, source=[])  # type: ignore[call-arg]
