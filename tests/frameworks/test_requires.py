"""`requires` itself: what it can stand on, and which names it takes."""

import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from itertools import permutations
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import (
    DAM,
    APIKeyMiddleware,
    APIKeys,
    BadInputError,
    Catalogue,
    ConfigurationError,
    UnknownPermissionError,
    requires,
)
from gatepost.asgi import refusals
from gatepost.asgi.refusals import COME_FIRST_MAX, connection_of, scope_of
from gatepost.asgi.requires import Requirement
from gatepost.base.errors import PermissionDeniedError
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import ask, bearer, http_scope
from tests.frameworks.contract import ran


class Notes(Catalogue):
    NOTES_READ_ALOUD = "read notes to others"


async def handler() -> str:
    return "ran"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("FILE_UPLAOD", "FILE_UPLOAD"), ("file_upload", "FILE_UPLOAD"), ("NOTES_READ_ALOD", "NOTES_READ_ALOUD")],
)
def test_an_unknown_name_is_an_error_at_decoration_that_tells_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownPermissionError, match=f"Did you mean '{nearest}'"):
        requires(name)
    with pytest.raises(UnknownPermissionError, match=f"Did you mean '{nearest}'"):
        requires("FILE_MOVE", any_of=["FILE_MOVE", name])


def test_a_name_that_resembles_none_is_an_error_without_a_guess() -> None:
    with pytest.raises(UnknownPermissionError) as error:
        requires("zzzzzzzz")
    assert error.value.nearest is None


def test_names_of_any_declared_catalogue_are_taken() -> None:
    requires(Notes.NOTES_READ_ALOUD, "FILE_UPLOAD")(handler)


def test_naming_nothing_or_a_single_text_is_an_error() -> None:
    with pytest.raises(BadInputError, match="names no permission"):
        requires()
    with pytest.raises(BadInputError, match="names no permission"):
        requires(any_of=[])
    with pytest.raises(BadInputError, match="FILE_UPLOAD"):
        requires(any_of="FILE_UPLOAD")
    with pytest.raises(BadInputError):
        requires(handler)  # type: ignore[arg-type]  # the brackets forgotten


def test_what_cannot_be_guarded_is_an_error_at_decoration() -> None:
    async def async_generator() -> AsyncIterator[int]:
        yield 1

    def generator() -> Iterator[int]:
        yield 1

    class Endpoint:
        pass

    methods: list[Any] = [staticmethod(handler), classmethod(lambda cls: cls)]
    for each in (async_generator, generator, Endpoint, *methods, "handler"):
        with pytest.raises(BadInputError, match=r"requires\(\) cannot wrap"):
            requires("FILE_UPLOAD")(each)


def test_the_guarded_function_looks_like_the_one_below() -> None:
    def below(folder: str, *, size: int = 1) -> str:
        """Put it there."""
        return folder * size

    guarded = requires("FILE_UPLOAD")(below)
    assert inspect.signature(guarded) == inspect.signature(below)
    assert (guarded.__name__, guarded.__doc__) == ("below", "Put it there.")
    assert not inspect.iscoroutinefunction(guarded)
    assert inspect.iscoroutinefunction(requires("FILE_UPLOAD")(handler))
    assert inspect.iscoroutinefunction(requires("FILE_UPLOAD")(functools.partial(handler)))


class Handler:
    async def __call__(self) -> str:
        return "ran"


@pytest.mark.parametrize("guarded", [requires("FILE_UPLOAD")(handler), requires("FILE_UPLOAD")(Handler())])
async def test_without_the_middleware_it_is_an_error_also_after_a_request_in_the_same_task(
    keys: APIKeys, issuance: Issuance, guarded: Any
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append(await guarded())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with pytest.raises(ConfigurationError, match="APIKeyMiddleware"):
        await guarded()
    # Awaited in this very task: nothing may stay behind in its context.
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: object) -> None:
        sent.append(message)

    await APIKeyMiddleware(app, keys)(http_scope("/", bearer(issuance.uploader.secret)), receive, send)
    assert ran == ["ran"]
    with pytest.raises(ConfigurationError, match="APIKeyMiddleware"):
        await guarded()


