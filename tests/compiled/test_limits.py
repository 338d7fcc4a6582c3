"""A memory hit of a key that has limits, compiled and in Python: taken from before anything is touched, and told."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gatepost import APIKeyMiddleware, APIKeys, Quota, Rate, Slots
from gatepost.asgi.responses import Problem
from gatepost.base import Limit, LimitedRecord, UnavailableError
from gatepost.limits import Limiter, RequestLimits
from tests.compiled.conftest import Gate, keeps_nothing, receive
from tests.deaf import deafen

INSIDE = ("203.0.113.9", 5000)

LIMITS: dict[str, list[Limit]] = {
    "quota": [Quota(10**9, per="month", name="plan")],
    "rate": [Rate(10**6, per=60, name="minute")],
    "slots": [Slots(1, name="flight")],
    "several": [Rate(10**6, per=60, name="minute"), Quota(10**9, per="month", name="plan"), Slots(3, name="flight")],
}


async def gate_of(keys: APIKeys, limits: list[Limit], **options: Any) -> Gate:
    """A key that memory holds, whose limits have been taken from before."""
    deafen(keys)
    await keys.serve()
    issued = await keys.create("a key", ["OBJECTS_LIST"], limits=limits, **options)
    gate = Gate(keys, issued.secret.encode())
    await gate.serve(gate.scope(client=INSIDE))
    assert type(gate.record) is LimitedRecord
    return gate


@pytest.fixture
async def open_keys(either_way: str, ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url, poll_interval=30, max_staleness=60) as keys:
        yield keys


@pytest.fixture(params=LIMITS)
async def limited(open_keys: APIKeys, request: pytest.FixtureRequest) -> Gate:
    return await gate_of(open_keys, LIMITS[request.param])


class Waiting:
    """Has the limiter wait until it is told to go on."""

    def __init__(self, limiter: Limiter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.goes_on = asyncio.Event(), asyncio.Event()
        self._take = limiter.take
        monkeypatch.setattr(limiter, "take", self.take)

    async def take(self, *asked: Any) -> Any:
        """As the limiter does."""
        self.began.set()
        await self.goes_on.wait()
        return await self._take(*asked)


async def called(gate: Gate, scope: Scope, sent: list[Message] | None = None, app: Any = None) -> None:
    async def send(message: Message) -> None:
        if sent is not None:
            sent.append(message)

    await APIKeyMiddleware(app or gate.app, gate.keys)(scope, receive, send)


async def test_it_is_a_hit_that_the_app_is_told_of_as_of_any(limited: Gate) -> None:
    scope = limited.scope()
    served = await limited.serve(scope)
    assert served.is_hit
    assert served.status == 204
    assert scope["api_key"] is scope["user"] is limited.record
    assert scope["permissions"] is limited.record.permissions
    assert scope["auth"] is limited.record.auth
    assert scope["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")]
    assert isinstance(scope["limits"], RequestLimits)
    assert {name for name, _ in served.sent[0]["headers"]} == {b"ratelimit-policy", b"ratelimit"}
    assert served.sent[1] == {"type": "http.response.body", "body": b""}


async def test_compiled_it_is_let_in_without_python(
    limited: Gate, either_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited.keys, "bounded_hit", None)
    with nullcontext() if either_way == "compiled" else pytest.raises(TypeError, match="not callable"):
        assert (await limited.serve(limited.scope())).is_hit


@pytest.mark.parametrize("headers", [[], (), [(b"content-length", b"0")], [[b"x", b"y"]], None, iter([(b"x", b"y")])])
async def test_the_fields_are_added_to_whatever_headers_a_response_has(open_keys: APIKeys, headers: Any) -> None:
    gate = await gate_of(open_keys, LIMITS["quota"])
    start: Message = {"type": "http.response.start", "status": 204}
    told = [*headers] if headers is not None else []
    if headers is not None:
        start["headers"] = headers if isinstance(headers, list | tuple) else iter(told)
    kept = dict(start)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    sent: list[Message] = []
    await called(gate, gate.scope(), sent, app)
    assert sent[0]["headers"][: len(told)] == told
    assert [name for name, _ in sent[0]["headers"][len(told) :]] == [b"ratelimit-policy", b"ratelimit"]
    assert [message["body"] for message in sent[1:]] == [b"a", b"b"]
    assert start == kept, "the app's own message is not touched"


async def test_whom_its_limits_refuse_no_app_sees_and_who_answers_sees_no_secret(open_keys: APIKeys) -> None:
    gate = await gate_of(open_keys, [Rate(1, per=3600)])
    seen: list[Scope] = []

    def answers(scope: Scope, _problem: Problem) -> None:
        seen.append(dict(scope))

    served = await gate.serve(gate.scope(), on_error=answers)
    assert served.status == 429
    assert served.seen is None
    assert "api_key" not in seen[0]
    assert seen[0]["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")]


async def test_slots_are_free_whatever_way_a_request_ends(open_keys: APIKeys) -> None:
    gate = await gate_of(open_keys, LIMITS["slots"])

    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    async def waits(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await called(gate, gate.scope(), app=fails)
        task = asyncio.create_task(called(gate, gate.scope(), app=waits))
        await asyncio.sleep(0)
        assert (await gate.serve(gate.scope())).status == 429
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await gate.serve(gate.scope())).status == 204


@pytest.mark.parametrize("waits", [False, True])
async def test_slots_are_free_though_the_app_fails_when_it_is_called(
    open_keys: APIKeys, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    gate = await gate_of(open_keys, LIMITS["slots"])
    if waits:
        Waiting(gate.keys.limiter, monkeypatch).goes_on.set()
        monkeypatch.setattr(gate.keys.limiter, "take_at_once", lambda _asked: None)

    def fails(_scope: Scope, _receive: Receive, _send: Send) -> Any:
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await called(gate, gate.scope(), app=fails)
    assert (await gate.serve(gate.scope())).status == 204


async def test_an_error_of_the_app_is_let_go_of_at_once(open_keys: APIKeys) -> None:
    gate = await gate_of(open_keys, LIMITS["slots"])

    class FailureError(Exception):
        pass

    seen: list[weakref.ref[FailureError]] = []

    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        failure = FailureError()
        seen.append(weakref.ref(failure))
        try:
            raise failure
        finally:
            del failure

    gc.disable()
    try:
        with pytest.raises(FailureError):
            await called(gate, gate.scope(), app=fails)
        assert seen[0]() is None
    finally:
        gc.enable()


async def test_who_is_cancelled_while_limits_are_asked_was_not_let_in(
    limited: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(limited.keys.limiter, monkeypatch)
    monkeypatch.setattr(limited.keys.limiter, "take_one", lambda _bucket: None)
    monkeypatch.setattr(limited.keys.limiter, "take_at_once", lambda _asked: None)
    scope = limited.scope()
    limited.seen.clear()
    task = asyncio.create_task(called(limited, scope))
    await waiting.began.wait()
    assert "api_key" not in scope
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert not limited.seen
    assert "api_key" not in scope
    assert scope["headers"] == [(b"host", b"testserver"), (b"accept", b"*/*")], "who looks at errors sees no secret"


async def test_a_call_that_is_closed_while_limits_are_asked_was_not_let_in(
    limited: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    Waiting(limited.keys.limiter, monkeypatch)
    monkeypatch.setattr(limited.keys.limiter, "take_one", lambda _bucket: None)
    monkeypatch.setattr(limited.keys.limiter, "take_at_once", lambda _asked: None)
    limited.seen.clear()
    call: Any = called(limited, limited.scope())
    call.send(None)
    call.close()
    assert not limited.seen


async def test_a_cancellation_that_the_limiter_answers_lets_in_with_its_answer(
    open_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await gate_of(open_keys, LIMITS["rate"])
    take = gate.keys.limiter.take

    async def late(*asked: Any) -> Any:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await take(*asked)

    monkeypatch.setattr(gate.keys.limiter, "take", late)
    monkeypatch.setattr(gate.keys.limiter, "take_at_once", lambda _asked: None)
    gate.seen.clear()
    task = asyncio.create_task(called(gate, gate.scope()))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert len(gate.seen) == 1


async def test_an_error_of_the_limiter_is_told_as_it_is(open_keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = await gate_of(open_keys, LIMITS["rate"])

    async def fails(*_asked: Any) -> Any:
        raise UnavailableError("Redis is away", retry_after=1)

    monkeypatch.setattr(gate.keys.limiter, "take_at_once", lambda _asked: None)
    monkeypatch.setattr(gate.keys.limiter, "take", fails)
    assert (await gate.serve(gate.scope())).status == 503

    async def breaks(*_asked: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(gate.keys.limiter, "take", breaks)
    with pytest.raises(ZeroDivisionError):
        await called(gate, gate.scope())


async def test_another_secret_that_is_put_there_while_limits_are_asked_is_judged_for_itself(
    open_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await gate_of(open_keys, LIMITS["rate"])
    other = await open_keys.create("the other", limits=[Rate(9, per=3600)])
    await gate.serve(gate.scope((b"x-api-key", other.secret.encode())))
    waiting = Waiting(gate.keys.limiter, monkeypatch)
    monkeypatch.setattr(gate.keys.limiter, "take_at_once", lambda _asked: None)
    scope = gate.scope()
    task = asyncio.create_task(called(gate, scope))
    await waiting.began.wait()
    scope["headers"][:] = [(b"x-api-key", other.secret.encode())]
    waiting.goes_on.set()
    await task
    assert scope["limits"].key.id == scope["api_key"].id


async def test_who_waited_while_the_key_was_switched_off_is_refused_and_has_spent_nothing(
    open_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await gate_of(open_keys, [Rate(9, per=3600)])
    await open_keys.verify((await open_keys.create("so that memory holds something still")).secret)
    waiting = Waiting(gate.keys.limiter, monkeypatch)
    monkeypatch.setattr(gate.keys.limiter, "take_at_once", lambda _asked: None)
    gate.seen.clear()
    sent: list[Message] = []
    key_id = gate.record.id
    (before,) = await open_keys.limits(key_id)
    task = asyncio.create_task(called(gate, gate.scope(), sent))
    await waiting.began.wait()
    receipt = await open_keys.deactivate(key_id)
    assert receipt.propagation.complete
    waiting.goes_on.set()
    await task
    assert not gate.seen
    assert sent[0]["status"] == 401
    (after,) = await open_keys.limits(key_id)
    assert after.left == before.left == 8


async def test_a_key_with_limits_is_held_against_its_networks_too(open_keys: APIKeys) -> None:
    gate = await gate_of(open_keys, LIMITS["quota"], allow=["203.0.113.0/24"])
    for _ in range(2):
        assert (await gate.serve(gate.scope(client=INSIDE))).is_hit
        assert (await gate.serve(gate.scope(client=("198.51.100.7", 1)))).status == 403
        assert (await gate.serve(gate.scope())).status == 403


async def test_nothing_is_left_of_limited_requests(limited: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """Neither objects nor references, whatever way they end."""
    caplog.set_level(logging.WARNING, "gatepost")

    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    async def nothing(_message: Message) -> None:
        return None

    well, failing = (APIKeyMiddleware(app, limited.keys) for app in (limited.app, fails))
    limiter: Any = limited.keys.limiter
    take = limiter.take

    async def waited(*asked: Any) -> Any:
        await asyncio.Event().wait()
        return await take(*asked)

    async def every_way() -> None:
        await well(limited.scope(), receive, nothing)
        with suppress(ZeroDivisionError):
            await failing(limited.scope(), receive, nothing)
        limiter.take = waited
        call: Any = well(limited.scope(), receive, nothing)
        with suppress(StopIteration):
            call.send(None)
        call.close()
        limiter.take = take
        limited.seen.clear()

    record: Any = limited.record
    watched: list[Any] = [record, limited.keys, record.asked, record.permissions, well, failing]
    await keeps_nothing(every_way, watched)
