"""`fresh=` of the middleware, and what `requires(..., fresh=True)` holds against: sockets, mix-ups."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, ConfigurationError, Outcome, requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.frameworks.contract import unreadable
from tests.frameworks.test_starlette import ROUTES


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says nothing, to everybody."""
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status(app: ASGIApp, path: str, secret: str, **entries: Any) -> int:
    return (await ask(app, http_scope(path, bearer(secret), **entries))).status_code


async def test_fresh_paths_go_by_the_database_and_others_by_what_may_be_believed(
    blind: APIKeys, keys: APIKeys, issuance: Issuance
) -> None:
    fresh = APIKeyMiddleware(
        app, blind, fresh=["/payments/*", lambda scope: scope.get("method") == "DELETE"], optional=True
    )
    secret = issuance.uploader.secret
    assert await status(fresh, "/other", secret) == 200
    await keys.deactivate(issuance.uploader.key.id, wait="commit")
    assert await status(fresh, "/other", secret) == 200, "the lease holds: is this test about anything?"
    response = await ask(fresh, http_scope("/payments/1", bearer(secret)))
    assert (response.status_code, response.json()["code"]) == (401, "key_deactivated")
    assert response.headers["www-authenticate"].startswith("Bearer ")
    secret = issuance.anywhere.secret
    assert await status(fresh, "/other", secret) == 200
    await keys.delete(issuance.anywhere.key.id, wait="commit")
    assert await status(fresh, "/other", secret) == 200
    assert await status(fresh, "/other", secret, method="DELETE") == 401
    assert (await ask(fresh, http_scope("/payments/1"))).status_code == 200, "optional, and no key came"


async def test_a_socket_on_a_fresh_path_is_denied(blind: APIKeys, keys: APIKeys, issuance: Issuance) -> None:
    fresh = APIKeyMiddleware(app, blind, fresh=["/live"])
    secret = issuance.uploader.secret
    assert await status(fresh, "/other", secret) == 200
    await keys.deactivate(issuance.uploader.key.id, wait="commit")
    async with Connection(fresh, websocket_scope("/live", bearer(secret))) as connection:
        connection.give("websocket.connect")
        assert (await connection.answer()).status_code == 401


async def test_a_fresh_path_answers_503_where_the_database_does_not(blind: APIKeys, issuance: Issuance) -> None:
    fresh = APIKeyMiddleware(app, blind, fresh=["/payments"])
    assert await status(fresh, "/other", issuance.uploader.secret) == 200
    with unreadable(blind):
        assert await status(fresh, "/other", issuance.uploader.secret) == 200
        response = await ask(fresh, http_scope("/payments", bearer(issuance.uploader.secret)))
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0


async def test_verify_can_go_by_the_database(blind: APIKeys, keys: APIKeys, issuance: Issuance) -> None:
    secret = issuance.uploader.secret
    assert (await blind.verify(secret)).valid
    await keys.deactivate(issuance.uploader.key.id, wait="commit")
    assert (await blind.verify(secret)).valid
    assert (await blind.verify(secret, fresh=True)).outcome is Outcome.DEACTIVATED
    assert (await blind.verify(secret)).outcome is Outcome.DEACTIVATED, "what has been read is remembered"


async def test_an_open_socket_whose_messages_are_judged_anew_is_closed(
    blind: APIKeys, keys: APIKeys, issuance: Issuance
) -> None:
    protected = APIKeyMiddleware(Starlette(routes=ROUTES), blind)
    scope = websocket_scope("/fresh-messages", bearer(issuance.uploader.secret))
    async with Connection(protected, scope) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["type"] == "websocket.accept"
        connection.give("websocket.receive", text="ping")
        assert (await connection.take())["text"] == "pong"
        await keys.deactivate(issuance.uploader.key.id, wait="commit")
        connection.give("websocket.receive", text="ping")
        close = await connection.take()
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 3000, "key_deactivated")
        connection.give("websocket.disconnect", code=3000)
        await connection.end()


async def test_a_task_of_another_request_does_not_lend_its_caller(keys: APIKeys, issuance: Issuance) -> None:
    """A task that one request began serves another: the permissions must not be those of the first one's key."""
    jobs: asyncio.Queue[tuple[Scope, Receive, Send]] = asyncio.Queue()
    outcomes: asyncio.Queue[object] = asyncio.Queue()
    tasks = []

    @requires("FILE_UPLOAD", fresh=True)
    async def upload(scope: Scope, receive: Receive, send: Send) -> None:
        outcomes.put_nowait("ran")

    async def work() -> None:
        try:
            await upload(*(await jobs.get()))
        except ConfigurationError as failure:
            outcomes.put_nowait(failure)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begin":
            tasks.append(asyncio.create_task(work()))
        else:
            jobs.put_nowait((scope, receive, send))
            outcomes.put_nowait(await outcomes.get())
        await app(scope, receive, send)

    protected = APIKeyMiddleware(serve, keys)
    assert await status(protected, "/begin", issuance.uploader.secret) == 200
    assert await status(protected, "/", issuance.reader.secret) == 200
    assert isinstance(outcomes.get_nowait(), ConfigurationError)
    await asyncio.gather(*tasks)


def test_bad_fresh_paths_are_refused_by_name(keys: APIKeys) -> None:
    with pytest.raises(BadInputError, match="fresh: 'payments' must begin with"):
        APIKeyMiddleware(app, keys, fresh=["payments"])
    with pytest.raises(BadInputError, match="fresh must be a list"):
        APIKeyMiddleware(app, keys, fresh="/payments")
