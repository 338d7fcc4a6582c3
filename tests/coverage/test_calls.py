"""What coverage tells of apps that answer many calls at one path: socket.io's events, fields of GraphQL's."""
# mypy: disable-error-code="import-untyped, misc, untyped-decorator"

import inspect
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson
import pytest
import socketio
import strawberry
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.fastapi import GraphQLRouter
from typer.testing import CliRunner

from gatepost import APIKeyMiddleware, APIKeys, requires
from gatepost.asgi.routes import socketio_events
from gatepost.cli.app import app as command
from gatepost.coverage import coverage_of, needs_text, prove
from gatepost.integrations.socketio import Guard
from gatepost.integrations.strawberry import Requires
from gatepost.testing import assert_guarded

keys = APIKeys("sqlite:///nothing-is-opened.db")


def told(app: Any) -> dict[str, str]:
    """By what it is called, what a caller needs."""
    return {route.subject: needs_text(route, needs) for route, needs in coverage_of(app).routes}


def line_of(function: Any) -> str:
    code = inspect.unwrap(function).__code__
    return f"{Path(code.co_filename).relative_to(Path.cwd())}:{code.co_firstlineno}"


async def me(request: Any) -> Response:
    return Response(str(request))


async def uploaded(sid: str) -> str:
    return sid


async def listed(sid: str) -> str:
    return sid


class Chat(socketio.AsyncNamespace):
    @requires("OBJECTS_LIST")
    async def on_connect(self, sid: str, environ: Any) -> None: ...

    async def on_disconnect(self, sid: str) -> None: ...

    async def on_say(self, sid: str) -> None: ...

    @requires("FILE_MOVE")
    def on_move(self, sid: str) -> None: ...


def events(*, guarded: bool = True) -> Any:
    sio = socketio.AsyncServer(async_mode="asgi")
    if guarded:
        Guard(sio)
    sio.on("upload")(requires("FILE_UPLOAD")(uploaded))
    sio.on("list")(listed)
    sio.on("*", namespace="/any")(requires("FILE_DELETE")(uploaded))
    sio.register_namespace(Chat("/chat"))
    return sio


SHOWN = {
    "POST /socket.io/* event connect": "a key",
    "POST /socket.io/* event upload": "FILE_UPLOAD",
    "POST /socket.io/* event list": "a key",
    "POST /socket.io/* event /any connect": "a key",
    "POST /socket.io/* event /any *": "FILE_DELETE",
    "POST /socket.io/* event /chat connect": "OBJECTS_LIST",
    "POST /socket.io/* event /chat say": "OBJECTS_LIST",
    "POST /socket.io/* event /chat move": "OBJECTS_LIST, FILE_MOVE",
}


def bare() -> Any:
    return APIKeyMiddleware(socketio.ASGIApp(events()), keys)


def mounted() -> Any:
    app = FastAPI(openapi_url=None)
    app.mount("/socket.io", socketio.ASGIApp(events(), socketio_path=""))
    return APIKeyMiddleware(app, keys)


@pytest.mark.parametrize("make", [bare, mounted])
async def test_events_are_told_each_with_what_it_asks(make: Any) -> None:
    assert told(make()) == SHOWN
    proved = await prove(make(), coverage_of(make()))
    assert {gap.code for gap in proved.gaps} == {"key_only"}
    if make is mounted:
        assert set(proved.proofs.values()) == {"refused"}


async def open_to_all(sid: str, environ: Any) -> None: ...


def shadowed() -> Any:
    """Functions for all namespaces, which socket.io calls before the methods of a class."""
    sio = events()
    sio.on("connect", namespace="*")(open_to_all)
    sio.on("say", namespace="*")(listed)
    sio.on("upload", namespace="*")(listed)
    return sio


def test_a_function_for_all_namespaces_stands_before_the_methods_of_a_class() -> None:
    shown = told(APIKeyMiddleware(socketio.ASGIApp(shadowed()), keys))
    assert shown["POST /socket.io/* event /chat connect"] == "a key"
    assert shown["POST /socket.io/* event /chat say"] == "a key"
    assert shown["POST /socket.io/* event /chat move"] == "FILE_MOVE"
    assert shown["POST /socket.io/* event upload"] == "FILE_UPLOAD"
    assert shown["POST /socket.io/* event /any *"] == "FILE_DELETE"
    assert "POST /socket.io/* event /any say" not in shown


