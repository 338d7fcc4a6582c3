"""Responses tell a caller whose key ends soon: compiled and in Python, and nothing where nobody asked for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import http_sf
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Rate, requires
from tests.frameworks.connection import ask, bearer, http_scope

pytestmark = pytest.mark.usefixtures("either_way")

DAY = 86400.0
FIELD = "api-key-expires"


async def well(scope: Scope, _receive: Receive, send: Send) -> None:
    """An app of one route, and one that streams."""
    more = scope["path"] == "/stream"
    await send({"type": "http.response.start", "status": 200, "headers": iter([(b"x-app", b"1")])})
    await send({"type": "http.response.body", "body": b"a", "more_body": more})
    if more:
        await send({"type": "http.response.body", "body": b"b"})


@pytest.fixture
async def opened(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Open keys, made after it was chosen how hits run."""
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


async def told(app: Any, secret: str, path: str = "/") -> list[str | None]:
    """What two requests are told: the first one asks the database, the second is a memory hit."""
    answers = [await ask(app, http_scope(path, bearer(secret))) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert all(each.headers["x-app"] == "1" for each in answers)
    return [each.headers.get(FIELD) for each in answers]


async def test_a_response_tells_when_the_key_ends_once_that_is_near(opened: APIKeys) -> None:
    app = APIKeyMiddleware(well, opened, expiry_notice=14 * DAY)
    ends = datetime.now(UTC) + timedelta(days=10)
    near = await opened.create("near", expires_at=ends)
    bounded = await opened.create("near", expires_at=ends, allow=["127.0.0.0/8"], limits=[Rate(100, per=60)])
    far = await opened.create("far", expires_at=datetime.now(UTC) + timedelta(days=15))
    never = await opened.create("never")
    wanted = f"@{int(ends.timestamp())}"
    parsed: Any = http_sf.parse(wanted.encode(), tltype="item")
    assert parsed[0] == ends.replace(microsecond=0), "a Date of structured fields"
    for path in ("/", "/stream"):
        assert await told(app, near.secret, path) == [wanted] * 2
        assert await told(app, bounded.secret, path) == [wanted] * 2
        assert await told(app, far.secret, path) == [None] * 2
        assert await told(app, never.secret, path) == [None] * 2
    assert await told(APIKeyMiddleware(well, opened), near.secret) == [None] * 2


async def test_who_uses_the_older_secret_is_told_when_that_ends(opened: APIKeys) -> None:
    app = APIKeyMiddleware(well, opened, expiry_notice=DAY)
    older = await opened.create("rotated")
    newer = await opened.rotate(older.key.id, grace=3600.0)
    old = newer.key.old_secret
    assert old is not None
    assert await told(app, older.secret) == [f"@{int(old.expires_at.timestamp())}"] * 2
    assert await told(app, newer.secret) == [None] * 2


async def test_nobody_without_a_key_is_told_anything_and_a_refusal_within_tells(opened: APIKeys) -> None:
    @requires("FILE_MOVE")
    async def move(_request: Request) -> Response:
        return Response()

    guarded = Starlette(routes=[Route("/", move)])
    near = await opened.create("near", expires_at=datetime.now(UTC) + timedelta(hours=1))
    app = APIKeyMiddleware(well, opened, expiry_notice=DAY, exempt=["/free"], optional=True)
    for path in ("/free", "/"):
        assert FIELD not in (await ask(app, http_scope(path, []))).headers
    refused = await ask(APIKeyMiddleware(guarded, opened, expiry_notice=DAY), http_scope("/", bearer(near.secret)))
    assert (refused.status_code, FIELD in refused.headers) == (403, True)
    wrong = await ask(APIKeyMiddleware(well, opened, expiry_notice=DAY), http_scope("/", bearer("gp_wrong")))
    assert (wrong.status_code, FIELD in wrong.headers) == (401, False)


async def test_what_cannot_be_a_time_is_refused(opened: APIKeys) -> None:
    for wrong in (0, -1, float("nan"), float("inf"), True, "14d", timedelta(days=14), 1e12):
        with pytest.raises(BadInputError, match="expiry_notice"):
            APIKeyMiddleware(well, opened, expiry_notice=wrong)  # type: ignore[arg-type]


async def test_without_it_the_app_is_called_as_it_is(opened: APIKeys) -> None:
    plain, noticing = APIKeyMiddleware(well, opened), APIKeyMiddleware(well, opened, expiry_notice=DAY)
    assert plain._serve is well
    assert noticing._serve is not well
