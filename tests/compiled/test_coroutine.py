"""What calling a middleware answers is a coroutine, compiled too: for servers, event loops and whoever drives it."""

import asyncio
import gc
import inspect
import logging
import types
import warnings
import weakref
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import suppress
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import APIKeyMiddleware
from gatepost.asgi.current import serving
from tests.compiled.conftest import Gate, keeps_nothing, receive


async def send(_message: Any) -> None:
    """Nobody is there."""


def called(gate: Gate, app: ASGIApp, **entries: Any) -> Any:
    """A call that has not begun."""
    return APIKeyMiddleware(app, gate.keys)(gate.scope(**entries), receive, send)


def called_with(gate: Gate, *given: Any) -> Any:
    """A call with whatever is given."""
    return APIKeyMiddleware(gate.app, gate.keys)(*given)


class Waits:
    """Is awaited until it has been given a value, which it answers."""

    def __init__(self) -> None:
        self.ended = False

    def __await__(self) -> Generator[str, Any, Any]:
        try:
            return (yield "waits")
        finally:
            self.ended = True


async def waiting(scope: Scope, _receive: Receive, _send: Send) -> None:
    """Keeps what it was given, and what was raised."""
    scope["waits"] = Waits()
    try:
        scope["given"] = await scope["waits"]
    except BaseException as raised:
        scope["raised"] = raised
        raise
    scope["again"] = await Waits()


async def test_it_is_seen_to_be_one(gate: Gate, either_way: str) -> None:
    middleware = APIKeyMiddleware(waiting, gate.keys)
    call: Any = middleware(gate.scope(), receive, send)
    assert [isinstance(call, Coroutine), asyncio.iscoroutine(call), inspect.isawaitable(call)] == [True] * 3
    assert type(call).__name__ == ("Request" if either_way == "compiled" else "coroutine")
    assert inspect.iscoroutinefunction(middleware.__call__)
    assert inspect.iscoroutinefunction(APIKeyMiddleware.__call__)
    assert call.__qualname__ == "APIKeyMiddleware.__call__"
    assert call.__name__ == "__call__"
    assert (call.cr_running, call.cr_await) == (False, None)
    assert call.send(None) == "waits"
    assert call.cr_await is not None
    seen = weakref.ref(call)
    call.close()
    assert seen() is call
    del call
    assert seen() is None


async def test_who_calls_it_by_name_or_as_a_subclass_is_served_by_python(gate: Gate) -> None:
    class Mine(APIKeyMiddleware):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["mine"] = True
            await super().__call__(scope, receive, send)

    scope = gate.scope()
    await Mine(gate.app, gate.keys)(scope=scope, receive=receive, send=send)
    assert scope["mine"]
    assert scope["api_key"] is gate.record
    scope = gate.scope()
    await APIKeyMiddleware(gate.app, gate.keys)(scope, receive=receive, send=send)
    assert scope["api_key"] is gate.record
    for wrong in ((), (scope,), (scope, receive, send, send)):
        with pytest.raises(TypeError):
            called_with(gate, *wrong)


async def test_what_is_sent_into_it_reaches_the_app_and_what_that_waits_for_comes_out(gate: Gate) -> None:
    scope = gate.scope()
    driven: Any = APIKeyMiddleware(waiting, gate.keys)(scope, receive, send)
    with pytest.raises(TypeError, match="just-started"):
        driven.send("too early")
    assert driven.send(None) == "waits"
    assert serving()
    assert driven.send("a value") == "waits"
    assert scope["given"] == "a value"
    with pytest.raises(StopIteration) as end:
        driven.send(None)
    assert end.value.value is None
    assert not serving()
    with pytest.raises(RuntimeError, match="already awaited"):
        driven.send(None)
    with pytest.raises(RuntimeError, match="already awaited"):
        driven.throw(ZeroDivisionError())
    driven.close()


