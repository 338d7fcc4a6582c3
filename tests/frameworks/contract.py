"""What holds around every framework: one suite, which each framework's module runs over an app of its own."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, ConfigurationError
from gatepost.base.secret import SecretFormat, new_id
from tests.frameworks.connection import Connection, ask, bearer, client_of, http_scope, websocket_scope

if TYPE_CHECKING:
    from tests.frameworks.conftest import Issuance

ran: list[str] = []
"""Which guarded handlers ran in this test."""

INVENTED = SecretFormat([bytes(32)]).make(new_id())
"""A well-formed secret that no installation made."""


BEYOND = ("a", "b/x", "ab", "a/../b", "a/..", "A/x", "a/%2e%2e/b", "a/..%2fb", "a\\..\\b", "a/\x01/../../b", "../a/x")
"""Paths that are not below `a`, whatever an app makes of them, or are nothing for certain."""


def report(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What `/me` answers in every framework: what the app sees of its caller."""
    key = scope["api_key"]
    return {
        "id": key and key.id,
        "user": scope["user"].display_name,
        "auth": sorted(scope["auth"].scopes),
        "permissions": sorted(scope["permissions"]),
        "headers": sorted(name.decode() for name, _ in scope["headers"]),
    }


def assert_denied(response: httpx2.Response) -> None:
    """The 403 for a caller without FILE_UPLOAD, in full."""
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "title": "Forbidden",
        "status": 403,
        "detail": "The API key lacks a permission that this needs.",
        "message": "The API key lacks a permission that this needs.",
        "code": "permission_denied",
        "required": ["FILE_UPLOAD"],
        "missing": ["FILE_UPLOAD"],
    }
    assert ran == []


async def ask_at(app: ASGIApp, path: str, secret: str) -> httpx2.Response:
    """The response to a GET of that very path, which a client would write otherwise."""

    async def placed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.update(path=path, raw_path=quote(path).encode())
        await app(scope, receive, send)

    async with client_of(placed) as client:
        return await client.get("/", headers=bearer(secret))


