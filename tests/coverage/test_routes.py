"""What each framework's app tells of its routes is what its requests come to."""

import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import SecurityScopes
from litestar import Litestar, websocket_listener
from litestar import get as litestar_get
from litestar.di import NamedDependency, Provide
from quart import Blueprint, Quart
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from gatepost import Admin, APIKeyMiddleware, APIKeys, PermissionsFirst, Readiness, requires
from gatepost.coverage import Needs, coverage_of, prove
from tests.frameworks import test_bare, test_django, test_fastapi, test_litestar, test_quart, test_starlette
from tests.frameworks.contract import ran

keys = APIKeys("sqlite:///nothing-is-opened.db")
FRAMEWORKS: Sequence[Any] = (test_fastapi, test_litestar, test_quart, test_django, test_starlette)


def needs_in(app: Any) -> dict[str, str]:
    """By route, what a caller needs; `PERMISSIONS` as their names."""
    return {
        route.subject: "+".join(sorted(name for check in route.checks for name in check.all_of | check.any_of))
        if needs is Needs.PERMISSIONS
        else needs.name
        for route, needs in coverage_of(app).routes
    }


async def answer(request: Request) -> Response:
    return PlainTextResponse("")


@requires("FILE_UPLOAD")
async def upload(request: Request) -> Response:
    return PlainTextResponse("")


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda module: module.__name__.rpartition("_")[2])
async def test_every_route_of_a_frameworks_contract_is_told_as_it_answers_and_a_request_proves_it(
    framework: Any,
) -> None:
    contract = framework.TestContract
    app = APIKeyMiddleware(contract.app(), keys, exempt=["/me"])
    looked = coverage_of(app)
    told = needs_in(app)
    for method, path in (each.split() for each in contract.guarded):
        fits = [
            needs
            for (route, needs) in looked.routes
            if route.kind != "websocket" and route.template.takes(path) and {method, "ANY"} & {*route.methods, "ANY"}
        ]
        assert Needs.PERMISSIONS in fits, path
    for path in contract.sockets if hasattr(contract, "sockets") else ():
        assert told[f"WS {path}"] == "FILE_UPLOAD"
    assert [told[name] for name in told if name.split()[1] == "/me"] == ["EXEMPT"]
    assert [told[name] for name in told if name.split()[1] == "/stream"] == ["KEY"]
    proved = await prove(app, looked)
    assert {proof for route, proof in proved.proofs.items() if route.path != "/me"} == {"refused"}
    assert {proof for route, proof in proved.proofs.items() if route.path == "/me"} == {"let in"}
    assert not [gap for gap in proved.gaps if gap.code == "disproved"]
    assert ran == []


def test_the_templates_are_those_that_usage_is_counted_by() -> None:
    paths = {route.path for framework in FRAMEWORKS for route, _ in coverage_of(framework.TestContract.app()).routes}
    assert {"/within/{path}", "/within/<path:path>", "/assets/{folder}", "/mounted/upload"} <= paths


def test_a_bare_app_is_said_to_tell_of_nothing_and_one_that_is_guarded_as_a_whole_to_be_so() -> None:
    @requires("FILE_UPLOAD")
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None: ...

    bare = coverage_of(APIKeyMiddleware(test_bare.app, keys))
    assert [(route.subject, needs) for route, needs in bare.routes] == [("APP /*", Needs.KEY)]
    assert bare.gaps[0].code == "opaque"
    assert needs_in(APIKeyMiddleware(guarded, keys)) == {"APP /*": "FILE_UPLOAD"}


def test_mounts_hosts_and_routers_within_each_other_are_looked_through(tmp_path: Any) -> None:
    class Things(HTTPEndpoint):
        @requires("OBJECTS_LIST")
        async def get(self, request: Request) -> Response:
            return await answer(request)

        async def post(self, request: Request) -> Response:
            return await answer(request)

    class Feed(WebSocketEndpoint):
        @requires("OBJECTS_FETCH")
        async def on_connect(self, websocket: WebSocket) -> None: ...

    inner = Starlette(routes=[Route("/x/{id:int}", upload), WebSocketRoute("/feed", Feed)])
    app = Starlette(
        routes=[
            Mount("/a/{tenant}", routes=[Mount("/b", inner)]),
            Mount("/static", StaticFiles(directory=tmp_path)),
            Host("api.example.org", Starlette(routes=[Route("/things", Things)])),
            Mount("/keys", Admin(keys)),
            Route("/ready", Readiness(keys)),
        ],
        middleware=[Middleware(PermissionsFirst), Middleware(APIKeyMiddleware, keys=keys)],
    )
    assert needs_in(app) == {
        "GET /a/{tenant}/b/x/{id}": "FILE_UPLOAD",
        "WS /a/{tenant}/b/feed": "OBJECTS_FETCH",
        "APP /static/*": "KEY",
        "GET api.example.org/things": "OBJECTS_LIST",
        "POST api.example.org/things": "KEY",
        "APP /keys/*": "OWN",
        "ANY /ready": "OWN",
    }
    assert "ACCESS_MANAGE" in coverage_of(app).asked, "Admin asks for it"


