"""A memory hit, compiled and in Python: each condition of being let in without a question, and what is done then."""

import asyncio
import contextlib
import gc
import weakref
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, Bearer, Header, Outcome, Query
from gatepost.asgi.caller import Caller
from gatepost.asgi.current import serving
from gatepost.asgi.sources import Extractor
from gatepost.asgi.streams import ConnectionEndedError
from gatepost.base import Record
from gatepost.base.record import _set_until, _set_usable_until
from gatepost.base.secret import digest
from tests.compiled.conftest import BODY, Gate, Served, drive, receive

NEVER = float("inf")
EVENTS: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


async def test_the_app_is_told_and_nothing_but_memory_is_asked(gate: Gate) -> None:
    scope = gate.scope(method="POST")
    lines = scope["headers"]
    served = await gate.serve(scope)
    assert served.is_hit
    assert served.status == 204
    assert scope["api_key"] is scope["user"] is gate.record is gate.keys.hit(digest(gate.secret))
    assert scope["permissions"] is gate.record.permissions
    assert scope["auth"] is gate.record.auth
    assert scope["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")]
    assert len(lines) == 3, "the server's own list was changed"
    assert [*scope][5:] == ["api_key", "user", "permissions", "auth"]


async def test_what_a_request_that_failed_held_is_free_when_its_error_is(gate: Gate) -> None:
    class Held:
        pass

    seen: list[weakref.ref[Held]] = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        held = Held()
        seen.append(weakref.ref(held))
        raise ValueError("the app fails")

    middleware = APIKeyMiddleware(failing, gate.keys)
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            await middleware(gate.scope(), receive, receive)  # type: ignore[arg-type]  # nothing is sent
        assert seen[0]() is None, "it waits for the garbage collector"
    finally:
        gc.enable()


async def test_what_stood_in_the_scope_is_replaced_but_for_a_user_that_is_the_apps(gate: Gate) -> None:
    forged: dict[str, Any] = {"api_key": "x", "user": "root", "permissions": frozenset({"ALL"}), "auth": "x"}
    served = await gate.serve(gate.scope(**forged))
    assert served.is_hit
    assert not any(served.scope[name] == value for name, value in forged.items())
    served = await gate.serve(gate.scope(**forged), user=False)
    assert served.is_hit
    assert served.scope["user"] == "root"
    assert served.scope["api_key"] is gate.record


async def test_the_headers_stay_where_they_are_to(gate: Gate) -> None:
    scope = gate.scope()
    lines = scope["headers"]
    assert (await gate.serve(scope, strip=False)).is_hit
    assert scope["headers"] is lines
    assert len(lines) == 3


@pytest.mark.parametrize("make", [tuple, list], ids=lambda make: make.__name__)
async def test_headers_in_lists_and_tuples(gate: Gate, make: Any) -> None:
    lines = make(make(line) for line in gate.scope()["headers"])
    served = await gate.serve(gate.scope(headers=lines))
    assert served.is_hit
    assert [bytes(name) for name, _ in served.scope["headers"]] == [b"host", b"accept"]


async def test_a_lease_that_has_ended_lets_nobody_in(gate: Gate) -> None:
    assert (await gate.serve(gate.scope())).is_hit
    gate.keys._opened().freshness.until = gate.keys._opened().freshness._clock()
    assert (await gate.serve(gate.scope())).asked


async def test_a_record_whose_time_in_memory_is_over_lets_nobody_in(gate: Gate) -> None:
    _set_until(gate.record, gate.keys._opened().freshness._clock())
    assert (await gate.serve(gate.scope())).asked


async def test_a_record_that_is_not_usable_any_more_lets_nobody_in(gate: Gate) -> None:
    _set_usable_until(gate.record, -NEVER)
    assert (await gate.serve(gate.scope())).asked


@pytest.mark.parametrize("left", [-1.0, 1.0])
async def test_expiry_is_judged_by_the_databases_clock(gate: Gate, left: float) -> None:
    freshness = gate.keys._opened().freshness
    now = freshness.database_now()
    freshness.offset += 3600
    _set_usable_until(gate.record, now + 3600 + left * 1800)
    assert bool((await gate.serve(gate.scope())).asked) is (left < 0)
    freshness.offset -= 3600
    _set_usable_until(gate.record, now + left * 1800)
    assert bool((await gate.serve(gate.scope())).asked) is (left < 0)


