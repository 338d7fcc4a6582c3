"""While an app runs, or is waited for, no variable of gatepost's and no repr shows the caller's secret."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Outcome, Problem, Query, Subprotocol, UnavailableError, requires
from gatepost.base.secret import Presented, digest
from gatepost.database.database import Database
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.frameworks.hidden import frames, places_of


class Looking:
    """An app, and functions of one, that look around whenever they are called."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.looks = 0
        self.found: list[str] = []

    def look(self) -> None:
        self.looks += 1
        self.found += places_of(self.secret)
        self.frames = [frame.f_code.co_qualname for frame in frames()]

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.route(scope, receive, send)

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.secret not in repr((scope, receive, send))
        self.look()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await asyncio.sleep(0)
            self.look()
            await send({"type": "websocket.close"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        self.look()
        await send({"type": "http.response.body", "body": b"b"})

    def of(self, scope: Scope) -> Any:
        """An app's function of the scope."""
        assert scope["headers"] == [(b"host", b"testserver")]
        self.look()

    def on_error(self, scope: Scope, problem: Problem) -> None:
        assert self.secret not in repr((scope, problem))
        self.look()

    def reading(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        """Look around while the database is read, too."""
        read = Database.read_records

        async def watched(database: Database, digests: Any) -> Any:
            self.look()
            if fails:
                raise UnavailableError("The database is away")
            return await read(database, digests)

        monkeypatch.setattr(Database, "read_records", watched)


@pytest.fixture
def looking(issuance: Issuance, monkeypatch: pytest.MonkeyPatch) -> Looking:
    looking = Looking(issuance.uploader.secret)
    looking.reading(monkeypatch)
    return looking


OPTIONS: dict[str, Callable[[Looking], dict[str, Any]]] = {
    "usual": lambda _looking: {},
    "fresh": lambda looking: {"fresh": [looking.of]},
    "project": lambda looking: {"project": lambda scope: looking.of(scope) or "acme"},
    "exempt": lambda _looking: {"exempt": ["/health"]},
    "no end": lambda _looking: {"end_connections": False},
    "uploads": lambda _looking: {"end_uploads": True},
    "no user": lambda _looking: {"user": False},
    "elsewhere": lambda _looking: {"sources": (Query("key"), Subprotocol())},
}


@pytest.mark.parametrize("options", OPTIONS)
async def test_no_variable_holds_the_secret_while_an_app_serves(keys: APIKeys, looking: Looking, options: str) -> None:
    guarded = APIKeyMiddleware(looking.app, keys, **OPTIONS[options](looking))
    secret = looking.secret
    for _ in range(2):  # from the database, then from memory
        scope = http_scope("/", bearer(secret) if options != "elsewhere" else {}, query_string=b"")
        if options == "elsewhere":
            scope["query_string"] = f"key={secret}".encode()
        assert (await ask(guarded, scope)).text == "ab"
        socket = websocket_scope("/", bearer(secret) if options != "elsewhere" else {})
        if options == "elsewhere":
            socket["subprotocols"] = [f"gatepost.key.{secret}"]
        async with Connection(guarded, socket) as connection:
            connection.give("websocket.connect")
            assert (await connection.take())["type"] == "websocket.accept"
            assert (await connection.take())["type"] == "websocket.close"
    assert looking.looks > 8
    assert "APIKeyMiddleware.__call__" in looking.frames, "the middleware's frames were looked at"
    assert looking.found == []


async def test_a_caller_who_is_judged_anew_is_known_by_the_digest_alone(keys: APIKeys, looking: Looking) -> None:
    class App(Looking):
        app = requires("FILE_UPLOAD", fresh=True)(Looking.app)

    inner = App(looking.secret)
    assert (await ask(APIKeyMiddleware(inner.app, keys), http_scope("/", bearer(inner.secret)))).text == "ab"
    assert (inner.found, looking.found) == ([], [])
    assert looking.looks == 2, "it was let in, then judged anew"


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_no_variable_holds_the_secret_of_a_refused_caller(
    keys: APIKeys, issuance: Issuance, monkeypatch: pytest.MonkeyPatch, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    who = {401: issuance.deactivated, 403: issuance.stranger, 503: issuance.uploader}[status]
    looking = Looking(who.secret)
    looking.reading(monkeypatch, fails=status == 503)
    guarded = APIKeyMiddleware(looking.app, keys, project="acme", on_error=looking.on_error)
    assert (await ask(guarded, http_scope("/", bearer(who.secret)))).status_code == status
    assert looking.looks == 2
    assert looking.found == []
    assert who.secret not in caplog.text


async def test_a_secret_in_a_variable_would_be_found(keys: APIKeys, looking: Looking) -> None:
    """What shows that the tests above can fail: the app of before, in a file that is not a test's."""
    held: dict[str, Any] = {}
    exec(compile("async def hold(raw, app, *args):\n    await app(*args)\n", "elsewhere.py", "exec"), held)

    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        await held["hold"](looking.secret.encode(), looking.app, scope, receive, send)

    inner: ASGIApp = holding
    assert (await ask(APIKeyMiddleware(inner, keys), http_scope("/", bearer(looking.secret)))).text == "ab"
    assert set(looking.found) == {"hold: raw"}


def test_what_is_to_be_judged_shows_its_digest_only() -> None:
    presented = Presented(b"\t gp_secret ")
    assert presented.digest == digest(b"gp_secret")
    assert b"gp_secret".decode() not in repr(presented)
    assert not hasattr(presented, "__dict__")
    assert Presented(digest=presented.digest).digest == presented.digest


async def test_a_refusal_after_a_look_at_memory_forgets_the_text(keys: APIKeys, issuance: Issuance) -> None:
    presented = Presented(issuance.deactivated.secret.encode())
    assert (await keys.judge_presented(presented))[0] is Outcome.DEACTIVATED
    assert presented._text is None