async def test_permissions_that_somebody_else_put_there_as_a_list_do_not_count() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append("ran")

    with pytest.raises(ConfigurationError):
        await ask(requires("FILE_UPLOAD")(app), http_scope("/", permissions=["FILE_UPLOAD"]))
    assert ran == []


@pytest.mark.parametrize("secret", ["reader", None])
@pytest.mark.parametrize(
    "foreign",
    [
        requires(Notes.NOTES_READ_ALOUD),
        requires("FILE_UPLOAD", Notes.NOTES_READ_ALOUD),
        requires(any_of=[Notes.NOTES_READ_ALOUD]),
        requires("OBJECTS_LIST", any_of=[Notes.NOTES_READ_ALOUD]),
    ],
)
async def test_a_permission_that_no_key_can_have_is_an_error_that_names_it_and_the_catalogue(
    keys: APIKeys, issuance: Issuance, foreign: Requirement, secret: str | None
) -> None:
    @foreign
    async def in_the_loop(request: Request) -> Response:
        ran.append("ran")
        return Response()

    @foreign
    def in_a_thread(request: Request) -> Response:
        ran.append("ran")
        return Response()

    app = Starlette(routes=[Route("/loop", in_the_loop), Route("/thread", in_a_thread)])
    headers = bearer(issuance.reader.secret) if secret else {}
    for path in ("/loop", "/thread"):
        guarded = APIKeyMiddleware(app, keys, optional=True)
        with pytest.raises(ConfigurationError, match=r"NOTES_READ_ALOUD, which no key can be given: .* DAM "):
            await ask(guarded, http_scope(path, headers))
    assert ran == []


async def test_where_some_key_could_be_let_in_the_others_are_refused(keys: APIKeys, issuance: Issuance) -> None:
    @requires(any_of=[Notes.NOTES_READ_ALOUD, "FILE_UPLOAD"])
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response()(scope, receive, send)

    assert await denial(app, keys, issuance.uploader.secret) is None
    refused = await denial(app, keys, issuance.reader.secret)
    assert refused is not None
    assert refused["required"] == ["FILE_UPLOAD", "NOTES_READ_ALOUD"]


async def test_a_key_of_another_catalogue_that_the_database_has_is_let_in_all_the_same(database: str) -> None:
    """As an app's catalogue shrinks, say: what keys hold counts, not what they could be given now."""

    class Both(Notes, DAM):
        pass

    @requires(Notes.NOTES_READ_ALOUD)
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response()(scope, receive, send)

    async with APIKeys(database, catalogue=Both) as earlier:
        issued = await earlier.create("made earlier", [Notes.NOTES_READ_ALOUD])
    async with APIKeys(database) as later:
        assert await denial(app, later, issued.secret) is None


async def test_permissions_that_somebody_else_put_there_are_judged_without_a_catalogue(
    keys: APIKeys, issuance: Issuance
) -> None:
    guarded = requires(Notes.NOTES_READ_ALOUD)(Response())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await guarded({**scope, "permissions": frozenset({"OBJECTS_LIST"})}, receive, send)

    refused = await denial(app, keys, issuance.reader.secret)
    assert refused is not None
    assert refused["missing"] == ["NOTES_READ_ALOUD"]


async def denial(app: ASGIApp, keys: APIKeys, secret: str) -> dict[str, Any] | None:
    """The body of the 403, or `None` where the app answered."""
    response = await ask(APIKeyMiddleware(app, keys), http_scope("/", bearer(secret)))
    assert response.status_code in {200, 403}
    answer: dict[str, Any] | None = None if response.status_code == 200 else response.json()
    return answer


