"""Limits at the middleware: who is let in, what the answers say, in which order it is asked, and what it costs."""

import asyncio
import logging
from typing import Any

import http_sf
import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeyMiddleware,
    APIKeys,
    BadInputError,
    Bearer,
    Header,
    Query,
    Quota,
    Rate,
    Slots,
    requires,
)
from gatepost.redis.tier import RedisTier
from tests.frameworks.connection import Connection, ask, bearer, http_scope, websocket_scope
from tests.limits.conftest import MakeWorker
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.usefixtures("either_way")

HOUR = 3600


async def well(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": b""})


async def asked(app: Any, secret: str, path: str = "/", **entries: Any) -> httpx2.Response:
    return await ask(app, http_scope(path, bearer(secret), **entries))


async def statuses(app: Any, secret: str, times: int, path: str = "/") -> list[int]:
    return [(await asked(app, secret, path)).status_code for _ in range(times)]


async def left_at_rest(keys: APIKeys, key_id: str) -> list[int | None]:
    """How much is left of each limit once all slots are free: Redis is told that they are, and nobody waits for it."""
    async with asyncio.timeout(10):
        while True:
            states = await keys.limits(key_id)
            if all(state.left == state.limit.units for state in states if isinstance(state.limit, Slots)):
                return [state.left for state in states]
            await asyncio.sleep(0.001)


def fields(response: httpx2.Response) -> tuple[dict[str, Any], dict[str, Any]]:
    """`RateLimit-Policy` and `RateLimit`, read by a parser of structured fields."""
    policy = http_sf.parse(response.headers["ratelimit-policy"].encode(), tltype="list")
    rate_limit = http_sf.parse(response.headers["ratelimit"].encode(), tltype="list")
    return dict(policy), dict(rate_limit)  # type: ignore[arg-type]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"exempt": ["/health"]},
    {"fresh": ["/"]},
    {"sources": [Bearer(), Query("key")]},
    {"end_connections": False},
    {"end_uploads": True},
    {"optional": True},
    {"strip": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options), "plain"))
async def test_no_more_requests_are_let_in_than_the_limit_says(here: APIKeys, options: dict[str, Any]) -> None:
    issued = await here.create("a key", limits=[Rate(3, per=HOUR)])
    other = await here.create("another")
    app = APIKeyMiddleware(well, here, **options)
    assert await statuses(app, issued.secret, 5) == [204, 204, 204, 429, 429]
    assert await statuses(app, other.secret, 5) == [204] * 5


async def test_a_quota_is_spent_to_the_last_unit_from_lease_to_lease(here: APIKeys) -> None:
    issued = await here.create("a key", limits=[Quota(220, per="month")])
    app = APIKeyMiddleware(well, here)
    got = await statuses(app, issued.secret, 223)
    assert got == [204] * 220 + [429] * 3
    assert [state.left for state in await here.limits(issued.key.id)] == [0]


async def test_answers_tell_policies_and_what_is_left_in_structured_fields(here: APIKeys) -> None:
    limits: list[Rate | Quota | Slots] = [
        Rate(5, per=60, burst=2, name="minute"),
        Quota(9, per="month", name="plan"),
        Slots(4),
    ]
    issued = await here.create("a key", limits=limits)
    app = APIKeyMiddleware(well, here)
    response = await asked(app, issued.secret)
    assert response.headers["x-app"] == "1"
    policy, left = fields(response)
    assert policy == {
        "minute": {"q": 5, "w": 60},
        "plan": {"q": 9, "w": 2_592_000},
        "slots": {"q": 4, "qu": "concurrent-requests"},
    }
    assert left["minute"] == {"r": 1, "t": 12}
    assert left["plan"]["r"] == 8
    assert 0 < left["plan"]["t"] <= 31 * 86_400
    assert left["slots"] == {"r": 3}
    await asked(app, issued.secret)
    response = await asked(app, issued.secret)
    assert response.status_code == 429
    body = response.json()
    assert body["code"] == "limit_exceeded"
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert body["violated-policies"] == ["minute"]
    policy, left = fields(response)
    assert left["minute"]["r"] == 0
    assert 1 <= left["minute"]["t"] <= int(response.headers["retry-after"]) <= 12