def test_what_is_there_for_all_namespaces_is_at_the_first_one_too() -> None:
    sio = socketio.AsyncServer(async_mode="asgi")
    Guard(sio)
    sio.on("list", namespace="*")(listed)
    assert told(APIKeyMiddleware(socketio.ASGIApp(sio), keys)) == {
        "POST /socket.io/* event connect": "a key",
        "POST /socket.io/* event list": "a key",
        "POST /socket.io/* event * list": "a key",
    }


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("namespace", ["/", "/any", "/chat", "/elsewhere"])
def test_whoever_socket_io_would_call_is_looked_at(namespace: str, everywhere: bool) -> None:
    sio = shadowed()
    if everywhere:
        sio.on("*", namespace="*")(uploaded)
        sio.register_namespace(Chat("*"))
    found = socketio_events(sio, namespace)
    for event in ("connect", "disconnect", "upload", "list", "say", "move", "nothing"):
        called, _ = sio._get_event_handler(event, namespace, ())
        if called is None:
            held, _ = sio._get_namespace_handler(namespace, ())
            called = getattr(held, f"on_{event}", None)
        is_caught = event not in sio.reserved_events and "*" in found
        assert found.get(event, found["*"] if is_caught else None) == called, event


def test_what_stands_beside_socket_io_is_told_too() -> None:
    app = Starlette(routes=[Route("/me", requires("FILE_MOVE")(me))])
    files = {"/": "index.html", "/static": "./public", "/logo": {"filename": "logo.png", "content_type": "image/png"}}
    both = socketio.ASGIApp(events(), app, static_files=files)
    shown = told(APIKeyMiddleware(both, keys, exempt=["/"]))
    others = {"APP /": "nothing: exempt", "APP /static/*": "a key", "APP /logo": "a key", "GET /me": "FILE_MOVE"}
    assert shown == SHOWN | others


def test_where_nobody_lets_requires_stand_on_events_they_are_not_believed() -> None:
    app = APIKeyMiddleware(socketio.ASGIApp(events(guarded=False)), keys)
    assert told(app) == {"APP /socket.io/*": "a key"}
    assert "opaque" in {gap.code for gap in coverage_of(app).gaps}


def test_an_event_that_asks_for_nothing_is_said_with_its_line_and_how_to_ask() -> None:
    gaps = {gap.subject: gap for gap in coverage_of(bare()).gaps}
    gap = gaps["POST /socket.io/* event list"]
    assert (gap.code, gap.place) == ("key_only", line_of(listed))
    assert gap.remedy.startswith('Put @requires("...") directly on tests.coverage.test_calls.listed')
    assert gaps["POST /socket.io/* event connect"].remedy.startswith("Write a handler of connect with @requires")


def test_a_guard_above_socket_ios_decorator_is_said_with_its_line() -> None:
    sio = socketio.AsyncServer(async_mode="asgi")
    Guard(sio)

    @requires("FILE_UPLOAD")
    @sio.event
    async def upload(sid: str) -> None: ...

    (gap,) = (each for each in coverage_of(APIKeyMiddleware(socketio.ASGIApp(sio), keys)).gaps if each.place)
    assert (gap.code, gap.place) == ("guard_above", line_of(upload))


@strawberry.type
class File:
    name: str

    @strawberry.field(extensions=[Requires("ACCESS_READ")])
    def owner(self) -> str:
        return "x"


@strawberry.type
class Query:
    version: str = "1"

    @strawberry.field(extensions=[Requires("OBJECTS_LIST", any_of=["FILE_MOVE", "FILE_DELETE"])])
    def files(self) -> list[File]:
        return []

    @strawberry.field
    @requires("OBJECTS_FETCH")
    def one_file(self) -> str:
        return "x"

    @strawberry.field
    def everything(self) -> str:
        return "x"


@strawberry.type
class Mutation:
    @Requires("FILE_UPLOAD")
    @strawberry.mutation
    async def upload(self) -> str:
        return "x"


@strawberry.type
class Subscription:
    @strawberry.subscription(extensions=[Requires("FILE_UPLOAD")])
    async def uploads(self) -> AsyncGenerator[int, None]:
        yield 1

    @strawberry.subscription
    async def ticks(self) -> AsyncGenerator[int, None]:
        yield 1


schema = strawberry.Schema(Query, Mutation, Subscription)