async def test_all_named_and_one_of_any_of_are_needed(keys: APIKeys) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guarded = requires("FILE_MOVE", "DIR_MOVE", any_of=("FILE_RENAME", "DIR_RENAME"))(app)
    both, alternatives = ["DIR_MOVE", "FILE_MOVE"], ["DIR_RENAME", "FILE_RENAME"]
    cases: list[tuple[list[str], list[str] | None, list[str] | None]] = [
        ([*both, "FILE_RENAME"], None, None),
        ([*both, *alternatives], None, None),
        (["FILE_MOVE", *alternatives], both, ["DIR_MOVE"]),
        ([], both, both),
        (both, alternatives, alternatives),
        ([*both, "FILE_DELETE"], alternatives, alternatives),
    ]
    for permissions, required, missing in cases:
        issued = await keys.create("mover", permissions)
        body = await denial(guarded, keys, issued.secret)
        if required is None:
            assert body is None, permissions
        else:
            assert body is not None
            assert (body["code"], body["required"], body["missing"]) == ("permission_denied", required, missing)
            assert body.get("any_of", False) is (required == alternatives)


async def test_guards_can_be_stacked(keys: APIKeys, issuance: Issuance) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody here may move files")

    stacked = requires("OBJECTS_LIST")(requires("FILE_MOVE")(app))
    body = await denial(stacked, keys, issuance.reader.secret)
    assert body is not None
    assert body["missing"] == ["FILE_MOVE"]


async def test_in_an_unknown_framework_the_refusal_is_an_exception(keys: APIKeys, issuance: Issuance) -> None:
    @requires("FILE_UPLOAD")
    def of_no_framework() -> None:
        ran.append("ran")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        of_no_framework()

    with pytest.raises(PermissionDeniedError, match="permission_denied"):
        await ask(APIKeyMiddleware(app, keys), http_scope("/", bearer(issuance.reader.secret)))
    assert ran == []


async def test_a_dict_among_three_arguments_is_not_taken_for_a_scope(keys: APIKeys, issuance: Issuance) -> None:
    @requires("FILE_UPLOAD")
    async def save(body: dict[str, Any], first: int, second: int) -> None:
        ran.append("ran")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await save({"type": "http", "headers": [], "permissions": frozenset({"FILE_UPLOAD"})}, 1, 2)

    with pytest.raises(PermissionDeniedError):
        await ask(APIKeyMiddleware(app, keys), http_scope("/", bearer(issuance.reader.secret)))
    assert ran == []


class Keeping(Request):
    """A request whose class is met here first."""


class Endpoint(HTTPEndpoint):
    def __init__(self) -> None:
        self.scope = {"type": "http", "of": "endpoint"}


def _requests(kind: type[Request], *scopes: object) -> list[Request]:
    made = [kind({"type": "http", "headers": []}) for _ in scopes]
    for request, scope in zip(made, scopes, strict=True):
        request.scope = scope  # type: ignore[assignment]  # also what is none
    return made


@pytest.fixture
def none_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """No class of connections is remembered."""
    monkeypatch.setattr(refusals, "_come_first", set())


@pytest.mark.usefixtures("none_met")
def test_the_scope_is_that_of_the_first_connection_whatever_was_met_before() -> None:
    first, second, none = _requests(Keeping, {"of": "first"}, {"of": "second"}, None)
    arguments = [
        first,
        second,
        none,
        Endpoint(),
        Response(),
        {"type": "http"},
        "text",
        *_requests(Request, {"of": "r"}),
    ]
    found = []
    for _ in range(2):
        for args in permutations(arguments, 2):
            for given, named in ((args, {}), (args[:1], {"b": args[1]}), ((), dict(zip("ab", args, strict=True)))):
                expected = connection_of(given, named)[1]
                assert scope_of(given, named) is expected
                found.append(expected)
    assert first.scope in found
    assert None in found


@pytest.mark.usefixtures("none_met")
def test_few_classes_are_remembered() -> None:
    for number in range(2 * COME_FIRST_MAX):
        kind = type(f"Request{number}", (Request,), {})
        (request,) = _requests(kind, {"of": number})
        assert scope_of((request,), {}) == scope_of((request,), {}) == {"of": number}
    assert len(refusals._come_first) == COME_FIRST_MAX