async def test_a_client_that_honours_retry_after_is_let_in_again(here: APIKeys) -> None:
    issued = await here.create("a key", limits=[Rate(1, per=1)])
    app = APIKeyMiddleware(well, here)
    assert (await asked(app, issued.secret)).status_code == 204
    refused = await asked(app, issued.secret)
    if refused.status_code == 429:  # a machine that stood still for a second would let it in
        await asyncio.sleep(int(refused.headers["retry-after"]))
        assert (await asked(app, issued.secret)).status_code == 204


async def test_a_key_without_limits_has_none_of_it(here: APIKeys) -> None:
    issued = await here.create("a key")
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await well(scope, receive, send)

    response = await asked(APIKeyMiddleware(app, here), issued.secret)
    assert "ratelimit-policy" not in response.headers
    assert "limits" not in seen[0]


async def test_what_is_refused_earlier_spends_nothing(here: APIKeys) -> None:
    @requires("FILE_UPLOAD")
    async def upload(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    async def look(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    routes = Starlette(routes=[Route("/upload", upload), Route("/acme", look), Route("/free", look)])
    app = APIKeyMiddleware(routes, here, exempt=["/free"], project=lambda _scope: "acme")
    issued = await here.create(
        "a key",
        ["OBJECTS_LIST"],
        project="acme",
        allow=["203.0.113.0/24"],
        limits=[Rate(2, per=HOUR), Quota(2, per="day")],
    )
    foreign = await here.create("a key", project="other", limits=[Rate(1, per=HOUR)])
    inside: Any = ("203.0.113.9", 1)
    for _ in range(3):
        assert (await asked(app, issued.secret, "/free", client=inside)).status_code == 200, "exempt"
        assert (await asked(app, issued.secret + "x", "/acme", client=inside)).status_code == 401, "secret"
        assert (await asked(app, issued.secret, "/acme")).status_code == 403, "address"
        assert (await asked(app, foreign.secret, "/acme")).json()["code"] == "project_denied"
        denied = await asked(app, issued.secret, "/upload", client=inside)
        assert denied.json()["code"] == "permission_denied"
    await here.deactivate(issued.key.id)
    assert (await asked(app, issued.secret, "/acme", client=inside)).json()["code"] == "key_deactivated"
    await here.activate(issued.key.id)
    assert next(state.left for state in await here.limits(issued.key.id)) == 2
    got = [(await asked(app, issued.secret, "/acme", client=inside)).status_code for _ in range(3)]
    assert got == [200, 200, 429]


async def test_a_route_may_cost_more_and_have_a_limit_of_its_own(here: APIKeys) -> None:
    @requires("FILE_UPLOAD", cost=5)
    async def dear(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    @requires("FILE_UPLOAD", limit=Rate(2, per=HOUR, name="reports"))
    async def rare(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    @requires("FILE_UPLOAD", limit=Rate(2, per=HOUR, name="reports"))
    def rare_too(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    async def cheap(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    routes = [Route("/dear", dear), Route("/rare", rare), Route("/rare2", rare_too), Route("/cheap", cheap)]
    app = APIKeyMiddleware(Starlette(routes=routes), here)
    issued = await here.create("a key", ["FILE_UPLOAD"], limits=[Rate(12, per=HOUR, name="hour")])
    plain = await here.create("a key", ["FILE_UPLOAD"])
    response = await asked(app, issued.secret, "/dear")
    assert fields(response)[1]["hour"]["r"] == 7
    assert await statuses(app, issued.secret, 1, "/dear") == [200]
    refused = await asked(app, issued.secret, "/dear")
    assert refused.status_code == 429
    assert [len(refused.headers.get_list(name)) for name in ("ratelimit", "ratelimit-policy")] == [1, 1]
    assert fields(refused)[1]["hour"]["r"] == 1, "what it took before it was refused is told"
    assert await statuses(app, issued.secret, 3, "/cheap") == [200, 200, 429], "the refused one has cost nothing"
    assert await statuses(app, plain.secret, 1, "/rare") == [200]
    assert await statuses(app, plain.secret, 2, "/rare2") == [200, 429], "one name, one limit, also in a thread"
    refused = await asked(app, plain.secret, "/rare")
    assert refused.json()["violated-policies"] == ["reports"]
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: requires("FILE_UPLOAD", limit=Slots(2)),  # type: ignore[arg-type]
        lambda: requires("FILE_UPLOAD", cost=0),
        lambda: requires("FILE_UPLOAD", cost=True),
        lambda: requires("FILE_UPLOAD", cost=1.5),  # type: ignore[arg-type]
        lambda: requires("FILE_UPLOAD", limit=Rate(4, per=1), cost=5),
    ],
)
def test_what_a_route_cannot_cost_is_an_error_at_once(wrong: Any) -> None:
    with pytest.raises(BadInputError):
        wrong()


@pytest.mark.parametrize("other", [Rate(3, per=HOUR, name="twice-here"), Quota(2, per="day", name="twice-here")])
def test_two_routes_with_different_limits_of_one_name_are_an_error_that_names_both(other: Rate | Quota) -> None:
    requires("FILE_UPLOAD", limit=Rate(2, per=HOUR, name="twice-here"))
    requires("FILE_DELETE", limit=Rate(2, per=HOUR, name="twice-here"))
    with pytest.raises(BadInputError) as caught:
        requires("FILE_UPLOAD", limit=other)
    told = str(caught.value)
    assert "Rate(units=2, per=3600" in told
    assert str(other) in told
    assert told.count(__file__) == 2
    for units in (4, 5):  # an app that is made twice
        requires("FILE_UPLOAD", limit=Rate(units, per=HOUR, name="made"))


async def test_limits_of_one_name_are_told_apart_in_an_answer(here: APIKeys) -> None:
    issued = await here.create("a key", limits=[Rate(5, per=HOUR), Slots(3, name="project-rate")])
    limits: Any = {"project": [Rate(4, per=HOUR)], "key": [Rate(2, per=HOUR, name="n" * 32)]}
    app = APIKeyMiddleware(well, here, limits=limits)
    policy, left = fields(await asked(app, issued.secret))
    assert {name: policy[name]["q"] for name in policy} == {"rate": 5, "project-rate": 3, "project-0": 4, "n" * 32: 2}
    assert left["project-0"]["r"] == 3
    other = await here.create("another", limits=[Rate(5, per=HOUR, name="n" * 32)])
    policy, left = fields(await asked(app, other.secret))
    assert {name: left[name]["r"] for name in left} == {"n" * 32: 4, "rate": 2, "key-" + "n" * 28: 1}
    plain = await here.create("without limits")
    assert fields(await asked(app, plain.secret))[1]["rate"]["r"] == 1, "the same count, whatever it is called"
    limits = {"project": [Rate(4, per=HOUR)], "all": [Rate(7, per=HOUR, name="project-rate")]}
    policy, _ = fields(await asked(APIKeyMiddleware(well, here, limits=limits), issued.secret))
    assert {policy[name]["q"] for name in policy} == {5, 3, 4, 7}, "four names"
    one = await here.create("one of its own", limits=[Rate(5, per=HOUR)])
    policy, _ = fields(await asked(APIKeyMiddleware(well, here, limits=limits), one.secret))
    assert {name: policy[name]["q"] for name in policy} == {"rate": 5, "project-0": 4, "project-rate": 7}


async def test_a_middleware_may_limit_all_each_project_and_each_key(here: APIKeys) -> None:
    app = APIKeyMiddleware(
        well,
        here,
        limits={
            "all": [Rate(9, per=HOUR, name="site")],
            "project": [Rate(4, per=HOUR, name="project")],
            "key": [Rate(3, per=HOUR, name="each")],
        },
    )
    one, two = [(await here.create("a key", project="acme")).secret for _ in range(2)]
    three = (await here.create("a key", project="other", limits=[Rate(2, per=HOUR, name="own")])).secret
    four = (await here.create("a key")).secret
    assert await statuses(app, one, 4) == [204, 204, 204, 429]
    assert await statuses(app, two, 2) == [204, 429], "they share a project"
    assert await statuses(app, three, 3) == [204, 204, 429]
    assert await statuses(app, four, 4) == [204, 204, 204, 429]
    response = await asked(app, four)
    assert response.json()["violated-policies"] == ["site", "each"]


async def test_the_keys_of_an_owner_share_its_limit_and_keys_of_nobody_have_none(here: APIKeys) -> None:
    app = APIKeyMiddleware(
        well, here, limits={"owner": [Rate(4, per=HOUR, name="owner"), Quota(9, per="day", name="of-owner")]}
    )
    one = (await here.create("a key", owner="ann", project="acme")).secret
    two = (await here.create("a key", owner="ann", limits=[Rate(3, per=HOUR, name="own")])).secret
    three = (await here.create("a key", owner="bob")).secret
    nobodys = (await here.create("a key")).secret
    assert await statuses(app, one, 2) == [204, 204]
    assert await statuses(app, two, 3) == [204, 204, 429], "they share an owner, whatever their project"
    assert await statuses(app, three, 1) == [204]
    assert await statuses(app, nobodys, 12) == [204] * 12
    free = await asked(app, nobodys)
    assert "ratelimit-policy" not in free.headers, "it is bound by none"
    response = await asked(app, one)
    assert response.json()["violated-policies"] == ["owner"]
    assert response.headers["ratelimit-policy"].startswith('"owner";q=4')


async def test_a_key_that_is_handed_over_counts_with_its_new_owner_at_once(here: APIKeys) -> None:
    app = APIKeyMiddleware(well, here, limits={"owner": [Rate(2, per=HOUR, name="owner")]})
    issued = await here.create("a key", owner="ann")
    assert await statuses(app, issued.secret, 3) == [204, 204, 429]
    await here.update(issued.key.id, owner="bob")
    assert await statuses(app, issued.secret, 3) == [204, 204, 429]
    await here.update(issued.key.id, owner=None)
    assert await statuses(app, issued.secret, 3) == [204] * 3


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ([Rate(1, per=1)], "for whom"),
        ({"projects": [Rate(1, per=1)]}, "'projects'"),
        ({"all": Rate(1, per=1)}, "must be a list"),
        ({"all": [Rate(1, per=1)], "key": [Rate(2, per=1)]}, "called 'rate'"),
    ],
)
def test_limits_of_a_middleware_that_cannot_be_meant_are_errors(limits: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        APIKeyMiddleware(well, APIKeys("sqlite://"), limits=limits)


async def test_an_app_can_ask_what_is_left_and_charge_afterwards(here: APIKeys) -> None:
    lefts = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        limits = scope["limits"]
        lefts.append((limits.left("minute"), limits.left("plan"), limits.left("none")))
        await limits.charge(3)
        await limits.charge(1, "plan")
        with pytest.raises(BadInputError, match="'none'"):
            await limits.charge(1, "none")
        with pytest.raises(BadInputError, match="cost"):
            await limits.charge(0)
        await well(scope, receive, send)

    issued = await here.create("a key", limits=[Rate(10, per=HOUR, name="minute"), Quota(20, per="day", name="plan")])
    guarded = APIKeyMiddleware(app, here)
    assert await statuses(guarded, issued.secret, 4) == [204, 204, 204, 429]
    assert lefts == [(9, 19, None), (5, 14, None), (1, 9, None)]


async def test_slots_are_taken_for_as_long_as_a_request_lasts_however_it_ends(here: APIKeys) -> None:
    gate = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await gate.wait()
        if scope["path"] == "/fail":
            raise ValueError("a fault of the app's")
        await well(scope, receive, send)

    issued = await here.create("a key", limits=[Slots(2)])
    guarded = APIKeyMiddleware(app, here)
    waiting = [asyncio.create_task(asked(guarded, issued.secret, "/wait")) for _ in range(2)]
    while [state.left for state in await here.limits(issued.key.id)] != [0]:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0)
    refused = await asked(guarded, issued.secret)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    assert (await asked(guarded, issued.secret)).status_code == 204
    with pytest.raises(ValueError, match="a fault"):
        await asked(guarded, issued.secret, "/fail")
    gate.set()
    assert (await waiting[1]).status_code == 204
    assert [state.left for state in await here.limits(issued.key.id)] == [2]


async def test_a_handshake_counts_one_and_holds_a_slot_and_messages_are_free(here: APIKeys) -> None:
    async def echo(websocket: Any) -> None:
        await websocket.accept()
        async for message in websocket.iter_text():
            await websocket.send_text(message)

    issued = await here.create("a key", limits=[Rate(2, per=HOUR), Slots(1)])
    app = APIKeyMiddleware(Starlette(routes=[WebSocketRoute("/", echo)]), here)
    async with Connection(app, websocket_scope("/", bearer(issued.secret))) as connection:
        connection.give("websocket.connect")
        assert (await connection.take())["type"] == "websocket.accept"
        for _ in range(5):
            connection.give("websocket.receive", text="hello")
            assert (await connection.take())["text"] == "hello"
        assert [state.left for state in await here.limits(issued.key.id)] == [1, 0]
        async with Connection(app, websocket_scope("/", bearer(issued.secret))) as second:
            second.give("websocket.connect")
            assert (await second.take())["status"] == 429
        async with Connection(app, websocket_scope("/", bearer(issued.secret), extensions={})) as second:
            second.give("websocket.connect")
            closed = await second.take()
            assert (closed["code"], closed["reason"]) == (1013, "limit_exceeded")
        connection.give("websocket.disconnect", code=1000)
    assert [state.left for state in await here.limits(issued.key.id)] == [1, 1]


async def test_an_edit_of_limits_is_true_everywhere_when_the_call_returns(worker: MakeWorker) -> None:
    here, there = await worker(), await worker()
    issued = await here.create("a key")
    app = APIKeyMiddleware(well, there)
    assert await statuses(app, issued.secret, 3) == [204] * 3
    await here.update(issued.key.id, limits=[Rate(2, per=HOUR)])
    assert await statuses(app, issued.secret, 2) == [204, 429], "one of two workers has half"
    await here.update(issued.key.id, limits=[Rate(8, per=HOUR)])
    assert (await asked(app, issued.secret)).status_code == 204
    await here.update(issued.key.id, limits=[])
    assert "ratelimit-policy" not in (await asked(app, issued.secret)).headers


async def test_a_reset_begins_anew_everywhere_when_the_call_returns(worker: MakeWorker, redis_url: str) -> None:
    here, there = await worker(redis_url), await worker(redis_url)
    issued = await here.create("a key", limits=[Rate(2, per=HOUR), Quota(5, per="month")])
    app, other = APIKeyMiddleware(well, there), APIKeyMiddleware(well, here)
    assert await statuses(app, issued.secret, 2) == [204, 204]
    assert (await asked(other, issued.secret)).status_code == 429, "Redis counts for all"
    assert [state.left for state in await here.limits(issued.key.id)] == [0, 2], "the refusing worker has leased one"
    await here.reset_limits(issued.key.id)
    assert [state.left for state in await here.limits(issued.key.id)] == [2, 5]
    assert await statuses(app, issued.secret, 3) == [204, 204, 429]
    events = (await here.events(issued.key.id)).items
    assert events[0].detail == {"limit_resets": {"old": 0, "new": 1}}


async def test_who_waited_for_limits_while_the_key_was_switched_off_is_refused_and_has_spent_nothing(
    worker: MakeWorker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await worker(redis_url)
    issued = await here.create("a key", limits=[Rate(2, per=HOUR), Slots(1)])
    edited = await here.create("another", limits=[Rate(2, per=HOUR)])
    app = APIKeyMiddleware(well, here)
    counting, goes_on = asyncio.Event(), asyncio.Event()
    count = RedisTier.count

    async def count_late(*asked: Any) -> Any:
        counting.set()
        await goes_on.wait()
        return await count(*asked)

    monkeypatch.setattr(RedisTier, "count", count_late)
    waiting = [asyncio.create_task(asked(app, each.secret)) for each in (issued, edited)]
    await counting.wait()
    await here.deactivate(issued.key.id)
    await here.update(edited.key.id, description="as good as before")
    goes_on.set()
    refused, let_in = await asyncio.gather(*waiting)
    assert refused.json()["code"] == "key_deactivated"
    assert let_in.status_code == 204, "an edit that takes nothing away refuses nobody"
    assert await left_at_rest(here, issued.key.id) == [2, 1]
    assert [state.left for state in await here.limits(edited.key.id)] == [1]


async def test_a_reset_frees_no_slot_that_a_request_holds(worker: MakeWorker, redis_url: str) -> None:
    here = await worker(redis_url)
    issued = await here.create("a key", limits=[Slots(1)])
    entered, goes_on = asyncio.Event(), asyncio.Event()

    async def stay(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await goes_on.wait()
        await well(scope, receive, send)

    staying = asyncio.create_task(asked(APIKeyMiddleware(stay, here), issued.secret))
    await entered.wait()
    await here.reset_limits(issued.key.id)
    app = APIKeyMiddleware(well, here)
    assert (await asked(app, issued.secret)).status_code == 429
    goes_on.set()
    assert (await staying).status_code == 204


async def test_the_log_tells_at_the_start_of_limits_that_each_worker_has_a_part_of(
    worker: MakeWorker, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    limits: Any = {"all": [Rate(9, per=HOUR)]}
    here, there, sharing = await worker(), await worker(), await worker(redis_url)
    for keys in (here, sharing):
        APIKeyMiddleware(well, keys, limits={"all": [Quota(9, per="day")]})
        await keys.serve()
    APIKeyMiddleware(well, sharing, limits=limits)
    await sharing.serve()
    assert "a part of each limit" not in caplog.text
    APIKeyMiddleware(well, there, limits=limits)
    await there.serve()  # as the lifespan does
    assert "counted by each of 3 workers for itself, a part of each limit" in caplog.text


async def test_where_redis_counts_nobody_asks_how_many_workers_there_are(
    worker: MakeWorker, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    here, _there = await worker(redis_url), await worker(redis_url)
    issued = await here.create("a key", limits=[Rate(9, per=HOUR), Slots(3)])
    assert await statuses(APIKeyMiddleware(well, here), issued.secret, 3) == [204] * 3
    assert await left_at_rest(here, issued.key.id) == [6, 3]
    assert here.limiter._members.number == 0
    assert "a part of each limit" not in caplog.text


async def test_what_several_checks_took_is_given_back_when_one_refuses(here: APIKeys) -> None:
    @requires("FILE_UPLOAD", cost=5, limit=Rate(9, per=HOUR, name="uploads"))
    @requires("FILE_DELETE")
    async def dear(_request: Any) -> PlainTextResponse:
        raise AssertionError

    issued = await here.create("a key", ["FILE_UPLOAD"], limits=[Quota(9, per="month", name="plan")])
    app = APIKeyMiddleware(Starlette(routes=[Route("/dear", dear)]), here)
    assert await statuses(app, issued.secret, 4, "/dear") == [403] * 4


async def test_limits_of_an_outer_caller_are_not_those_of_an_inner_one(here: APIKeys) -> None:
    @requires("FILE_UPLOAD", cost=3)
    async def dear(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("done")

    outer = await here.create("outer", limits=[Rate(2, per=HOUR)])
    inner = await here.create("inner", ["FILE_UPLOAD"])
    app = APIKeyMiddleware(Starlette(routes=[Route("/dear", dear)]), here, sources=[Header("X-Inner")])
    app = APIKeyMiddleware(app, here)
    headers = bearer(outer.secret) | {"X-Inner": inner.secret}
    response = await ask(app, http_scope("/dear", headers))
    assert response.status_code == 200
    assert fields(response)[1]["rate"]["r"] == 1


async def test_while_redis_is_away_each_limit_says_what_holds(
    worker: MakeWorker, redis_url: str, redis_server: RedisServer
) -> None:
    here = await worker(redis_url, redis_timeout=0.5)
    app = APIKeyMiddleware(well, here)
    secrets = {
        outage: (await here.create("a key", limits=[Rate(3, per=HOUR, on_outage=outage)])).secret
        for outage in ("local", "open", "closed")
    }
    for secret in secrets.values():
        assert (await asked(app, secret)).status_code == 204
    redis_server.stop()
    try:
        assert await statuses(app, secrets["local"], 4) == [204, 204, 429, 429], "it knows what it let in"
        assert await statuses(app, secrets["open"], 4) == [204] * 4
        assert await statuses(app, secrets["closed"], 2) == [503, 503]
    finally:
        redis_server.start()


async def test_limits_that_cannot_be_read_let_nobody_in(here: APIKeys, caplog: pytest.LogCaptureFixture) -> None:
    issued = await here.create("a key")
    async with here._database.engine.begin() as connection:
        await connection.execute(text("UPDATE gatepost_keys SET limits = '[0, {}]'"))
    await here.serve()
    app = APIKeyMiddleware(well, here)
    while (await asked(app, issued.secret)).status_code == 204:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)  # a change by hand is seen at the next poll
    with caplog.at_level(logging.ERROR):
        assert (await asked(app, issued.secret)).status_code == 503
    assert f"The limits of key {issued.key.id} cannot be read" in caplog.text
    assert not (await here.get(issued.key.id)).limits
    await here.update(issued.key.id, limits=[])
    assert (await asked(app, issued.secret)).status_code == 204, "they were set anew"


async def test_a_key_cannot_change_its_own_limits(here: APIKeys) -> None:
    issued = await here.create("a key", ["ACCESS_MANAGE"], limits=[Rate(3, per=HOUR)])
    actor = Actor.of(issued.key)
    with pytest.raises(AccessDeniedError, match="its own limits"):
        await here.update(issued.key.id, limits=[], actor=actor)
    with pytest.raises(AccessDeniedError, match="its own limits"):
        await here.reset_limits(issued.key.id, actor=actor)
    assert (await here.get(issued.key.id)).limits == (Rate(3, per=HOUR),)
