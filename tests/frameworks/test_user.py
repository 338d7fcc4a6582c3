"""`scope["user"]`: the app may write to it where it has to, and nobody else sees that."""

from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any

import pytest
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, SimpleUser, UnauthenticatedUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKey, APIKeyMiddleware, APIKeys
from gatepost.asgi.caller import Caller
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope

Told = Callable[[Scope], Any]


def telling(told: Told) -> ASGIApp:
    """An app that answers what the function finds in its scope."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        text = str(told(scope))
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": text})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


async def over_socket(app: ASGIApp, headers: dict[str, str]) -> str:
    async with Connection(app, websocket_scope("/", headers)) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["type"] == "websocket.accept"
        return str((await connection.take())["text"])


async def over_http(app: ASGIApp, headers: dict[str, str]) -> str:
    return (await ask(app, http_scope("/", headers))).text


def replacing(app: ASGIApp, name: str) -> ASGIApp:
    """What Django Channels' `AuthMiddleware` does to a user that it finds: it writes its own into it."""

    async def replaced(scope: Scope, receive: Receive, send: Send) -> None:
        if "user" not in scope:
            scope["user"] = Caller(UnauthenticatedUser())
        scope["user"]._wrapped = SimpleUser(name)
        await app(scope, receive, send)

    return replaced


@pytest.mark.parametrize("over", [over_socket, over_http])
async def test_what_is_written_to_a_user_is_seen_in_that_scope_alone(
    keys: APIKeys, issuance: Issuance, over: Callable[[ASGIApp, dict[str, str]], Awaitable[str]]
) -> None:
    """A key's user over HTTP is the key itself, which is frozen: there the app has to ask for a user of its own."""
    options: dict[str, Any] = {"optional": True, "user": over is over_socket}
    name = telling(lambda scope: scope["user"].display_name)
    written = APIKeyMiddleware(replacing(name, "anna"), keys, **options)
    for headers in (bearer(issuance.uploader.secret), {}):
        assert await over(written, headers) == "anna"
    plain = APIKeyMiddleware(name, keys, optional=True)
    assert await over(plain, bearer(issuance.uploader.secret)) == "uploader"
    assert await over(plain, {}) == ""


async def test_a_sockets_user_is_equal_to_its_key_and_tells_what_it_tells(keys: APIKeys, issuance: Issuance) -> None:
    def told(scope: Scope) -> Any:
        user, key = scope["user"], scope["api_key"]
        assert isinstance(user, BaseUser)
        assert isinstance(key, APIKey)
        assert (user == key, hash(user) == hash(key), user.is_authenticated, user.identity) == (
            True,
            True,
            True,
            key.id,
        )
        assert user.permissions is key.permissions  # type: ignore[attr-defined]  # what a `Caller` wraps has them
        return HTTPConnection(scope).user.display_name

    assert await over_socket(APIKeyMiddleware(telling(told), keys), bearer(issuance.uploader.secret)) == "uploader"


async def test_a_user_that_is_left_to_the_app_is_not_touched(keys: APIKeys, issuance: Issuance) -> None:
    class Session(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser]:
            return AuthCredentials(), SimpleUser("anna" if conn.scope["type"] else "")

    told = telling(lambda scope: (scope["user"].display_name, scope["api_key"] and scope["api_key"].description))
    inner = APIKeyMiddleware(told, keys, user=False, optional=True)
    app = AuthenticationMiddleware(inner, backend=Session())
    for over in (over_http, over_socket):
        for _ in range(2):  # from the database, then from memory
            assert await over(app, bearer(issuance.uploader.secret)) == str(("anna", "uploader"))
        assert await over(app, {}) == str(("anna", None))
    bare = APIKeyMiddleware(telling(lambda scope: "user" in scope), keys, user=False)
    assert await over_http(bare, bearer(issuance.uploader.secret)) == "False"


def test_a_caller_is_whoever_it_wraps() -> None:
    nobody, anna = Caller(UnauthenticatedUser()), Caller(SimpleUser("anna"))
    assert (nobody.is_authenticated, anna.is_authenticated, anna.display_name) == (False, True, "anna")
    assert anna.username == "anna"
    assert copy(anna)._wrapped is anna._wrapped
    assert "anna" not in repr(nobody)
    with pytest.raises(AttributeError, match="nothing"):
        _ = anna.nothing