class Contract:
    """Subclasses give an app with these routes:

    `/me` answers `report(scope)`; `/stream` sends `one`, waits for the event `scope["gate"]`, and sends `two`; each of
    `guarded` (method and path) needs FILE_UPLOAD, and notes in `ran` that it ran; each of `within` has a path below it,
    and needs FILE_UPLOAD on `dir:/` and that path.
    """

    guarded: ClassVar[Sequence[str]]
    within: ClassVar[Sequence[str]] = ("/within",)

    @staticmethod
    def app() -> ASGIApp:
        """A new app, without the middleware."""
        raise NotImplementedError

    @pytest.fixture
    def protected(self, keys: APIKeys) -> ASGIApp:
        return APIKeyMiddleware(self.app(), keys)

    async def test_the_app_sees_who_calls_and_what_they_may(self, protected: ASGIApp, issuance: "Issuance") -> None:
        async with client_of(protected) as client:
            response = await client.get("/me", headers=bearer(issuance.uploader.secret))
        assert response.status_code == 200
        assert response.json() == {
            "id": issuance.uploader.key.id,
            "user": "uploader",
            "auth": ["FILE_UPLOAD", "OBJECTS_LIST"],
            "permissions": ["FILE_UPLOAD", "OBJECTS_LIST"],
            "headers": ["accept", "accept-encoding", "connection", "host", "user-agent"],
        }

    @pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
    async def test_the_header_with_the_secret_is_kept_from_the_app_unless_strip_is_off(
        self, keys: APIKeys, issuance: "Issuance", name: str
    ) -> None:
        secret = issuance.reader.secret
        headers = {name: f"Bearer {secret}" if name == "Authorization" else secret, "X-Other": "stays"}
        seen = {}
        for strip in (True, False):
            async with client_of(APIKeyMiddleware(self.app(), keys, strip=strip)) as client:
                seen[strip] = (await client.get("/me", headers=headers)).json()["headers"]
        assert name.lower() not in seen[True]
        assert "x-other" in seen[True]
        assert seen[False] == sorted([*seen[True], name.lower()])

    async def test_callers_without_a_usable_key_are_refused(self, protected: ASGIApp, issuance: "Issuance") -> None:
        challenge = 'Bearer realm="api"'
        invalid = f'{challenge}, error="invalid_token", error_description="The API key is not valid."'
        deactivated = f'{challenge}, error="invalid_token", error_description="The API key is deactivated."'
        good = issuance.uploader.secret
        cases: list[tuple[dict[str, str], int, str, str | None]] = [
            ({}, 401, "key_missing", challenge),
            ({"Authorization": "Basic Zm9vOmJhcg=="}, 401, "key_missing", challenge),
            (bearer("nonsense"), 401, "key_invalid", invalid),
            (bearer(good[:-1] + ("a" if good[-1] != "a" else "b")), 401, "key_invalid", invalid),
            (bearer(INVENTED), 401, "key_invalid", invalid),
            ({"X-API-Key": "\xff\xfe"}, 401, "key_invalid", invalid),
            (bearer(issuance.deactivated.secret), 401, "key_deactivated", deactivated),
            ({**bearer(good), "X-API-Key": issuance.reader.secret}, 400, "key_ambiguous", None),
        ]
        for headers, status, code, expected in cases:
            response = await ask(protected, http_scope("/me", headers))
            assert (response.status_code, response.json()["code"]) == (status, code), headers
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers.get("www-authenticate") == expected
            assert response.json()["status"] == status
            assert good not in response.text

    async def test_a_key_that_is_limited_to_resources_is_let_in_where_it_reaches(
        self, protected: ASGIApp, keys: APIKeys, issuance: "Issuance"
    ) -> None:
        limited = await keys.create("within a", ["FILE_UPLOAD"], resources=["dir:/a/*"])
        temporary = await keys.issue_temporary(issuance.uploader.key.id, resources=["dir:/a/*"])
        for place in self.within:
            for secret in (limited.secret, temporary.secret):
                for path in ("a/x", "a/x/y.png", "a//x", "a/./x", "a/x/", "b/../a/x", "a/é"):
                    ran.clear()
                    response = await ask_at(protected, f"{place}/{path}", secret)
                    assert (response.status_code, len(ran)) == (200, 1), (place, path, response.text)
                ran.clear()
                for path in BEYOND:
                    response = await ask_at(protected, f"{place}/{path}", secret)
                    assert (response.status_code, ran) == (403, []), (place, path, response.text)
                    assert response.json().get("missing", ["FILE_UPLOAD"]) == ["FILE_UPLOAD"]
                    assert "dir:" not in response.text, "what the key is limited to is not told"
            for path in ("a/x", *BEYOND):
                response = await ask_at(protected, f"{place}/{path}", issuance.uploader.secret)
                assert response.status_code == 200, "who is not limited is asked nothing"

    async def test_a_route_that_says_nothing_refuses_a_limited_key(
        self, protected: ASGIApp, keys: APIKeys, guarded: str
    ) -> None:
        limited = await keys.create("within a", ["FILE_UPLOAD"], resources=["dir:/a/*", "dir:/*"])
        method, path = guarded.split()
        async with client_of(protected) as client:
            assert_denied(await client.request(method, path, headers=bearer(limited.secret)))
            me = (await client.get("/me", headers=bearer(limited.secret))).json()
        assert (me["permissions"], me["auth"]) == ([], []), "what does not hold everywhere is in neither"

    async def test_a_key_that_is_deactivated_is_refused_from_then_on(
        self, protected: ASGIApp, keys: APIKeys, issuance: "Issuance"
    ) -> None:
        async with client_of(protected) as client:
            headers = bearer(issuance.uploader.secret)
            assert (await client.get("/me", headers=headers)).status_code == 200
            await keys.deactivate(issuance.uploader.key.id)
            assert (await client.get("/me", headers=headers)).json()["code"] == "key_deactivated"

    async def test_a_guarded_route_serves_who_has_the_permission(
        self, protected: ASGIApp, issuance: "Issuance", guarded: str
    ) -> None:
        method, path = guarded.split()
        async with client_of(protected) as client:
            response = await client.request(method, path, headers=bearer(issuance.uploader.secret))
        assert response.status_code in {200, 201}, response.text
        assert ran == [path]

    async def test_a_guarded_route_answers_403_and_does_not_run_for_others(
        self, protected: ASGIApp, issuance: "Issuance", guarded: str
    ) -> None:
        method, path = guarded.split()
        async with client_of(protected) as client:
            assert_denied(await client.request(method, path, headers=bearer(issuance.reader.secret)))

    async def test_a_guarded_route_without_the_middleware_never_runs(
        self, protected: ASGIApp, issuance: "Issuance", guarded: str
    ) -> None:
        method, path = guarded.split()
        async with client_of(self.app()) as bare, client_of(protected) as client:
            assert (await bare.request(method, path)).status_code == 500
            assert (await client.get("/me", headers=bearer(issuance.uploader.secret))).status_code == 200
            assert (await bare.request(method, path)).status_code == 500, "took the caller of the request before"
        assert ran == []

    async def test_a_response_reaches_the_client_chunk_by_chunk(self, protected: ASGIApp, issuance: "Issuance") -> None:
        gate = asyncio.Event()
        async with Connection(
            protected, http_scope("/stream", bearer(issuance.reader.secret), gate=gate)
        ) as connection:
            connection.give("http.request")
            assert (await connection.take())["status"] == 200
            assert (await connection.take())["body"] == b"one"
            gate.set()
            assert (await connection.take())["body"] == b"two"


