"""What is wrong is said as an app starts, with the line, in whatever framework: nobody has to be refused first."""

import importlib
import inspect
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import socketio  # type: ignore[import-untyped]
from litestar import Controller, Litestar
from litestar import get as litestar_get
from litestar.middleware import DefineMiddleware
from quart import Quart
from quart.views import MethodView
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tests.frameworks import test_django  # it says what Django's settings are, once for all

# isort: split
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.test.utils import override_settings  # type: ignore[import-untyped]
from django.urls import include, path  # type: ignore[import-untyped]
from django.views import View  # type: ignore[import-untyped]
from fastapi import APIRouter, FastAPI, Security
from ninja import NinjaAPI

from gatepost import (
    Admin,
    APIKeyMiddleware,
    APIKeys,
    BadInputError,
    Catalogue,
    ConfigurationError,
    Header,
    Leaks,
    Readiness,
    TemporarySecrets,
    requires,
)
from gatepost.integrations.fastapi import Guard as FastAPIGuard
from gatepost.integrations.litestar import Guard
from gatepost.integrations.socketio import Guard as EventGuard
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import ask, bearer, http_scope
from tests.integrations.test_fastapi import start

assert test_django.__doc__

Letters = Catalogue.of("LettersOfThisTest", {"LETTERS_READ": "read letters"})

urlpatterns: list[Any] = []


def line_of(text: str) -> str:
    """File and line of the first line here that has the text."""
    lines = inspect.getsource(sys.modules[__name__]).splitlines()
    return f"{__file__}:{next(number for number, line in enumerate(lines, 1) if text in line)}: "


async def answer(request: Request) -> Response:
    return Response("done")


class Files(HTTPEndpoint):
    @requires("FILE_MOVE")  # in a class
    async def put(self, request: Request) -> Response:
        return await answer(request)


@requires("FILE_UPLOAD")  # of Starlette
async def upload(request: Request) -> Response:
    return Response("done")


@requires(any_of=["FILE_UPLOAD", "LETTERS_READ"])
async def read(request: Request) -> Response:
    return Response("done")


def starlette(**options: Any) -> Starlette:
    within = Starlette(routes=[Route("/upload", upload)])
    return Starlette(routes=[Route("/files", Files), Route("/read", read), Mount("/in", within)], **options)


def wrapped(database: str) -> Any:
    return APIKeyMiddleware(starlette(), APIKeys(database, catalogue=Letters))


def added(database: str) -> Any:
    return starlette(middleware=[Middleware(APIKeyMiddleware, keys=APIKeys(database, catalogue=Letters))])


@pytest.mark.parametrize("make", [wrapped, added])
def test_a_permission_that_no_key_can_have_is_said_at_start_by_starlette(database: str, make: Any) -> None:
    said = start(make(database)).splitlines()
    foreign = "which no key can be given: the keys' catalogue LettersOfThisTest does not have it."
    assert len(said) == 2
    assert said[0].startswith(f"{line_of('# in a class')}/files asks for FILE_MOVE, {foreign}")
    assert said[1].startswith(f"{line_of('# of Starlette')}/in/upload asks for FILE_UPLOAD, {foreign}")


@pytest.mark.parametrize("on", ["dir:/{path}", ["dir:/{path}", "dir:/all"], lambda _: "dir:/all", ()])
def test_beside_a_route_that_says_what_it_touches_the_others_are_looked_at_too(database: str, on: Any) -> None:
    @requires("LETTERS_READ", on=on)
    async def within(request: Request) -> Response:
        raise AssertionError(request)

    @requires("FILE_MOVE", on=on)
    async def foreign(request: Request) -> Response:
        raise AssertionError(request)

    app = Starlette(routes=[Route("/within/{path}", within), Route("/foreign/{path}", foreign)])
    said = start(APIKeyMiddleware(app, APIKeys(database, catalogue=Letters)))
    assert "/foreign/{path} asks for FILE_MOVE, which no key can be given" in said


def test_what_is_as_it_should_be_starts(database: str) -> None:
    assert start(APIKeyMiddleware(starlette(), APIKeys(database))) == ""


