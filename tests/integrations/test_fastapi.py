"""`Guard` and `current_key`: FastAPI's own ways to ask for a permission, each asked before anything else runs."""

import inspect
import sys
from functools import wraps
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import SecurityScopes
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gatepost import (
    Admin,
    APIKey,
    APIKeyMiddleware,
    APIKeys,
    BadInputError,
    Bearer,
    Catalogue,
    ConfigurationError,
    Header,
    Rate,
    requires,
)
from gatepost.integrations.fastapi import Guard, Options, current_key
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, client_of, http_scope, websocket_scope
from tests.frameworks.contract import assert_denied, ran
from tests.integrations.fastapi_app import make

PLACES = ["", "/router/deeper", "/within"]
GUARDED = ["decorated", "depends", "scopes", "key", "optional"]


class Chooses:
    """What is below /in goes to one app, the rest is answered here."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith("/in/"):
            await self.app(scope, receive, send)


def post(path: str, secret: str) -> dict[str, Any]:
    return http_scope(path, {**bearer(secret), "content-type": "application/json"}, method="POST")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", GUARDED)
async def test_who_lacks_the_permission_is_refused_before_a_byte_of_the_body_or_a_dependency(
    keys: APIKeys, issuance: Issuance, place: str, name: str
) -> None:
    app = make(keys)
    async with Connection(app, post(f"{place}/{name}", issuance.reader.secret)) as connection:
        assert_denied(await connection.answer())  # nothing of the body has been given, and no dependency ran
    allowed = await ask(app, post(f"{place}/{name}", issuance.uploader.secret), b'{"name": "a"}')
    assert (allowed.status_code, allowed.json()) == (200, "done")


@pytest.mark.parametrize("place", PLACES)
async def test_current_key_is_the_callers(keys: APIKeys, issuance: Issuance, place: str) -> None:
    async with client_of(make(keys, exempt=["/me"], optional=True)) as client:
        response = await client.get(f"{place}/me", headers=bearer(issuance.reader.secret))
        if place:
            assert response.json() == {"id": issuance.reader.key.id, "project": "acme"}
            perhaps = await client.get(f"{place}/perhaps", headers=bearer(issuance.reader.secret))
            assert perhaps.json() == issuance.reader.key.id
        else:
            assert response.status_code == 401, "exempt: nobody has looked at the key"
        response = await client.get("/me")
        assert (response.status_code, response.json()["code"]) == (401, "key_missing")
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert (await client.get("/perhaps")).json() is None
        response = await client.post("/optional", json={"name": "a"})
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied"), "nobody granted it any"


async def test_a_websocket_has_its_key_or_is_refused(keys: APIKeys, issuance: Issuance) -> None:
    for secret, expected in ((issuance.reader.secret, 3003), (issuance.uploader.secret, 0)):
        async with Connection(make(keys), websocket_scope("/socket", bearer(secret))) as connection:
            connection.give("websocket.connect")
            message = await connection.take()
            assert message.get("code", 0) == expected
    async with Connection(make(keys, optional=True), websocket_scope("/socket")) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["code"] == 3003, "the permission is asked for first"


async def test_without_a_middleware_nobody_is_let_in(keys: APIKeys) -> None:
    app = FastAPI()

    @app.get("/key")
    async def with_key(key: Annotated[APIKey, Depends(current_key)]) -> str:
        return key.id

    @app.get("/scopes", dependencies=[Security(requires, scopes=["FILE_UPLOAD"])])
    async def by_scopes() -> str:
        return "done"

    for path in ("/key", "/scopes"):
        with pytest.raises(ConfigurationError):
            await ask(app, http_scope(path))


async def test_what_a_dependency_refuses_is_told_as_the_middleware_tells_it(keys: APIKeys, issuance: Issuance) -> None:
    app, router, within = FastAPI(), APIRouter(), FastAPI()
    Guard(app, keys)

    @router.get("/limited", dependencies=[Depends(requires("FILE_UPLOAD", limit=Rate(2, per=3600, name="twice")))])
    async def limited() -> str:
        return "done"

    app.include_router(router, prefix="/router")
    within.include_router(router)
    app.mount("/within", within)
    async with client_of(app) as client:
        client.headers.update(bearer(issuance.uploader.secret))
        for path in ("/router/limited", "/within/limited"):
            assert (await client.get(path)).status_code == 200
        for path in ("/router/limited", "/within/limited"):
            refused = await client.get(path)
            assert (refused.status_code, refused.json()["code"]) == (429, "limit_exceeded")
            assert refused.json()["message"] == refused.json()["detail"]
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) >= 1


async def test_docs_need_no_key_unless_asked_for(keys: APIKeys, issuance: Issuance) -> None:
    pages = ["/docs", "/redoc", "/openapi.json", "/within/docs", "/within/openapi.json"]
    for docs, expected in ((True, 200), (False, 401)):
        async with client_of(make(keys, docs=docs)) as client:
            for page in pages:
                assert (await client.get(page)).status_code == expected, page
            assert (await client.get("/me")).status_code == 401
            assert (await client.get("/docs/x")).status_code == 401


async def test_what_the_app_takes_where_a_page_is_needs_a_key(keys: APIKeys, issuance: Issuance) -> None:
    app, within = FastAPI(docs_url="/"), FastAPI(docs_url="/")
    Guard(app, keys)

    async def made() -> str:
        return "made"

    for each in (app, within):
        for path in ("/", "/openapi.json", "/{name}"):
            each.post(path)(made)
    app.mount("/within", within)
    async with client_of(app) as client:
        for path in ("/", "/openapi.json", "/redoc", "/within/", "/within/openapi.json", "/within/redoc"):
            assert (await client.get(path)).status_code == 200
            assert (await client.post(path)).status_code == 401, path
            assert (await client.post(path, headers=bearer(issuance.reader.secret))).json() == "made"
        document = (await client.get("/openapi.json")).json()
        assert document["paths"]["/"]["post"]["security"], "it is told as it is"


async def test_a_route_that_stands_before_a_page_needs_a_key(keys: APIKeys, issuance: Issuance) -> None:
    async def mine(request: Request) -> Response:
        return Response("mine")

    app, within, deep = FastAPI(routes=[Route("/redoc", mine)]), FastAPI(), FastAPI()
    app.add_route("/within/{name}", mine)
    within.mount("/deep", deep)
    app.mount("/within", within)
    Guard(app, keys)
    async with client_of(app) as client:
        for path in ("/docs", "/openapi.json", "/within/deep/docs", "/within/deep/openapi.json"):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/redoc", "/within/docs", "/within/openapi.json"):
            assert (await client.get(path)).status_code == 401, path
            assert (await client.get(path, headers=bearer(issuance.reader.secret))).text == "mine"


def test_the_guards_options_are_the_middlewares() -> None:
    parameters = inspect.signature(APIKeyMiddleware).parameters.values()
    assert Options.__annotations__.keys() == {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}


async def test_options_that_cannot_be_used_are_said_at_once(keys: APIKeys) -> None:
    for options, what in (({"sources": []}, "sources is empty"), ({"realm": '"'}, "realm"), ({"exempt": "/a"}, "list")):
        with pytest.raises(BadInputError, match=what):
            Guard(FastAPI(), keys, **options)
    not_fastapi: Any = APIKeyMiddleware(FastAPI(), keys)
    with pytest.raises(BadInputError, match=r"APIKeyMiddleware\(app, keys\)"):
        Guard(not_fastapi, keys)


def start(app: Any) -> str:
    """What keeps the app from being started; empty if nothing does."""
    try:
        with TestClient(app):
            return ""
    except ConfigurationError as error:
        return str(error)


def line_of(text: str) -> int:
    """The first line of this file that has the text."""
    lines = inspect.getsource(sys.modules[__name__]).splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_an_unknown_permission_in_a_scope_list_is_said_at_start_with_its_line(database: str) -> None:
    app = FastAPI()
    Guard(app, APIKeys(database))
    router = APIRouter()

    @router.get("/wrong", dependencies=[Security(requires, scopes=["FILE_UPLAOD"])])
    async def wrong() -> None: ...

    @router.get("/wrong-key")
    async def wrong_key(key: Annotated[APIKey, Security(current_key, scopes=["file_upload"])]) -> None: ...

    app.include_router(router, prefix="/api")
    said = start(app)
    assert f"{__file__}:{line_of('FILE_UPLAOD')}: /api/wrong: the scope 'FILE_UPLAOD' is no permission." in said
    assert said.count("Did you mean 'FILE_UPLOAD'?") == 2


async def test_where_a_server_has_no_lifespan_it_is_said_at_each_request(keys: APIKeys, issuance: Issuance) -> None:
    app = FastAPI()
    Guard(app, keys)

    @app.get("/wrong", dependencies=[Security(requires, scopes=["FILE_UPLAOD"])])
    async def wrong() -> None: ...

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="FILE_UPLAOD"):
            await ask(app, http_scope("/wrong", bearer(issuance.uploader.secret)))


def test_what_names_no_permission_is_said_at_start(database: str) -> None:
    app = FastAPI()
    Guard(app, APIKeys(database))

    @app.get("/nothing", dependencies=[Depends(requires)])
    async def nothing() -> None: ...

    @app.get("/ignored", dependencies=[Security(requires("FILE_UPLOAD"), scopes=["FILE_MOVE"])])
    async def ignored() -> None: ...

    said = start(app)
    assert "/nothing: requires() names no permission" in said
    assert "/ignored: Security(requires(...), scopes=['FILE_MOVE']) asks for none of the scopes" in said


async def test_scopes_beside_a_permission_are_refused_without_a_guard_too(keys: APIKeys, issuance: Issuance) -> None:
    async def parent(scopes: SecurityScopes, asked: Annotated[None, Depends(requires("OBJECTS_LIST"))]) -> list[str]:
        return scopes.scopes

    async def done() -> str:
        return "done"

    app, router, within = FastAPI(), APIRouter(), FastAPI()
    app.add_middleware(APIKeyMiddleware, keys=keys)
    beside = Security(requires("OBJECTS_LIST"), scopes=["FILE_DELETE"])
    for each in (app, router, within):
        each.get("/beside", dependencies=[beside])(done)
        each.get("/above", dependencies=[Security(parent, scopes=["theirs"])])(done)
    router.get("/done")(done)
    app.include_router(router, prefix="/router")
    app.include_router(router, prefix="/included", dependencies=[beside])
    app.mount("/within", within)
    secret = bearer(issuance.reader.secret)
    for path in ("/beside", "/router/beside", "/within/beside", "/included/done"):
        with pytest.raises(BadInputError, match=r"scopes=\['FILE_DELETE'\]\) asks for none of the scopes"):
            await ask(app, http_scope(path, secret))
    for path in ("/above", "/router/above", "/within/above", "/router/done"):
        assert (await ask(app, http_scope(path, secret))).json() == "done", path


def test_a_permission_that_no_key_can_have_is_said_at_start(database: str) -> None:
    notes = Catalogue.of("NotesOfThisTest", {"NOTES_READ": "read notes"})
    app = FastAPI()
    Guard(app, APIKeys(database, catalogue=notes))

    @app.get("/files")
    @requires("FILE_UPLOAD")
    async def files() -> None: ...

    @app.get("/notes")
    @requires(any_of=["FILE_UPLOAD", "NOTES_READ"])
    async def read() -> None: ...

    said = start(app)
    assert "/files asks for FILE_UPLOAD, which no key can be given" in said
    assert "/notes" not in said


def noted(function: Any) -> Any:
    @wraps(function)
    async def noting(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return noting


def test_a_guard_above_the_frameworks_decorator_is_said_at_start(database: str) -> None:
    app = FastAPI()  # made in a function, as by a factory: no module has its handlers
    Guard(app, APIKeys(database))

    @requires("FILE_UPLOAD")
    @app.get("/open")
    async def opened() -> None: ...

    @requires("FILE_UPLOAD")
    @noted
    @app.get("/below")
    async def below() -> None: ...

    @requires("FILE_MOVE")
    @app.get("/half", dependencies=[Depends(requires("OBJECTS_LIST"))])
    async def half() -> None: ...

    @requires("FILE_MOVE")
    @app.get("/twice")
    @requires("FILE_MOVE")
    async def twice() -> None: ...

    @app.get("/fine")
    @requires("FILE_UPLOAD")
    @requires("FILE_MOVE")
    async def fine() -> None: ...

    async def shared() -> None: ...

    for name in ("FILE_UPLOAD", "FILE_MOVE"):
        app.get(f"/{name}")(requires(name)(shared))
    said = start(app)
    for path, name in (("/open", "FILE_UPLOAD"), ("/below", "FILE_UPLOAD"), ("/half", "FILE_MOVE")):
        assert f"{path} asks nobody for {name}: @requires stands above" in said
    assert f"{__file__}:{line_of('/half') - 1}: /half" in said
    assert said.count("stands above") == 3


def test_two_guards_are_said_at_once_with_the_line_of_the_first(database: str) -> None:
    app = FastAPI()
    Guard(app, APIKeys(database))  # the first
    with pytest.raises(BadInputError, match=f"test_fastapi.py:{line_of('# the first')}"):
        Guard(app, APIKeys(database))


def test_two_middlewares_with_different_keys_around_one_app_are_said_at_start(database: str) -> None:
    app = FastAPI()
    Guard(app, APIKeys(database))  # the inner one
    around = APIKeyMiddleware(app, APIKeys(database))  # the outer one
    said = start(around)
    assert "Two APIKeyMiddleware with different keys stand around one app" in said
    assert f"the outer one is made at {__file__}:{line_of('# the outer one')}" in said
    assert f"the inner one at {__file__}:{line_of('# the inner one')}. Take" in said
    app.add_middleware(APIKeyMiddleware, keys=APIKeys(database))
    said = start(app)
    assert "the outer one is made at app.add_middleware(APIKeyMiddleware, ...)" in said
    assert f"the inner one at {__file__}:{line_of('# the inner one')}. Take" in said


def test_the_same_keys_twice_let_nobody_in_either(database: str) -> None:
    keys = APIKeys(database)
    assert "with the same keys" in start(APIKeyMiddleware(APIKeyMiddleware(FastAPI(), keys), keys))
    assert start(APIKeyMiddleware(APIKeyMiddleware(FastAPI(), keys), keys, strip=False)) == ""


def test_two_middlewares_that_do_not_get_in_each_others_way_are_fine(database: str) -> None:
    def around(inner: dict[str, Any], outer: dict[str, Any]) -> str:
        app = APIKeyMiddleware(FastAPI(), APIKeys(database), **inner)
        return start(APIKeyMiddleware(app, APIKeys(database), **outer))

    assert around({}, {"exempt": ["/health"]})
    assert not around({}, {"sources": [Header("X-Partner-Key")]})
    assert not around({"sources": [Bearer(), Header("X-Inner")]}, {"sources": [Bearer()]})
    assert not around({"exempt": ["/a/*"]}, {"exempt": ["/b/*"]})
    assert not around({"exempt": ["/*"]}, {})
    assert not around({}, {"exempt": [bool]})
    assert not around({}, {"optional": True})


@pytest.mark.parametrize("between", [False, True])
def test_two_middlewares_of_which_one_has_a_prefix_that_is_exempt_are_said_too(database: str, between: bool) -> None:
    """As where the line that the page tells to replace was left: all but the page of keys would be refused."""
    keys, page = APIKeys(database), Admin.paths("/settings/api-keys")
    for inner, outer in (([], page), (page, []), (page, page)):
        app = FastAPI()
        app.add_middleware(APIKeyMiddleware, keys=keys, exempt=inner)
        if between:
            app.add_middleware(GZipMiddleware)
        app.add_middleware(APIKeyMiddleware, keys=keys, exempt=outer)
        said = start(app)
        assert "with the same keys stand around one app" in said
        assert "nobody would be let in, but at paths that are exempt: the outer one is made at" in said


def test_what_chooses_between_two_apps_may_know_the_paths_that_are_exempt(database: str) -> None:
    guarded = APIKeyMiddleware(FastAPI(), APIKeys(database))
    assert start(APIKeyMiddleware(Chooses(guarded), APIKeys(database), exempt=["/in/*"])) == ""


async def test_apps_side_by_side_that_get_one_lifespan_scope_are_fine(database: str) -> None:
    sent: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    for _ in range(2):
        await APIKeyMiddleware(app, APIKeys(database))(scope, receive, send)
    assert sent == ["lifespan.startup.complete"] * 2
    assert scope.keys() == {"type", "asgi"}


def test_cors_inside_of_the_keys_is_said(database: str, caplog: pytest.LogCaptureFixture) -> None:
    for inside in (False, True):
        caplog.clear()
        app = FastAPI()
        if inside:
            app.add_middleware(CORSMiddleware, allow_origins=["*"])
        Guard(app, APIKeys(database))
        if not inside:
            app.add_middleware(CORSMiddleware, allow_origins=["*"])
        assert start(app) == ""
        assert ("CORSMiddleware stands inside" in caplog.text) is inside


async def test_tests_may_override_the_key(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys)
    app.dependency_overrides[current_key] = lambda: issuance.stranger.key
    async with client_of(app) as client:
        response = await client.get("/me", headers=bearer(issuance.reader.secret))
        assert response.json()["project"] == "globex"


async def test_a_dependency_is_awaited_and_needs_no_thread(
    keys: APIKeys, issuance: Issuance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_thread(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("in a thread")

    monkeypatch.setattr("fastapi.dependencies.utils.run_in_threadpool", in_thread)
    app = FastAPI()
    app.add_middleware(APIKeyMiddleware, keys=keys)

    @app.get("/all", dependencies=[Depends(requires("FILE_UPLOAD")), Security(requires, scopes=["OBJECTS_LIST"])])
    async def everything(key: Annotated[APIKey, Depends(current_key)]) -> str:
        ran.append(key.id)
        return "done"

    async with client_of(app) as client:
        assert (await client.get("/all", headers=bearer(issuance.uploader.secret))).json() == "done"
        assert (await client.get("/all", headers=bearer(issuance.reader.secret))).status_code == 403