class FreshContract(Contract):
    """The same, and each of `fresh` (method and path) needs FILE_UPLOAD by `requires(..., fresh=True)`, and notes in
    `ran` that it ran. `stale` (method and path) needs it without."""

    fresh: ClassVar[Sequence[str]]
    stale: ClassVar[str]

    async def test_a_fresh_route_goes_by_the_database_and_another_by_what_may_be_believed(
        self, blind: APIKeys, keys: APIKeys, issuance: "Issuance", fresh: str
    ) -> None:
        """`blind` has a lease and does not look for changes while the test lasts: the rule believes what it holds."""
        headers = bearer(issuance.uploader.secret)
        async with client_of(APIKeyMiddleware(self.app(), blind)) as client:
            for route in (self.stale, fresh):
                response = await client.request(*route.split(), headers=headers)
                assert response.status_code in {200, 201}, response.text
            await keys.deactivate(issuance.uploader.key.id, wait="commit")
            ran.clear()
            response = await client.request(*self.stale.split(), headers=headers)
            assert response.status_code in {200, 201}, "the lease holds: is this test about anything?"
            ran.clear()
            response = await client.request(*fresh.split(), headers=headers)
        assert ran == []
        assert (response.status_code, response.json()["code"]) == (401, "key_deactivated")
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"].startswith('Bearer realm="api", error="invalid_token"')

    async def test_a_fresh_route_goes_by_the_permissions_that_the_key_has_now(
        self, blind: APIKeys, keys: APIKeys, issuance: "Issuance", fresh: str
    ) -> None:
        headers = bearer(issuance.reader.secret)
        async with client_of(APIKeyMiddleware(self.app(), blind)) as client:
            assert_denied(await client.request(*fresh.split(), headers=headers))
            await keys.update(issuance.reader.key.id, permissions=["FILE_UPLOAD"], wait="commit")
            response = await client.request(*fresh.split(), headers=headers)
            assert response.status_code in {200, 201}, response.text
            ran.clear()
            await keys.update(issuance.reader.key.id, permissions=[], wait="commit")
            assert_denied(await client.request(*fresh.split(), headers=headers))

    async def test_a_fresh_route_answers_503_where_the_database_does_not(
        self, blind: APIKeys, issuance: "Issuance", fresh: str
    ) -> None:
        headers = bearer(issuance.uploader.secret)
        async with client_of(APIKeyMiddleware(self.app(), blind)) as client:
            assert (await client.request(*self.stale.split(), headers=headers)).status_code in {200, 201}
            ran.clear()
            with unreadable(blind):
                response = await client.request(*fresh.split(), headers=headers)
        assert ran == []
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert int(response.headers["retry-after"]) > 0

    async def test_a_fresh_route_without_a_caller_is_refused(self, keys: APIKeys, fresh: str) -> None:
        method, path = fresh.split()
        async with client_of(APIKeyMiddleware(self.app(), keys, optional=True)) as client:
            assert_denied(await client.request(method, path))
        async with client_of(self.app()) as bare:
            assert (await bare.request(method, path)).status_code == 500
        assert ran == []