async def test_a_clock_that_was_given_is_asked(gate: Gate) -> None:
    opened = gate.keys._opened()
    now = opened.lookup._clock()
    opened.lookup._clock = lambda: now + 1_000
    gate.keys.hit = opened.lookup.fastest_hit()
    assert gate.keys.hit(digest(gate.secret)) is None
    opened.freshness.until = NEVER
    _set_until(gate.record, now + 1_001)
    assert gate.keys.hit(digest(gate.secret)) is gate.record

    def broken() -> float:
        raise ZeroDivisionError

    opened.lookup._clock = broken
    gate.keys.hit = opened.lookup.fastest_hit()
    with pytest.raises(ZeroDivisionError):
        await gate.serve(gate.scope())


async def test_moments_that_are_none_are_errors(gate: Gate) -> None:
    for name in ("until", "offset"):
        kept = getattr(gate.keys._opened().freshness, name)
        setattr(gate.keys._opened().freshness, name, "soon")
        with pytest.raises(TypeError):
            gate.keys.hit(digest(gate.secret))
        setattr(gate.keys._opened().freshness, name, kept)
    assert gate.keys.hit(digest(gate.secret)) is gate.record


async def test_the_moment_itself_is_too_late(gate: Gate) -> None:
    opened = gate.keys._opened()
    opened.lookup._clock = lambda: 100.0
    hit = opened.lookup.fastest_hit()
    opened.freshness.offset = 10.0
    for until, record, usable, counts in (
        (101.0, 101.0, 111.0, True),
        (100.0, 101.0, 111.0, False),
        (101.0, 100.0, 111.0, False),
        (101.0, 101.0, 110.0, False),
    ):
        opened.freshness.until = until
        _set_until(gate.record, record)
        _set_usable_until(gate.record, usable)
        assert (hit(digest(gate.secret)) is not None) is counts


async def test_a_key_that_was_forgotten_is_asked_for(gate: Gate) -> None:
    gate.keys._opened().lookup._memory.clear()
    assert (await gate.serve(gate.scope())).asked
    assert (await gate.serve(gate.scope())).is_hit
    gate.keys._opened().lookup._memory.drop(digest(gate.secret), below=1_000_000)
    assert (await gate.serve(gate.scope())).asked


async def test_keys_that_were_closed_let_nobody_in(gate: Gate) -> None:
    middleware = APIKeyMiddleware(gate.app, gate.keys)
    await gate.keys.close()
    await gate.keys.open()
    gate.seen.clear()
    before = gate.keys._opened().lookup.counts.lookups
    await middleware(gate.scope(), receive, _drop)
    assert gate.seen
    assert gate.keys._opened().lookup.counts.lookups == before + 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ((b"authorization", b"Bearer %s"), 204),
        ((b"authorization", b"bearer %s"), 204),
        ((b"authorization", b"Bearer  %s"), 204),
        ((b"authorization", b"Bearer"), 401),
        ((b"authorization", b"Bearer "), 401),
        ((b"authorization", b"Digest %s"), 401),
        ((b"authorization", b"Be"), 401),
        ((b"x-api-key", b" %s\t"), 204),
        ((b"x-api-key", b"Bearer %s"), 401),
        ((b"x-api-key", b""), 401),
        ((b"x-api-key", b"%s-"), 401),
        ((b"x-api-kez", b"%s"), 401),
        ((b"x-api-key2", b"%s"), 401),
        ((b"X-API-Key", b"%s"), 401),
        ((b"x-api-key", b"%s" + b" " * 3000), 204),
    ],
)
async def test_where_a_secret_stands_and_how(gate: Gate, form: tuple[bytes, bytes], status: int) -> None:
    line = (form[0], form[1].replace(b"%s", gate.secret))
    served = await gate.serve(gate.scope(line))
    assert served.status == status
    assert status != 204 or line not in served.scope["headers"]


