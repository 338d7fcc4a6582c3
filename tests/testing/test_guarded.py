"""`assert_guarded`: a route that forgets its permission fails a test, and so does an exception that is none by now."""

import ast
import re
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Host, Route, Router
from starlette.testclient import TestClient

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.coverage import Needs, coverage_of
from gatepost.integrations.fastapi import Guard
from gatepost.integrations.litestar import Guard as LitestarGuard
from gatepost.testing import assert_guarded


def site() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.add_middleware(APIKeyMiddleware, keys=APIKeys("sqlite:///none.db"), exempt=["/health"])

    @app.get("/health")
    async def health() -> None: ...

    @app.post("/files")
    @requires("FILE_UPLOAD")
    async def upload() -> None: ...

    @requires("FILE_MOVE")
    @app.post("/moves")
    async def move() -> None: ...

    return app


def test_every_route_must_ask_but_for_those_that_are_named() -> None:
    assert_guarded(site(), except_for=["GET /health", "POST /moves"])
    with pytest.raises(AssertionError) as raised:
        assert_guarded(site())
    told = str(raised.value)
    assert "GET /health needs nothing: exempt" in told
    assert "POST /moves needs a key" in told
    assert "test_guarded.py:34: move @requires below the framework's decorator" in told
    assert "/files" not in told


def test_a_guard_above_is_told_also_where_the_route_asks_for_something_else() -> None:
    app = FastAPI(openapi_url=None)
    app.add_middleware(APIKeyMiddleware, keys=APIKeys("sqlite:///none.db"))

    @requires("FILE_DELETE")
    @app.delete("/files", dependencies=[Depends(requires("OBJECTS_LIST"))])
    async def delete() -> None: ...

    with pytest.raises(AssertionError, match="move @requires below the framework's decorator"):
        assert_guarded(app)


def test_an_exception_is_for_one_route_of_one_host() -> None:
    async def me(request: Request) -> Response:
        return Response()

    keys = APIKeys("sqlite:///none.db")
    hosts = [Host(host, Router(routes=[Route("/me", me)])) for host in ("a.example.org", "b.example.org")]
    app = APIKeyMiddleware(Starlette(routes=[*hosts, Route("/me", me), Route("/me", me)]), keys)
    named = ["GET a.example.org/me", "GET b.example.org/me", "GET /me", "GET /me"]
    assert_guarded(app, except_for=named)
    with pytest.raises(AssertionError) as raised:
        assert_guarded(app, except_for=named[1:])
    assert str(raised.value).splitlines()[1:] == [
        "  GET a.example.org/me needs a key",
        "To except these, each where it is meant to ask for none:",
        "  except_for=[",
        '    "GET a.example.org/me",',
        '    "GET b.example.org/me",',
        '    "GET /me",',
        '    "GET /me",',
        "  ]",
    ]
    with pytest.raises(AssertionError, match="GET /me is there 2 times: name it as many times in except_for"):
        assert_guarded(app, except_for=named[:3])
    with pytest.raises(AssertionError, match="GET /me needs a key"):
        assert_guarded(app, except_for=named[:3])
    with pytest.raises(AssertionError, match="except_for has 'GET /me', which is guarded, or not there"):
        assert_guarded(app, except_for=[*named, "GET /me"])


def test_an_exception_that_is_none_any_more_is_told() -> None:
    with pytest.raises(AssertionError, match="except_for has 'POST /files', which is guarded, or not there"):
        assert_guarded(site(), except_for=["GET /health", "POST /moves", "POST /files"])


def pasted(error: AssertionError) -> list[str]:
    """The list that the message prints, as Python reads it."""
    found = re.search(r"except_for=(\[.*\])", str(error), re.DOTALL)
    assert found is not None
    return list(ast.literal_eval(found[1]))


def guarded(**options: Any) -> FastAPI:
    app = FastAPI()
    Guard(app, APIKeys("sqlite:///none.db"), exempt=["/health"], **options)

    async def answer() -> None: ...

    app.get("/health")(answer)
    app.get("/me")(answer)
    return app


def test_what_fastapis_guard_opens_itself_is_no_forgotten_route_and_may_be_named() -> None:
    assert_guarded(guarded(), except_for=["GET /health", "GET /me"])
    assert_guarded(guarded(), except_for=["GET /health", "GET /me", "GET /docs"])
    with pytest.raises(AssertionError, match=r"except_for has 'GET /docs', which is guarded, or not there"):
        assert_guarded(guarded(), except_for=["GET /health", "GET /me", "GET /docs", "GET /docs"])
    with pytest.raises(AssertionError, match="GET /docs needs a key"):
        assert_guarded(guarded(docs=False), except_for=["GET /health", "GET /me"])
    other = guarded()
    other.add_api_route("/docs", other.routes[-1].endpoint, methods=["POST"])  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="POST /docs needs a key"):
        assert_guarded(other, except_for=["GET /health", "GET /me"])


def test_litestars_guard_opens_its_document_itself() -> None:
    @get("/me", sync_to_thread=False)
    def me() -> None: ...

    keys = APIKeys("sqlite:///none.db")
    assert_guarded(Litestar([me], plugins=[LitestarGuard(keys)]), except_for=["GET /me"])
    with pytest.raises(AssertionError) as raised:
        assert_guarded(Litestar([me], plugins=[LitestarGuard(keys)]))
    assert pasted(raised.value) == ["GET /me"]
    with pytest.raises(AssertionError, match=r"GET /schema/openapi\.json needs a key") as raised:
        assert_guarded(Litestar([me], plugins=[LitestarGuard(keys, docs=False)]), except_for=["GET /me"])
    assert "{path}" not in str(raised.value), "Litestar's own 404 is no route"


@pytest.mark.parametrize("is_first", [False, True], ids=["after", "before"])
def test_the_pages_of_what_is_mounted_are_told_alike_before_and_after_the_app_has_started(is_first: bool) -> None:
    app, sub = FastAPI(), FastAPI()
    if is_first:
        app.mount("/sub", sub)
    Guard(app, APIKeys("sqlite://"))
    if not is_first:
        app.mount("/sub", sub)
    before = [(route.subject, needs) for route, needs in coverage_of(app).routes]
    assert ("GET /sub/docs", Needs.EXEMPT) in before
    assert_guarded(app)
    with TestClient(app) as client:
        assert client.get("/sub/docs").status_code == 200
    assert [(route.subject, needs) for route, needs in coverage_of(app).routes] == before
    assert_guarded(app)


def test_the_pages_of_what_is_mounted_once_the_app_has_started_need_a_key_and_are_told_so() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    Guard(app, APIKeys("sqlite://"))
    with TestClient(app) as client:
        app.mount("/late", FastAPI(docs_url=None, redoc_url=None))
        with pytest.raises(AssertionError, match=r"GET /late/openapi\.json needs a key"):
            assert_guarded(app)
        assert client.get("/late/openapi.json").status_code == 401


def test_the_list_in_the_message_can_be_pasted_and_hides_no_mistake() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_guarded(guarded(), except_for=["GET /gone"])
    assert pasted(raised.value) == ["GET /health", "GET /me"]
    assert_guarded(guarded(), except_for=pasted(raised.value))
    with pytest.raises(AssertionError) as raised:
        assert_guarded(site())
    assert pasted(raised.value) == ["GET /health"], "the other one is to be mended"