@contextmanager
def unreadable(keys: APIKeys) -> Iterator[None]:
    """The database answers no more."""
    engine = keys._database.engine.sync_engine

    def fail(*_: Any) -> None:
        raise OperationalError("SELECT", None, OSError("gone"))

    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


class SocketContract(Contract):
    """The same, for frameworks that serve WebSockets.

    Each of `sockets` (path) needs FILE_UPLOAD, notes in `ran` that it ran, and answers the text `ping` with `pong`.
    """

    sockets: ClassVar[Sequence[str]]

    async def test_a_guarded_socket_serves_who_has_the_permission(
        self, protected: ASGIApp, issuance: "Issuance", socket: str
    ) -> None:
        async with Connection(protected, websocket_scope(socket, bearer(issuance.uploader.secret))) as connection:
            connection.give("websocket.connect")
            assert (await connection.take())["type"] == "websocket.accept"
            connection.give("websocket.receive", text="ping")
            assert (await connection.take())["text"] == "pong"
            connection.give("websocket.disconnect", code=1000)
        assert ran == [socket]

    async def test_a_socket_is_denied_before_it_is_accepted(
        self, protected: ASGIApp, issuance: "Issuance", socket: str
    ) -> None:
        async with Connection(protected, websocket_scope(socket)) as connection:
            connection.give("websocket.connect")
            response = await connection.answer()
            assert (response.status_code, response.json()["code"]) == (401, "key_missing")
            assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        async with Connection(protected, websocket_scope(socket, bearer(issuance.reader.secret))) as connection:
            connection.give("websocket.connect")
            assert_denied(await connection.answer())
            connection.give("websocket.disconnect", code=1006)
            await connection.end()

    async def test_a_socket_is_closed_with_a_registered_code_where_the_server_cannot_deny(
        self, protected: ASGIApp, issuance: "Issuance", socket: str
    ) -> None:
        lacking = bearer(issuance.reader.secret)
        cases: list[tuple[dict[str, str], int, str]] = [({}, 3000, "key_missing"), (lacking, 3003, "permission_denied")]
        for headers, code, reason in cases:
            async with Connection(protected, websocket_scope(socket, headers, extensions=None)) as connection:
                connection.give("websocket.connect")
                close = await connection.take()
                assert (close["type"], close["code"], close.get("reason")) == ("websocket.close", code, reason)
                connection.give("websocket.disconnect", code=1006)
                await connection.end()
        assert ran == []

    async def test_a_guarded_socket_without_the_middleware_never_runs(self, socket: str) -> None:
        async with Connection(self.app(), websocket_scope(socket)) as connection:
            connection.give("websocket.connect")
            try:
                message = await connection.take()
            except ConfigurationError:
                pass
            else:
                assert message["type"] == "websocket.close" or message["status"] == 500
                assert message.get("code") != 1000
        assert ran == []