def test_a_websocket_is_guarded_by_what_is_asked_as_it_connects() -> None:
    class Feed(WebSocketEndpoint):
        async def on_connect(self, websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text("everything")

        @requires("OBJECTS_LIST")
        async def on_receive(self, websocket: WebSocket, data: Any) -> None: ...

    looked = coverage_of(APIKeyMiddleware(Starlette(routes=[WebSocketRoute("/feed", Feed)]), keys))
    ((route, needs),) = looked.routes
    assert needs is Needs.KEY
    assert route.handler.endswith("Feed.on_connect")
    assert [gap.code for gap in looked.gaps if gap.code != "unasked"] == ["key_only"]
    assert "OBJECTS_LIST" in looked.asked, "of messages"

    @websocket_listener("/listener")
    @requires("OBJECTS_LIST")
    async def listener(data: str) -> str:
        return data

    @websocket_listener("/guarded", guards=[requires("FILE_MOVE")])
    @requires("OBJECTS_LIST")
    async def guarded(data: str) -> str:
        return data

    site: Any = Litestar([listener, guarded], openapi_config=None)
    assert needs_in(APIKeyMiddleware(site, keys)) == {"WS /listener": "KEY", "WS /guarded": "FILE_MOVE"}


def test_fastapis_dependencies_count_those_of_routers_too_and_those_that_are_overridden_do_not() -> None:
    may_list = requires("OBJECTS_LIST")
    router = APIRouter(dependencies=[Depends(may_list)])

    @router.get("/items/{number}")
    def items(number: int) -> None: ...

    @router.websocket("/feed")
    async def feed(websocket: WebSocket) -> None: ...

    outer = APIRouter(prefix="/v1", dependencies=[Depends(requires("FILE_MOVE"))])
    outer.include_router(router, prefix="/in")
    app = FastAPI(dependencies=[Depends(requires("FILE_UPLOAD"))], openapi_url=None)
    app.include_router(outer)
    app.add_middleware(APIKeyMiddleware, keys=keys)
    both = "FILE_MOVE+FILE_UPLOAD+OBJECTS_LIST"
    assert needs_in(app) == {"GET /v1/in/items/{number}": both, "WS /v1/in/feed": both}
    app.dependency_overrides[may_list] = lambda: None
    assert set(needs_in(app).values()) <= {"FILE_MOVE+FILE_UPLOAD", both}
    assert "OBJECTS_LIST" not in needs_in(app)["GET /v1/in/items/{number}"]


def test_a_middleware_counts_for_what_is_behind_it_and_for_nothing_else() -> None:
    def around(app: ASGIApp, which: APIKeys) -> ASGIApp:
        return APIKeyMiddleware(app, which)

    guarded = Starlette(routes=[Route("/x", answer)], middleware=[Middleware(APIKeyMiddleware, keys=keys)])
    by_factory = Starlette(
        routes=[Route("/x", answer)],
        middleware=[Middleware(around, which=keys)],
    )

    def closing(app: ASGIApp) -> ASGIApp:
        async def around(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

        return around

    app = Starlette(
        routes=[
            Mount("/in", guarded),
            Mount("/made", by_factory),
            Mount("/closed", closing(APIKeyMiddleware(Starlette(routes=[Route("/x", answer)]), keys))),
            Mount("/out", Starlette(routes=[Route("/x", answer), Route("/y", upload)])),
            Route("/own", answer, middleware=[Middleware(APIKeyMiddleware, keys=keys)]),
        ]
    )
    assert needs_in(app) == {
        "GET /in/x": "KEY",
        "GET /made/x": "KEY",
        "GET /closed/x": "KEY",
        "GET /out/x": "OPEN",
        "GET /out/y": "OPEN",
        "GET /own": "KEY",
    }


def test_what_a_handler_may_call_or_not_does_not_guard_it() -> None:
    @requires("FILE_DELETE")
    async def delete(request: Request) -> Response:
        return PlainTextResponse("")

    async def item(request: Request) -> Response:
        return await (delete if request.method == "DELETE" else answer)(request)

    def either(first: Any, second: Any) -> Any:
        async def one(*args: Any, **kwargs: Any) -> Any:
            return await (first if "x" in kwargs else second)(*args, **kwargs)

        return one

    def hiding(handler: Any) -> Any:
        async def hidden(*args: Any, **kwargs: Any) -> Any:
            return await handler(*args, **kwargs)

        return hidden

    routes = [Route("/item", item), Route("/either", either(upload, answer)), Route("/hidden", hiding(hiding(upload)))]
    app = APIKeyMiddleware(Starlette(routes=routes), keys)
    assert needs_in(app) == {"GET /item": "KEY", "GET /either": "KEY", "GET /hidden": "FILE_UPLOAD"}


def test_what_a_wrapper_of_the_app_may_call_or_not_guards_no_route_within() -> None:
    @requires("FILE_DELETE")
    async def audit(scope: Scope, receive: Receive, send: Send) -> None: ...

    api = APIKeyMiddleware(Starlette(routes=[Route("/me", answer)]), keys)

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await (audit if scope["path"] == "/audit" else api)(scope, receive, send)

    assert needs_in(outer)["GET /me"] == "KEY"
    guarded = requires("FILE_MOVE")(outer)
    assert needs_in(APIKeyMiddleware(guarded, keys))["GET /me"] == "FILE_MOVE", "all that goes there is asked"


class Switch:
    """Hands requests to one of two apps."""

    def __init__(self, api: ASGIApp, metrics: Any) -> None:
        self.api, self.metrics = api, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.metrics if scope["path"] == "/metrics" else self.api)(scope, receive, send)


class Beside(Switch):
    """The same, as middlewares call their app."""

    def __init__(self, app: ASGIApp, metrics: Any) -> None:
        self.app, self.others = app, {"/metrics": metrics}


def in_function(api: ASGIApp, metrics: ASGIApp) -> ASGIApp:
    async def helper(send: Send, status: int, text: str) -> None: ...

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/none":
            await helper(send, 404, "none")
        await (metrics if scope["path"] == "/metrics" else api)(scope, receive, send)

    return outer


@pytest.mark.parametrize("wrap", [Switch, Beside, in_function], ids=["an instance", "beside its app", "a function"])
def test_a_bare_app_that_a_wrapper_holds_beside_a_frameworks_is_told(wrap: Any) -> None:
    async def metrics(scope: Scope, receive: Receive, send: Send) -> None: ...

    async def metrics_of_own_names(s: Scope, r: Receive, se: Send) -> None: ...

    api = Starlette(routes=[Route("/x", upload)])
    looked = coverage_of(wrap(APIKeyMiddleware(api, keys), metrics))
    assert [(route.subject, needs) for route, needs in looked.routes] == [
        ("GET /x", Needs.PERMISSIONS),
        ("APP /*", Needs.OPEN),
    ]
    assert [gap.subject for gap in looked.gaps if gap.code == "open"] == ["APP /*"]
    assert needs_in(APIKeyMiddleware(wrap(api, metrics), keys)) == {"GET /x": "FILE_UPLOAD", "APP /*": "KEY"}
    assert needs_in(wrap(api, requires("FILE_MOVE")(metrics)))["APP /*"] == "OPEN"
    if wrap is not in_function:
        assert needs_in(wrap(APIKeyMiddleware(api, keys), metrics_of_own_names))["APP /*"] == "OPEN"
    second = Starlette(routes=[Route("/y", answer)])
    assert needs_in(wrap(APIKeyMiddleware(api, keys), second)) == {"GET /x": "FILE_UPLOAD", "GET /y": "OPEN"}


def test_only_dependencies_that_run_count() -> None:
    @requires("FILE_UPLOAD")
    async def may_upload() -> str:
        return ""

    @litestar_get("/asks", dependencies={"how": Provide(may_upload)})
    async def asks(how: NamedDependency[str]) -> str:
        return how

    @litestar_get("/does-not", dependencies={"how": Provide(may_upload)})
    async def does_not() -> str:
        return ""

    site: Any = Litestar([asks, does_not], openapi_config=None)
    assert needs_in(APIKeyMiddleware(site, keys)) == {"GET /asks": "FILE_UPLOAD", "GET /does-not": "KEY"}


def test_scopes_that_fastapi_hands_to_a_dependency_count() -> None:
    class Scoped:
        goes_by_scopes = True

        async def __call__(self, security_scopes: SecurityScopes) -> None: ...

    scoped = Scoped()

    async def outer(inner: Annotated[None, Security(scoped, scopes=["FILE_MOVE"])]) -> None: ...

    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Security(outer, scopes=["FILE_RENAME"])])(upload_nothing)
    app.get("/y", dependencies=[Security(scoped, scopes=["FILE_DELETE"])])(upload_nothing)
    told = needs_in(APIKeyMiddleware(app, keys))
    assert told == {"GET /x": "FILE_MOVE+FILE_RENAME", "GET /y": "FILE_DELETE"}