async def test_a_bearers_secret_is_a_hit(gate: Gate, either_way: str) -> None:
    calls: list[Scope] = []
    extract = Extractor._take_from_header

    def noted(self: Extractor, scope: Scope) -> bytes | Outcome:
        calls.append(scope)
        return extract(self, scope)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Extractor, "_take_from_header", noted)
        assert (await gate.serve(gate.scope((b"authorization", b"Bearer " + gate.secret)))).is_hit
        assert len(calls) == (0 if either_way == "compiled" else 1), "Python was asked too"


async def test_a_second_secret_is_noticed(gate: Gate) -> None:
    mine, other = (b"x-api-key", gate.secret), (b"authorization", b"Bearer gp_another")
    for lines in ((mine, mine), (mine, other), (other, mine)):
        assert (await gate.serve(gate.scope(*lines))).status == 400
    served = await gate.serve(gate.scope(mine, (b"authorization", b"Bearer " + gate.secret)))
    assert served.status == 204
    assert [name for name, _ in served.scope["headers"]] == [b"host", b"accept"]


async def test_only_the_sources_that_were_named_count(gate: Gate) -> None:
    bearer = (b"authorization", b"Bearer " + gate.secret)
    assert (await gate.serve(gate.scope(bearer), sources=[Header("X-Other")])).status == 401
    assert (await gate.serve(gate.scope(), sources=[Bearer()])).status == 401
    assert (await gate.serve(gate.scope((b"x-other", gate.secret)), sources=[Header("X-Other")])).is_hit
    assert (await gate.serve(gate.scope(bearer, (b"x-api-key", b"other")), sources=[Bearer()])).is_hit
    query = {"query_string": b"key=gp_another"}
    assert (await gate.serve(gate.scope(**query), sources=[Header("X-API-Key"), Query("key")])).status == 400


async def test_a_project_an_exempt_path_and_a_fresh_one_are_asked_about(gate: Gate) -> None:
    assert (await gate.serve(gate.scope(), project="acme")).status == 204
    issued = await gate.keys.create("another's", ["OBJECTS_LIST"], project="other")
    await gate.keys.verify(issued.secret)
    line = (b"x-api-key", issued.secret.encode())
    assert (await gate.serve(gate.scope(line))).is_hit
    assert (await gate.serve(gate.scope(line), project="acme")).status == 403
    exempt = await gate.serve(gate.scope(), exempt=["/"])
    assert exempt.scope["api_key"] is None
    assert (await gate.serve(gate.scope(), fresh=["/"])).asked


async def test_a_websocket_has_a_user_of_its_own(gate: Gate) -> None:
    served = await gate.serve(gate.scope(type="websocket", subprotocols=[]))
    assert served.is_hit
    assert isinstance(served.scope["user"], Caller)


async def test_a_scope_that_is_no_dict_is_served_too(gate: Gate) -> None:
    class Own(dict[str, Any]):
        pass

    served = await gate.serve(Own(gate.scope()))
    assert served.is_hit
    assert isinstance(served.scope["api_key"], Record)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (1, TypeError),
        ((b"x-api-key",), ValueError),
        ((b"x-api-key", b"a", b"b"), ValueError),
        ((b"x-api-key", "a"), AttributeError),
        (("x-api-key", b"a"), 401),
    ],
)
async def test_headers_that_are_none_come_to_the_same(gate: Gate, line: Any, expected: Any) -> None:
    try:
        found: Any = (await gate.serve(gate.scope(headers=[line]))).status
    except (TypeError, ValueError, AttributeError) as raised:
        found = type(raised)
    assert found == expected


async def test_scopes_without_what_every_scope_has_are_the_same_error(gate: Gate) -> None:
    for name in ("type", "headers"):
        scope = gate.scope()
        del scope[name]
        with pytest.raises(KeyError, match=name):
            await gate.serve(scope)


# the request while it is served, and after


async def test_code_that_is_not_handed_the_request_finds_it_while_it_is_served(gate: Gate) -> None:
    found: list[Any] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        served = serving()
        assert served
        found.append([served[0] is scope, served[1].keys is gate.keys, served[2], served[3]])
        assert len(served) == (7 if watched else 4)
        assert [*served][:4] == [served[at] for at in range(4)]
        found.append(served)

    for watched in (True, False):
        found.clear()
        await gate.serve(gate.scope(), app, end_connections=watched)
        assert found[0] == [True, True, digest(gate.secret), None]
        assert not found[1]
        with pytest.raises(IndexError):
            found[1][0]