def quart() -> Quart:
    app = Quart(__name__)

    @requires("FILE_UPLOAD")  # above Quart's
    @app.get("/above")
    async def above() -> str:
        return "done"

    @app.get("/below")  # guarded in Quart
    @requires("FILE_UPLOAD")
    async def below() -> str:
        return "done"

    class Shelf(MethodView):
        decorators = [requires("FILE_MOVE")]  # noqa: RUF012 - as in Quart's documentation

        async def get(self) -> str:
            return "done"

    app.add_url_rule("/shelf", view_func=Shelf.as_view("shelf"))
    return app


def around(app: Any, keys: APIKeys) -> Any:
    return APIKeyMiddleware(app, keys)


def inside(app: Quart, keys: APIKeys) -> Any:
    app.asgi_app = APIKeyMiddleware(app.asgi_app, keys)  # type: ignore[method-assign, assignment, arg-type]
    return app


@pytest.mark.parametrize("put", [around, inside])
def test_a_guard_above_quarts_decorator_is_said_at_start(database: str, put: Any) -> None:
    (said,) = start(put(quart(), APIKeys(database))).splitlines()
    assert said.startswith(f"{line_of('# above Quart')}/above asks nobody for FILE_UPLOAD: @requires stands above the")
    said = start(put(quart(), APIKeys(database, catalogue=Letters)))
    assert f"{line_of('# guarded in Quart')}/below asks for FILE_UPLOAD, which no key can be given" in said
    assert "/shelf asks for FILE_MOVE, which no key can be given" in said


def django(database: str, **options: Any) -> str:
    """What keeps it from starting, with views of the framework's own and of Ninja's."""
    api = NinjaAPI(urls_namespace="start", openapi_url=None)

    @requires("FILE_UPLOAD")  # above Ninja's
    @api.get("/above")
    def above(request: Any) -> str:
        return "done"

    @requires("FILE_MOVE")  # a view
    def move(request: Any) -> Any:
        return HttpResponse("done")

    class Shelf(View):  # type: ignore[misc]
        @requires("FILE_DELETE")  # of a view
        def delete(self, _request: Any) -> Any:
            return HttpResponse("done")

    urlpatterns[:] = [
        path("api/", api.urls),
        path("in/", include([path("move", move)])),
        path("shelf", Shelf.as_view()),
    ]
    with override_settings(ROOT_URLCONF=__name__):
        return start(APIKeyMiddleware(get_asgi_application(), APIKeys(database, **options)))


def test_a_guard_above_ninjas_decorator_and_what_no_key_can_have_is_said_at_start_by_django(database: str) -> None:
    (said,) = django(database).splitlines()
    assert said.startswith(f"{line_of('# above Ninja')}/api/above asks nobody for FILE_UPLOAD: @requires stands above")
    said = django(database, catalogue=Letters)
    assert f"{line_of('# a view')}/in/move asks for FILE_MOVE, which no key can be given" in said
    assert f"{line_of('# of a view')}/shelf asks for FILE_DELETE, which no key can be given" in said


def test_an_unknown_scope_is_said_at_start_without_fastapis_guard_too(database: str) -> None:
    app, router = FastAPI(), APIRouter()
    app.add_middleware(APIKeyMiddleware, keys=APIKeys(database))

    @requires("FILE_UPLOAD")
    @router.get("/above")  # above FastAPI's
    async def above() -> None: ...

    @router.get("/wrong", dependencies=[Security(requires, scopes=["FILE_UPLAOD"])])
    async def wrong() -> None: ...

    app.include_router(router, prefix="/api")
    said = start(app)
    assert "/api/wrong: the scope 'FILE_UPLAOD' is no permission. Did you mean 'FILE_UPLOAD'?" in said
    assert "/api/above asks nobody for FILE_UPLOAD" in said


def test_a_guard_above_socket_ios_decorator_is_said_at_start(database: str) -> None:
    sio: Any = socketio.AsyncServer(async_mode="asgi")
    EventGuard(sio)

    @requires("FILE_UPLOAD")  # above socket.io's
    @sio.event  # type: ignore[untyped-decorator]
    async def above(sid: str) -> None: ...

    class Chat(socketio.AsyncNamespace):  # type: ignore[misc]
        @requires("FILE_MOVE")  # in a namespace
        async def on_say(self, sid: str) -> None: ...

    sio.register_namespace(Chat("/chat"))
    for app in (socketio.ASGIApp(sio), Starlette(routes=[Mount("/in", socketio.ASGIApp(sio, socketio_path=""))])):
        (said,) = start(APIKeyMiddleware(app, APIKeys(database))).splitlines()
        assert said.startswith(line_of("# above socket.io's"))
        assert "/ event above asks nobody for FILE_UPLOAD: @requires stands above" in said
        said = start(APIKeyMiddleware(app, APIKeys(database, catalogue=Letters)))
        assert f"{line_of('# in a namespace')}" in said