async def test_what_is_thrown_into_it_reaches_the_app(gate: Gate) -> None:
    for thrown in (ZeroDivisionError("thrown"), asyncio.CancelledError(), ZeroDivisionError):
        scope = gate.scope()
        call: Any = APIKeyMiddleware(waiting, gate.keys)(scope, receive, send)
        call.send(None)
        with pytest.raises((ZeroDivisionError, asyncio.CancelledError)) as raised:
            call.throw(thrown)
        assert raised.value is scope["raised"]
        assert raised.value is thrown or thrown is ZeroDivisionError
        assert scope["waits"].ended
        assert not serving()


async def test_an_app_may_go_on_after_what_was_thrown(gate: Gate) -> None:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        for _ in range(2):
            try:
                await Waits()
            except ZeroDivisionError:
                scope["raised"] = True

    scope = gate.scope()
    call: Any = APIKeyMiddleware(app, gate.keys)(scope, receive, send)
    call.send(None)
    assert call.throw(ZeroDivisionError()) == "waits"
    assert scope["raised"]
    with pytest.raises(StopIteration):
        call.throw(ZeroDivisionError())
    assert not serving()


async def test_thrown_into_before_it_has_begun_it_raises_that(gate: Gate) -> None:
    scope = gate.scope()
    call: Any = APIKeyMiddleware(waiting, gate.keys)(scope, receive, send)
    with pytest.raises(ZeroDivisionError):
        call.throw(ZeroDivisionError())
    assert "api_key" not in scope
    with pytest.raises(RuntimeError, match="already awaited"):
        call.send(None)


async def test_closed_it_ends_the_app(gate: Gate) -> None:
    scope = gate.scope()
    call: Any = APIKeyMiddleware(waiting, gate.keys)(scope, receive, send)
    call.send(None)
    call.close()
    assert isinstance(scope["raised"], GeneratorExit)
    assert not serving()
    unbegun: Any = called(gate, waiting)
    unbegun.close()
    with pytest.raises(RuntimeError, match="already awaited"):
        unbegun.send(None)


async def test_an_app_that_will_not_be_closed_is_told_of(gate: Gate) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        for _ in range(2):
            try:
                await Waits()
            except GeneratorExit:
                continue

    call: Any = called(gate, app)
    call.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        call.close()


async def test_an_app_that_fails_when_it_is_closed_is_told_of(gate: Gate) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await Waits()
        finally:
            raise ZeroDivisionError

    call: Any = called(gate, app)
    call.send(None)
    with pytest.raises(ZeroDivisionError):
        call.close()
    assert not serving()


async def test_lost_it_ends_the_app_at_once(gate: Gate) -> None:
    scope = gate.scope()
    call: Any = APIKeyMiddleware(waiting, gate.keys)(scope, receive, send)
    call.send(None)
    gc.disable()
    try:
        del call
        assert isinstance(scope["raised"], GeneratorExit)
        assert not serving()
        scope.clear()
    finally:
        gc.enable()


async def test_one_that_is_never_awaited_is_told_of(gate: Gate) -> None:
    with pytest.warns(RuntimeWarning, match=r"coroutine 'APIKeyMiddleware.__call__' was never awaited"):
        called(gate, waiting)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        called(gate, waiting).close()


async def test_it_does_not_run_within_itself(gate: Gate) -> None:
    calls: list[Any] = []
    raised: list[BaseException] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        for act, *given in ((calls[0].send, None), (calls[0].throw, ZeroDivisionError()), (calls[0].close,)):
            try:
                act(*given)
            except ValueError as error:
                raised.append(error)
        assert calls[0].cr_running

    calls.append(called(gate, app))
    with pytest.raises(StopIteration):
        calls[0].send(None)
    assert ["already executing" in str(each) for each in raised] == [True] * 3