async def test_a_request_within_another_puts_that_one_back(gate: Gate) -> None:
    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        mine = serving()
        assert mine
        await gate.serve(gate.scope())
        assert serving() is mine
        with pytest.raises(ZeroDivisionError):
            await gate.serve(gate.scope(), fails)
        assert serving() is mine
        gate.seen.append({})

    assert (await gate.serve(gate.scope(), app)).seen == {}
    assert not serving()


async def test_a_request_that_failed_is_not_served_any_more(gate: Gate) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError("the app's own")

    with pytest.raises(ZeroDivisionError, match="the app's own") as raised:
        await gate.serve(gate.scope(), app)
    assert raised.value.__context__ is None
    assert not serving()


async def _drop(_message: Message) -> None: ...


async def test_who_is_not_watched_gets_the_servers_own_send(gate: Gate) -> None:
    sends: list[Send] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        sends.append(send)

    for watched in (True, False):
        await APIKeyMiddleware(app, gate.keys, end_connections=watched)(gate.scope(), receive, _drop)
    assert [send is _drop for send in sends] == [False, True]


@pytest.mark.parametrize(
    ("messages", "streams"),
    [
        ([{"type": "http.response.start", "headers": [(b"content-length", b"0")]}, BODY], False),
        ([{"type": "http.response.start", "headers": [(b"content-length", b"0"), *EVENTS["headers"]]}], False),
        ([{"type": "http.response.start", "headers": [[b"content-length", b"0"]]}, BODY], False),
        ([{"type": "http.response.start", "headers": ((b"Content-Type", b"Text/Event-Stream"),)}], True),
        ([EVENTS], True),
        ([{"type": "http.response.start"}, {**BODY, "more_body": False}], False),
        ([{"type": "http.response.body", "body": b"", "more_body": True}], True),
        ([{"type": "http.response.body", "body": b"", "more_body": 1}], True),
        ([{"type": "http.response.body", "body": b"", "more_body": 0}], False),
        ([{"type": "http.response.trailers", "headers": []}], False),
    ],
)
async def test_a_response_is_a_stream_from_its_first_sign_on(gate: Gate, messages: list[Any], streams: bool) -> None:
    found: list[Any] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        served = serving()
        assert served
        found.append(served[3])

    served = await gate.serve(gate.scope(), app)
    assert [message["type"] for message in served.sent] == [message["type"] for message in messages]
    assert (found[0] is not None) is streams
    assert len(gate.keys._opened().guard._connections) == 0, "it is still watched over"


async def test_what_is_sent_after_the_request_is_an_oserror(gate: Gate) -> None:
    sends: list[Send] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        sends.append(send)

    await gate.serve(gate.scope(), app)
    with pytest.raises(ConnectionEndedError, match="over"):
        await sends[0](BODY)


async def test_a_stream_whose_key_dies_is_cut(gate: Gate) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(EVENTS)
        served = serving()
        assert served
        served[3].end(Outcome.DEACTIVATED)
        with pytest.raises(ConnectionEndedError, match="deactivated"):
            await send(BODY)
        await asyncio.sleep(0)

    with pytest.raises(ConnectionEndedError, match="deactivated"):
        await asyncio.create_task(gate.serve(gate.scope(), app))  # the task that is cancelled
    assert not serving()


async def test_the_context_is_that_of_the_first_step_and_the_call_does_nothing_yet(gate: Gate) -> None:
    scope = gate.scope()
    call = APIKeyMiddleware(gate.app, gate.keys)(scope, receive, _drop)
    assert "api_key" not in scope
    context = copy_context()
    context.run(drive, call)
    assert "api_key" in scope
    assert serving() is None
    assert len(context.run(serving) or ()) == 0


async def test_a_key_that_expires_is_refused_from_then_on(gate: Gate) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    issued = await gate.keys.create("a short one", ["OBJECTS_LIST"], expires_at=expires)
    await gate.keys.verify(issued.secret)
    line = (b"x-api-key", issued.secret.encode())
    assert (await gate.serve(gate.scope(line))).is_hit
    gate.keys._opened().freshness.offset += 3601
    refused: Served = await gate.serve(gate.scope(line))
    assert (refused.status, refused.seen) == (401, None)