async def upload_nothing() -> None: ...


async def test_what_quart_runs_before_its_views_counts_for_its_blueprint_alone() -> None:
    app, blueprint = Quart(__name__, static_folder=None), Blueprint("files", __name__, url_prefix="/files")

    async def view() -> str:
        return ""

    blueprint.before_request(requires("OBJECTS_LIST")(view))
    blueprint.add_url_rule("/x", view_func=view)
    app.register_blueprint(blueprint)
    app.add_url_rule("/y", view_func=view)
    app.asgi_app = APIKeyMiddleware(app.asgi_app, keys)  # type: ignore[method-assign,assignment,arg-type]  # Quart's docs
    assert needs_in(app) == {"GET /files/x": "OBJECTS_LIST", "GET /y": "KEY"}
    assert set((await prove(app, coverage_of(app))).proofs.values()) == {"refused"}  # type: ignore[arg-type]


def test_routers_with_middlewares_of_their_own_and_files_of_fastapi_are_seen(tmp_path: Any) -> None:
    (tmp_path / "index.html").write_text("")
    router = Router(routes=[Route("/x", answer)], middleware=[Middleware(APIKeyMiddleware, keys=keys)])
    app = FastAPI(openapi_url=None)
    app.frontend("/ui", directory=str(tmp_path))
    inner, outer = APIRouter(dependencies=[Depends(requires("FILE_MOVE"))]), APIRouter()
    inner.frontend("/deep", directory=str(tmp_path))
    outer.include_router(inner, prefix="/in")
    app.include_router(outer, prefix="/v1")
    site = Starlette(routes=[Mount("/r", router), Mount("/f", APIKeyMiddleware(app, keys))])
    assert needs_in(site) == {"GET /r/x": "KEY", "APP /f/ui/*": "KEY", "APP /f/v1/in/deep/*": "FILE_MOVE"}
    assert len(coverage_of(site).routes) == 3