@litestar_get("/plain", sync_to_thread=False)
def plain() -> str:
    return "done"


@litestar_get("/guarded", guards=[requires("FILE_UPLOAD")])
async def guarded() -> str:  # by a guard
    return "done"


class Shelf(Controller):
    path = "/shelf"

    @litestar_get()
    @requires("FILE_MOVE")  # below Litestar's
    async def take(self) -> str:
        return "done"


def test_a_permission_that_no_key_can_have_is_said_by_litestars_plugin_as_the_app_is_made(database: str) -> None:
    guard = Guard(APIKeys(database, catalogue=Letters))
    for handler, place in ((guarded, '"/guarded", guards'), (Shelf, "# below Litestar's")):
        handlers: list[Any] = [plain, handler]
        with pytest.raises(ConfigurationError, match=r"which no key can be given: .* LettersOfThisTest ") as error:
            Litestar(handlers, plugins=[guard])
        number = int(line_of(place).split(":")[1])
        assert f"{__file__}:{number - (handler is Shelf)}: " in str(error.value)


def test_a_permission_that_no_key_can_have_is_said_at_start_around_litestar(database: str) -> None:
    app: Any = Litestar([plain, guarded, Shelf])
    said = start(APIKeyMiddleware(app, APIKeys(database, catalogue=Letters)))
    assert "/guarded asks for FILE_UPLOAD, which no key can be given" in said
    assert "asks for FILE_MOVE, which no key can be given" in said
    assert len(said.splitlines()) == 2


def test_two_guards_in_one_litestar_are_said_at_once(database: str) -> None:
    first = Guard(APIKeys(database))  # the first one
    with pytest.raises(BadInputError, match=f"made at {line_of('# the first one')[:-2]}: take one of them out"):
        Litestar([plain], plugins=[first, Guard(APIKeys(database))])


def other_around_litestar(keys: APIKeys, other: APIKeys) -> Any:
    return APIKeyMiddleware(Litestar([plain], plugins=[Guard(keys)]), other)  # type: ignore[arg-type]


def other_around_litestars_list(keys: APIKeys, other: APIKeys) -> Any:
    listed: Any = DefineMiddleware(APIKeyMiddleware, keys=keys)  # type: ignore[arg-type]
    return APIKeyMiddleware(Litestar([plain], middleware=[listed]), other)  # type: ignore[arg-type]


def other_around_starlette(keys: APIKeys, other: APIKeys) -> Any:
    return APIKeyMiddleware(APIKeyMiddleware(starlette(), keys), other)


def other_around_a_mount(keys: APIKeys, other: APIKeys) -> Any:
    return APIKeyMiddleware(Starlette(routes=[Mount("/in", APIKeyMiddleware(starlette(), keys))]), other)


def other_around_a_mounted_list(keys: APIKeys, other: APIKeys) -> Any:
    app, within = FastAPI(), FastAPI()
    FastAPIGuard(within, keys)  # the mounted one
    app.mount("/in", within)
    return APIKeyMiddleware(app, other)


def other_around_quart(keys: APIKeys, other: APIKeys) -> Any:
    return around(inside(Quart(__name__), keys), other)


def other_around_django(keys: APIKeys, other: APIKeys) -> Any:
    urlpatterns[:] = []
    with override_settings(ROOT_URLCONF=__name__):
        return APIKeyMiddleware(APIKeyMiddleware(get_asgi_application(), keys), other)


@pytest.mark.parametrize(
    "put",
    [
        other_around_litestar,
        other_around_litestars_list,
        other_around_starlette,
        other_around_a_mount,
        other_around_a_mounted_list,
        other_around_quart,
        other_around_django,
    ],
    ids=lambda put: put.__name__,
)
def test_two_middlewares_with_different_keys_are_said_at_start_with_their_lines(database: str, put: Any) -> None:
    said = start(put(APIKeys(database), APIKeys(database)))
    assert said.startswith("Two APIKeyMiddleware with different keys stand around one app")
    assert f"the outer one is made at {__file__}:" in said
    if put is other_around_a_mounted_list:
        assert f"the inner one at {line_of('# the mounted one').removesuffix(': ')}, of the app at /in." in said
    elif put is other_around_litestars_list:
        assert "the inner one at DefineMiddleware(APIKeyMiddleware, ...)" in said
    else:
        assert f"the inner one at {__file__}:" in said