async def _plain(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope["ran"] = scope["api_key"].id


class Whole:
    """An app that is an object."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _plain(scope, receive, send)


@types.coroutine
def _generator(scope: Scope, receive: Receive, send: Send) -> Generator[Any, Any, None]:
    yield from asyncio.sleep(0).__await__()
    yield from _plain(scope, receive, send).__await__()


def _future(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return asyncio.ensure_future(_plain(scope, receive, send))


class Iterated:
    """Is awaited by an iterator that has neither send nor throw."""

    def __await__(self) -> Any:
        return iter([None])


def _iterated(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    scope["ran"] = scope["api_key"].id
    return Iterated()


@pytest.mark.parametrize("app", [_plain, Whole(), _generator, _future, _iterated])
async def test_whatever_can_be_awaited_is_an_app(gate: Gate, app: Any) -> None:
    scope = gate.scope()
    await asyncio.create_task(APIKeyMiddleware(app, gate.keys)(scope, receive, send))
    assert scope["ran"] == gate.record.id
    twice = APIKeyMiddleware(APIKeyMiddleware(app, gate.keys), gate.keys, strip=False)
    await twice(gate.scope(), receive, send)


async def test_an_iterator_that_cannot_be_thrown_into_fails_where_it_waits(gate: Gate) -> None:
    call: Any
    for thrown in (ZeroDivisionError(), ZeroDivisionError):
        call = called(gate, _iterated)
        assert call.send(None) is None
        with pytest.raises(ZeroDivisionError):
            call.throw(thrown)
        assert not serving()
    call = called(gate, _iterated)
    call.send(None)
    call.close()
    assert not serving()


class NotIterated:
    """Cannot be awaited, though it says so."""

    def __await__(self) -> Any:
        return 1


@pytest.mark.parametrize("answer", [None, 1, NotIterated()])
async def test_what_cannot_be_awaited_is_a_typeerror(gate: Gate, answer: Any) -> None:
    def app(_scope: Scope, _receive: Receive, _send: Send) -> Any:
        return answer

    with pytest.raises(TypeError, match=r"await"):
        await called(gate, app)
    assert not serving()


async def test_a_generator_is_awaited_only_where_it_is_marked_as_a_coroutine(gate: Gate) -> None:
    def plain(_scope: Scope, _receive: Receive, _send: Send) -> Any:
        yield

    with pytest.raises(TypeError, match=r"await"):
        await called(gate, plain)
    await called(gate, types.coroutine(plain))
    assert not serving()


async def test_an_app_that_cannot_be_called_so_is_a_typeerror(gate: Gate) -> None:
    with pytest.raises(TypeError):
        await called(gate, cast("ASGIApp", len))
    assert not serving()


async def test_a_timeout_around_it_ends_the_app(gate: Gate) -> None:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(called(gate, app))
    await asyncio.sleep(0)
    assert "APIKeyMiddleware.__call__" in repr(task)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_nothing_is_left_of_requests(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """Neither objects nor references, whatever way they end."""
    caplog.set_level(logging.WARNING, "gatepost")  # pytest keeps what is logged, and another test may ask for more
    middleware: dict[Any, APIKeyMiddleware] = {
        app: APIKeyMiddleware(app, gate.keys) for app in (gate.app, waiting, _iterated)
    }

    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    middleware[fails] = APIKeyMiddleware(fails, gate.keys)

    async def every_way() -> None:
        await middleware[gate.app](gate.scope(), receive, send)
        await middleware[gate.app](gate.scope((b"x-api-key", b"gp_nobody")), receive, send)
        with suppress(ZeroDivisionError):
            await middleware[fails](gate.scope(), receive, send)
        for act in ("close", "throw"):
            call: Any = middleware[waiting](gate.scope(), receive, send)
            call.send(None)
            with suppress(KeyError):
                call.close() if act == "close" else call.throw(KeyError())
        middleware[waiting](gate.scope(), receive, send).close()
        gate.seen.clear()

    watched = [gate.record, gate.keys, gate.record.permissions, gate.record.auth, receive, send, *middleware.values()]
    await keeps_nothing(every_way, watched)