def test_the_app_that_a_router_falls_back_to_is_looked_into() -> None:
    app = Starlette(routes=[Route("/x", upload)])
    app.router.default = Starlette(routes=[Route("/y", answer)])
    assert needs_in(APIKeyMiddleware(app, keys)) == {"GET /x": "FILE_UPLOAD", "GET /y": "KEY"}


def test_apps_that_know_each_other_end_the_search() -> None:
    class Round:
        app: Any

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    around = Round()
    around.app = around
    assert needs_in(around) == {"APP /*": "OPEN"}
    layers: list[Any] = []

    def layer(number: int) -> ASGIApp:
        async def one(scope: Scope, receive: Receive, send: Send) -> None:
            await held[number](scope, receive, send)

        held = layers
        return one

    layers += [layer(number) for number in range(60)]
    first: Any = layers[0]
    assert needs_in(first) == {"APP /*": "OPEN"}


def test_a_thousand_routes_are_looked_over_in_less_time_than_the_app_takes_to_be_made() -> None:
    began = time.process_time()
    app = FastAPI()
    for number in range(1000):
        app.get(f"/r{number}/{{name}}")(upload)
    app.add_middleware(APIKeyMiddleware, keys=keys, exempt=["/r5/x", "/public/*"])
    made = time.process_time()
    looked = coverage_of(app)
    assert len(looked.routes) == 1004
    assert time.process_time() - made < made - began


def test_what_is_told_of_many_routes_is_not_written_out_as_a_loop_ends() -> None:
    """Before Python 3.13 `asyncio.run` makes the text of its handler of Ctrl-C, and of the task in it, and of what that
    has answered: 24,000 calls for 1,000 routes."""
    looked = coverage_of(
        APIKeyMiddleware(Starlette(routes=[Route(f"/{number}", upload) for number in range(50)]), keys)
    )
    assert len(repr(looked)) < 100


def test_nothing_of_it_is_imported_by_a_program_that_does_not_use_it() -> None:
    code = "import gatepost, sys; from gatepost import *; print('gatepost.coverage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