IN_LISTS = """
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
import gatepost
from gatepost import APIKeyMiddleware, APIKeys

def added():
    app = FastAPI()
    app.add_middleware(APIKeyMiddleware, keys=APIKeys("sqlite:///a.db"))
    app.add_middleware(gatepost.APIKeyMiddleware, keys=APIKeys("sqlite:///b.db"))
    return app

def listed():
    keys = APIKeys("sqlite:///a.db"), APIKeys("sqlite:///b.db")
    return Starlette(middleware=[Middleware(APIKeyMiddleware, keys=one) for one in keys])
"""


def test_what_stands_in_a_list_is_said_with_the_lines_that_may_have_put_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twice_in_lists.py").write_text(IN_LISTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("twice_in_lists")
    lines = " or ".join(f"{tmp_path}/twice_in_lists.py:{number}" for number in (10, 11, 16))
    try:
        for make in (module.added, module.listed):
            said = start(make())
            assert f"the outer one is made at app.add_middleware(APIKeyMiddleware, ...), {lines}, the inner" in said
            assert f"the inner one at app.add_middleware(APIKeyMiddleware, ...), {lines}. Take one" in said
    finally:
        del sys.modules["twice_in_lists"]


def test_a_middleware_that_is_out_of_sight_is_said_too(database: str) -> None:
    class Hidden:
        __slots__ = ("_inner",)

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self._inner(scope, receive, send)

    app: Any = Hidden(APIKeyMiddleware(starlette(), APIKeys(database)))
    assert start(APIKeyMiddleware(app, APIKeys(database))).startswith("Two APIKeyMiddleware with different keys")


def test_an_app_that_is_mounted_is_judged_by_its_own_keys(database: str) -> None:
    within = APIKeyMiddleware(
        Starlette(routes=[Route("/upload", upload)]), APIKeys(database), sources=[Header("X-Other-Key")]
    )
    listed = FastAPI()
    FastAPIGuard(listed, APIKeys(database), sources=[Header("X-Other-Key")])
    listed.get("/files")(requires("FILE_MOVE")(answer))
    app = Starlette(routes=[Mount("/in", within), Mount("/listed", listed)])
    assert start(APIKeyMiddleware(app, APIKeys(database, catalogue=Letters))) == ""


def test_gateposts_own_apps_may_be_mounted_behind_the_same_keys(database: str) -> None:
    keys = APIKeys(database)
    app = FastAPI()
    FastAPIGuard(app, keys)
    owned: list[Any] = [Admin(keys), Leaks(keys), Readiness(keys), TemporarySecrets(keys)]
    for number, own in enumerate(owned):
        app.mount(f"/{number}", own)
    assert start(app) == ""


def test_an_app_that_knows_what_stands_around_it_is_fine(database: str) -> None:
    class Knowing:
        def __init__(self) -> None:
            self.around: Any = None

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await starlette()(scope, receive, send)

    app = Knowing()
    app.around = APIKeyMiddleware(app, APIKeys(database))
    assert start(app.around) == ""


def test_a_function_may_be_one_route_as_it_is_and_another_one_guarded(database: str) -> None:
    app = Starlette(routes=[Route("/open", answer), Route("/guarded", requires("FILE_MOVE")(answer))])
    assert start(APIKeyMiddleware(app, APIKeys(database))) == ""


async def test_where_a_server_has_no_lifespan_it_is_said_at_each_request(database: str, issuance: Issuance) -> None:
    app = APIKeyMiddleware(starlette(), APIKeys(database, catalogue=Letters))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="/files asks for FILE_MOVE"):
            await ask(app, http_scope("/read", bearer(issuance.uploader.secret)))


def test_what_cannot_be_read_keeps_no_app_from_starting(database: str, caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Starlette):
        @property
        def user_middleware(self) -> Any:
            raise KeyError("of a version that nobody knows")

        @user_middleware.setter
        def user_middleware(self, value: Any) -> None:
            self.kept = value

        def build_middleware_stack(self) -> Any:
            return self.router

    caplog.set_level(logging.WARNING)
    assert start(APIKeyMiddleware(Odd(), APIKeys(database))) == ""
    assert "could not be looked over" in caplog.text