def of_fastapi(**options: Any) -> Any:
    app = FastAPI(openapi_url=None)
    app.include_router(GraphQLRouter(schema, **options), prefix="/graphql")
    app.add_middleware(APIKeyMiddleware, keys=keys)
    return app


def of_starlette() -> Any:
    app = Starlette()
    app.mount("/graphql", GraphQL[Any, Any](schema))
    return APIKeyMiddleware(app, keys)


@pytest.mark.parametrize("make", [of_fastapi, of_starlette])
async def test_fields_are_told_each_with_what_it_asks(make: Any) -> None:
    path = "/graphql" if make is of_fastapi else "/graphql/*"
    assert told(make()) == {
        f"POST {path} Query.version": "a key",
        f"POST {path} Query.files": "OBJECTS_LIST, one of FILE_DELETE or FILE_MOVE",
        f"POST {path} Query.oneFile": "OBJECTS_FETCH",
        f"POST {path} Query.everything": "a key",
        f"POST {path} Mutation.upload": "FILE_UPLOAD",
        f"POST {path} File.owner": "ACCESS_READ",
        f"WS {path} Subscription.uploads": "FILE_UPLOAD",
        f"WS {path} Subscription.ticks": "a key",
    }
    proved = await prove(make(), coverage_of(make()))
    assert set(proved.proofs.values()) == {"refused"}


def test_what_the_router_asks_is_asked_of_each_field() -> None:
    shown = told(of_fastapi(dependencies=[Depends(requires("FILE_MOVE"))]))
    assert shown["POST /graphql Query.everything"] == "FILE_MOVE"
    assert shown["POST /graphql Mutation.upload"] == "FILE_MOVE, FILE_UPLOAD"


def test_a_field_that_asks_for_nothing_is_said_with_its_line_and_how_to_ask() -> None:
    (gap,) = (each for each in coverage_of(of_fastapi()).gaps if each.subject == "POST /graphql Query.everything")
    assert gap.code == "key_only"
    assert gap.place == line_of(schema.query.everything)  # type: ignore[attr-defined]
    assert 'extensions=[Requires("...")]' in gap.remedy


def test_events_and_fields_that_ask_for_nothing_fail_a_users_test() -> None:
    with pytest.raises(AssertionError) as error:
        assert_guarded(bare(), except_for=["POST /socket.io/* event connect", "POST /socket.io/* event /any connect"])
    assert str(error.value).splitlines()[1:] == [
        "  POST /socket.io/* event list needs a key",
        "To except these, each where it is meant to ask for none:",
        "  except_for=[",
        '    "POST /socket.io/* event connect",',
        '    "POST /socket.io/* event list",',
        '    "POST /socket.io/* event /any connect",',
        "  ]",
    ]
    with pytest.raises(AssertionError) as error:
        assert_guarded(of_fastapi(), except_for=["POST /graphql Query.version"])
    assert str(error.value).splitlines()[1:3] == [
        "  POST /graphql Query.everything needs a key",
        "  WS /graphql Subscription.ticks needs a key",
    ]


graphql, sockets = of_fastapi(), bare()


def test_the_command_checks_and_tells_them(tmp_path: Path) -> None:
    run, baseline = CliRunner().invoke, tmp_path / "coverage.toml"
    here = f"{__name__}:graphql"
    assert run(command, ["coverage", here, "--write-baseline", str(baseline)]).exit_code == 0
    assert '"POST /graphql Query.everything"' in baseline.read_text()
    assert run(command, ["coverage", here, "--check", str(baseline)]).exit_code == 0
    baseline.write_text(baseline.read_text().replace('  "POST /graphql Query.everything",\n', ""))
    failed = run(command, ["coverage", here, "--check", str(baseline), "--json"])
    assert failed.exit_code == 1
    read = orjson.loads(failed.stdout)
    assert [gap["subject"] for gap in read["new"]] == ["POST /graphql Query.everything"]
    answer = run(command, ["coverage", f"{__name__}:sockets", "--no-keys", "--json"])
    routes = {each["subject"]: each for each in orjson.loads(answer.stdout)["routes"]}
    upload = routes["POST /socket.io/* event upload"]
    assert upload["permissions"] == [{"all_of": ["FILE_UPLOAD"], "any_of": []}]
    assert (upload["path"], upload["call"], upload["needs"]) == ("/socket.io/*", "event upload", "permissions")
