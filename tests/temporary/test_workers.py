"""A parent that changes in one worker, and its temporary secrets in another: nothing is let in on return."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Quota, Rate, requires
from tests.connections.test_ending import echo, judged, opened_socket, opened_stream, ticking
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.freshness.conftest import counted_statements
from tests.keyring.conftest import let_pass
from tests.temporary.conftest import PAGE, MakeWorker

MAY = ["FILE_UPLOAD", "OBJECTS_LIST"]


OPTIONS: list[dict[str, Any]] = [{}, {"exempt": ["/health"]}, {"fresh": ["/"]}, {"end_connections": False}]


class Well:
    """Answers 204, and keeps the scope."""

    scope: Scope

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def code(app: Any, secret: str, **entries: Any) -> str | int:
    headers = bearer(secret) | entries.pop("headers", {})
    answer = await ask(app, http_scope("/", headers, **entries))
    return answer.json()["code"] if answer.content else answer.status_code


async def test_the_scope_tells_the_parent_and_what_is_left(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    template = await keys.templates.create("a widget", MAY)
    issued = await keys.issue_temporary(template.id, permissions=["FILE_UPLOAD"])
    well = Well()
    app = APIKeyMiddleware(well, keys)
    for _ in range(3):
        assert await code(app, issued.secret) == 204
        scope = well.scope
        assert (scope["api_key"].id, scope["permissions"]) == (template.id, {"FILE_UPLOAD"})
        assert (scope["user"].identity, list(scope["auth"].scopes)) == (template.id, ["FILE_UPLOAD"])
        assert issued.secret not in repr(scope), "nor in the headers"
    guarded = APIKeyMiddleware(requires("OBJECTS_LIST")(well.__call__), keys)
    assert await code(guarded, issued.secret) == "permission_denied"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("entries", [100, 0])
async def test_all_that_ends_or_narrows_a_parent_holds_in_every_worker_on_return(
    worker: MakeWorker, options: dict[str, Any], entries: int
) -> None:
    here: APIKeys = await worker()
    there: APIKeys = await worker(memory_entries=entries)
    well = Well()
    app = APIKeyMiddleware(well, there, **options)
    template = await here.templates.create("a widget", MAY)
    issued = await here.issue_temporary(template.id)
    for _ in range(2):
        assert await code(app, issued.secret) == 204
    await here.templates.update(template.id, permissions=["OBJECTS_LIST"])
    assert await code(app, issued.secret) == 204
    assert well.scope["permissions"] == {"OBJECTS_LIST"}
    await here.templates.deactivate(template.id)
    assert await code(app, issued.secret) == "key_deactivated"
    await here.templates.activate(template.id)
    await there._opened().freshness.poll()  # nobody waits for what gives
    assert await code(app, issued.secret) == 204
    await here.templates.update(template.id, allow=["198.51.100.0/24"])
    assert await code(app, issued.secret) == "address_denied"
    await here.templates.update(template.id, allow=None, origins=[PAGE])
    assert await code(app, issued.secret) == "origin_denied"
    assert await code(app, issued.secret, headers={"Origin": PAGE}) == 204
    await here.templates.rotate(template.id)
    assert await code(app, issued.secret, headers={"Origin": PAGE}) == "key_invalid"
    again = await there.issue_temporary(template.id)
    assert await code(app, again.secret, headers={"Origin": PAGE}) == 204
    await here.templates.delete(template.id)
    assert await code(app, again.secret, headers={"Origin": PAGE}) == "key_invalid"


async def test_a_stolen_one_is_refused_by_its_subject_and_by_its_address(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()

    def who(scope: Scope) -> str | None:
        assert all(b"gpt_" not in value for _, value in scope["headers"]), "the function sees no secret"
        return dict(scope["headers"]).get(b"x-user", b"").decode() or None

    template = await keys.templates.create("a widget", MAY)
    issued = await keys.issue_temporary(template.id, subject="ann", allow=["203.0.113.9"])
    app = APIKeyMiddleware(Well(), keys, subject=who)
    home: dict[str, Any] = {"client": ("203.0.113.9", 1)}
    for _ in range(2):
        assert await code(app, issued.secret, headers={"X-User": "ann"}, **home) == 204
        assert await code(app, issued.secret, headers={"X-User": "eve"}, **home) == "subject_denied"
        assert await code(app, issued.secret, **home) == "subject_denied"
        assert await code(app, issued.secret, headers={"X-User": "ann"}, client=("203.0.113.8", 1)) == "address_denied"
        assert await code(app, issued.secret, headers={"X-User": "ann"}, client=None) == "address_denied"
        assert await code(APIKeyMiddleware(Well(), keys), issued.secret, **home) == "subject_denied", (
            "nobody confirms it"
        )
    free = await keys.issue_temporary(template.id)
    assert await code(app, free.secret) == 204, "for nobody in particular"


async def test_two_origins_are_none(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    template = await keys.templates.create("a widget", MAY, origins=[PAGE])
    issued = await keys.issue_temporary(template.id)
    app = APIKeyMiddleware(Well(), keys)
    lines = [("authorization", f"Bearer {issued.secret}"), ("origin", PAGE)]
    assert (await ask(app, http_scope("/", lines))).status_code == 204
    assert (await ask(app, http_scope("/", [*lines, ("origin", PAGE)]))).json()["code"] == "origin_denied"
    assert (await ask(app, http_scope("/", lines[:1]))).json()["code"] == "origin_denied"


async def test_a_remembered_one_costs_no_io_and_is_not_kept_beside_keys(worker: MakeWorker) -> None:
    keys: APIKeys = await worker(poll_interval=60, max_staleness=300)
    template = await keys.templates.create("a widget", MAY)
    app = APIKeyMiddleware(Well(), keys)
    assert await code(app, (await keys.issue_temporary(template.id)).secret) == 204
    held = keys._opened().lookup.sizes().keys
    with counted_statements(keys) as counts:
        for _ in range(50):
            assert await code(app, (await keys.issue_temporary(template.id)).secret) == 204
    assert counts.total() - counts["counter"] == 0
    assert keys._opened().lookup.sizes().keys == held == 1


async def test_the_project_of_the_parent_counts(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    template = await keys.templates.create("a widget", MAY, project="acme")
    issued = await keys.issue_temporary(template.id)
    assert await code(APIKeyMiddleware(Well(), keys, project="acme"), issued.secret) == 204
    assert await code(APIKeyMiddleware(Well(), keys, project="other"), issued.secret) == "project_denied"


async def test_the_other_environment_refuses_it(worker: MakeWorker) -> None:
    live: APIKeys = await worker(environment="live")
    test: APIKeys = await worker(environment="test")
    template = await live.templates.create("a widget", MAY)
    issued = await live.issue_temporary(template.id)
    assert await code(APIKeyMiddleware(Well(), live), issued.secret) == 204
    assert await code(APIKeyMiddleware(Well(), test), issued.secret) == "environment_denied"


async def test_the_parents_limits_count_for_all_together_and_its_own_for_itself(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    app = APIKeyMiddleware(Well(), keys)
    template = await keys.templates.create("a widget", MAY, limits=[Rate(5, per=3600, name="all")])
    one = await keys.issue_temporary(template.id, limits=[Rate(2, per=3600, name="own")])
    two = await keys.issue_temporary(template.id)
    assert [await code(app, one.secret) for _ in range(3)] == [204, 204, "limit_exceeded"]
    assert [await code(app, two.secret) for _ in range(4)] == [204, 204, 204, "limit_exceeded"]
    plain = await keys.templates.create("another", MAY)
    own = await keys.issue_temporary(plain.id, limits=[Quota(1, per="day")])
    assert [await code(app, own.secret) for _ in range(2)] == [204, "limit_exceeded"]
    assert await code(app, (await keys.issue_temporary(plain.id)).secret) == 204


async def test_a_route_that_asks_the_database_sees_what_is_left(worker: MakeWorker) -> None:
    keys: APIKeys = await worker()
    well = Well()

    @requires("FILE_UPLOAD", fresh=True)
    async def upload(scope: Scope, receive: Receive, send: Send) -> None:
        await well(scope, receive, send)

    app = APIKeyMiddleware(upload, keys)
    made = await keys.create("a key", [*MAY, "FILE_DELETE"])
    issued = await keys.issue_temporary(made.secret, permissions=["FILE_UPLOAD"])
    assert await code(app, issued.secret) == 204
    assert well.scope["permissions"] == {"FILE_UPLOAD"}, "not all that the parent may"
    other = await keys.issue_temporary(made.secret, permissions=["OBJECTS_LIST"])
    assert await code(app, other.secret) == "permission_denied"


async def test_what_is_open_ends_with_its_parent_with_its_own_end_and_by_its_bounds(worker: MakeWorker) -> None:
    here: APIKeys = await worker()
    there: APIKeys = await worker()
    app = APIKeyMiddleware(echo, there)
    for end in ("deactivate", "delete", "rotate"):
        template = await here.templates.create("a widget", MAY)
        issued = await here.issue_temporary(template.id)
        scope = websocket_scope("/", bearer(issued.secret), noted=[])
        async with Connection(app, scope) as connection:
            await opened_socket(connection)
            await getattr(here.templates, end)(template.id)
            reason = "key_deactivated" if end == "deactivate" else "key_invalid"
            assert await connection.take() == {"type": "websocket.close", "code": 3000, "reason": reason}
    template = await here.templates.create("a widget", MAY)
    issued = await here.issue_temporary(template.id, lifetime=100)
    async with Connection(app, websocket_scope("/", bearer(issued.secret), noted=[])) as connection:
        await opened_socket(connection)
        await here.templates.update(template.id, description="a change that takes nothing")
        await there._opened().freshness.poll()
        await judged(there)
        let_pass(there, 101)
        await judged(there)
        assert (await connection.take())["reason"] == "key_expired", "also once it was judged anew"
    narrow = await here.issue_temporary(template.id, allow=["127.0.0.1"])
    async with Connection(app, websocket_scope("/", bearer(narrow.secret), noted=[])) as connection:
        await opened_socket(connection)
        await here.templates.update(template.id, allow=["203.0.113.0/24"])
        assert (await connection.take())["reason"] == "address_denied"


async def test_a_change_that_takes_nothing_leaves_what_is_open(worker: MakeWorker) -> None:
    here: APIKeys = await worker()
    there: APIKeys = await worker()
    template = await here.templates.create("a widget", MAY)
    issued = await here.issue_temporary(template.id)
    async with Connection(APIKeyMiddleware(ticking, there), http_scope("/", bearer(issued.secret))) as connection:
        await opened_stream(connection)
        await here.templates.update(template.id, description="another")
        await there._opened().freshness.poll()
        await judged(there)
        assert len(there._opened().guard._connections) == 1


async def test_a_body_that_is_still_sent_is_held_against_what_is_left(worker: MakeWorker) -> None:
    here: APIKeys = await worker()
    there: APIKeys = await worker()
    made = await here.create("a key", MAY)
    issued = await here.issue_temporary(made.secret, lifetime=100)
    received: list[str] = []
    begun = asyncio.Event()

    async def upload(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            message = await receive()
            received.append(message["type"])
            begun.set()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    app = APIKeyMiddleware(upload, there, end_uploads=True)
    async with Connection(app, http_scope("/", bearer(issued.secret), method="POST")) as connection:
        connection.give("http.request", body=b"a", more_body=True)
        await begun.wait()
        let_pass(there, 101)
        assert (await there.verify(made.secret)).valid
        connection.give("http.request", body=b"b", more_body=True)
        start = await connection.take()
        assert start["status"] == 401
    assert received == ["http.request", "http.disconnect"]


async def test_with_redis_it_is_the_same(ready_sqlite_url: str, redis_url: str) -> None:
    arguments: dict[str, Any] = {"redis": redis_url, "poll_interval": 0.05, "max_staleness": 5.0}
    async with APIKeys(ready_sqlite_url, **arguments) as here, APIKeys(ready_sqlite_url, **arguments) as there:
        await here.serve()
        await there.serve()
        template = await here.templates.create("a widget", MAY, lifetime=500)
        issued = await here.issue_temporary(template.id, permissions=["FILE_UPLOAD"])
        assert (await here.verify(issued.secret)).valid
        verdict = await there.verify(issued.secret)
        assert verdict.key is not None
        assert verdict.valid
        assert verdict.key.permissions == {"FILE_UPLOAD"}
        soon = datetime.now(UTC) + timedelta(seconds=600)
        assert verdict.key.expires_at is not None
        assert verdict.key.expires_at < soon
        await here.templates.deactivate(template.id)
        assert not (await there.verify(issued.secret)).valid
