"""A refusal as each framework wants it from a handler. No framework is imported that the app does not use."""

import asyncio
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, cast

from starlette.exceptions import HTTPException, WebSocketException
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.websockets import WebSocketState

from gatepost.asgi.current import Served, serving
from gatepost.asgi.limits import limits_in
from gatepost.asgi.responses import DENIAL_EXTENSION, Problem
from gatepost.asgi.sources import Scope
from gatepost.base import ConfigurationError, Outcome, PermissionDeniedError, Quota, Rate, UnavailableError

_FRAMEWORKS = ("starlette", "litestar", "django", "rest_framework", "quart", "datasette", "channels")
_BARE_ARGUMENTS = ("scope", "receive", "send")


class _Bare(NamedTuple):
    """The arguments of an ASGI app."""

    scope: Scope
    receive: Receive
    send: Send


@dataclass(frozen=True, slots=True)
class Spending:
    """What a request of one route costs. `limit`: the route's own; `cost`: units of it, and of the key's."""

    limit: Rate | Quota | None
    cost: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a guarded handler.

    `connection`: the request or WebSocket object among the arguments, the arguments of an ASGI app, or `None`. `scope`:
    the connection's; else the one being served; `None` where there is no middleware. `served`: what the middleware let
    in last, here; it holds the secret's digest.
    """

    handler: Callable[..., Any]
    arguments: tuple[Any, ...]
    connection: Any
    scope: Scope | None
    served: Served | None = field(repr=False)

    @classmethod
    def of(cls, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "Call":
        """What the arguments of a handler tell."""
        connection, scope = connection_of(args, kwargs)
        return cls(handler, (*args, *kwargs.values()), connection, scope, serving())

    async def renew(self) -> Problem | None:
        """Have the caller judged anew on the database's word, and the scope tell of them as they are now. The refusal
        where the key is not usable any more or the database does not answer; `None` also where nobody has
        authenticated. One round trip.

        Raises `ConfigurationError` where the caller that was let in cannot be told for certain.
        """
        served = self._authenticated()
        if served is None or self.scope is None:
            return None
        scope, judge, digest, *_ = served
        problem: Problem | None = await judge.renew(digest, scope, self.scope)
        return problem

    async def spend(self, spending: Spending) -> Problem | None:
        """Have taken what the route costs: the refusal, or `None`. Raises as `renew`."""
        served = self._authenticated()
        if served is None or self.scope is None:
            return None
        problem: Problem | None = await served[1].spend(self.scope, spending.limit, spending.cost)
        return problem

    def renew_from_thread(self) -> Problem | None:
        """As `renew`, for a sync handler in a thread of its own, which it blocks meanwhile.

        Raises `ConfigurationError` in the thread of an event loop: that would wait for itself.
        """
        return self._from_thread(self.renew, "fresh=True")

    def spend_from_thread(self, spending: Spending) -> Problem | None:
        """As `spend`, likewise."""
        return self._from_thread(lambda: self.spend(spending), "limit=, cost=")

    def _from_thread(self, ask: Callable[[], Coroutine[Any, Any, Problem | None]], option: str) -> Problem | None:
        served = self._authenticated()
        if served is None:
            return None
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(ask(), served[1].loop).result()
        raise ConfigurationError(
            f"requires({option}) on the sync function {getattr(self.handler, '__qualname__', self.handler)} must "
            "wait for the database, but it runs on the event loop: write 'async def', or have the framework run it in "
            "a thread (Litestar: sync_to_thread=True)"
        )

    def _authenticated(self) -> Served | None:
        """What the middleware let in, if it is who this call is for; `None` where nobody has authenticated."""
        if self.scope is None or self.scope.get("api_key") is None:
            return None
        served = self.served
        if not served or served[2] is None or served[0].get("api_key") is not self.scope["api_key"]:
            raise ConfigurationError(
                "requires(fresh=True), or with limit= or cost=, does not see the request that the middleware let in: "
                "it was called outside of it, in another request's task, or in a thread without the request's context "
                "(contextvars)"
            )
        return served

    async def refuse(self, problem: Problem) -> Any:
        """Refuse from an async handler: what it must return, once what must be sent has been sent."""
        self.tell(problem)
        if isinstance(self.connection, _Bare):
            await problem(*self.connection)
            return None
        if self._is_websocket:
            framework = self._framework
            if framework == "quart":
                return await self._refuse_quart_websocket(problem)
            if framework in {"starlette", "litestar"}:
                return await self._refuse_websocket(problem)
        return self._response(problem)

    def respond(self, problem: Problem) -> Any:
        """Refuse from a sync handler: what it must return. Raises as `_response`."""
        self.tell(problem)
        return self._response(problem)

    def tell(self, problem: Problem) -> None:
        """Tell the log of a missing permission; of all else the middleware has told."""
        if problem.outcome is Outcome.PERMISSION_DENIED and self.scope is not None:
            limits = limits_in(self.scope)
            if limits is not None:
                limits.refuse()
        if problem.outcome is Outcome.PERMISSION_DENIED and self.served and self.scope is not None:
            self.served[1].refusal_log.tell(problem.outcome, self.scope.get("api_key"), self.scope)

    def _response(self, problem: Problem) -> Any:
        """The refusal as a response object of the framework in use, or its exception where nobody would look at what is
        returned: from a dependency, say. Raises `PermissionDeniedError` where the framework is none known here."""
        framework = self._framework
        if framework == "fastmcp":
            raise fastmcp_refusal(problem)
        headers = {name.decode(): value.decode() for name, value in problem.all_headers if name != b"content-length"}
        if framework == "starlette":
            if self._is_handler_of("endpoint") is False:
                self._raise_in_starlette(problem, headers)
            return Response(problem.body, problem.status, headers)
        media_type = headers.pop("content-type")
        if framework == "litestar":
            if self._is_websocket or self._is_handler_of("route_handler") is False:
                self._raise_in_litestar(problem, headers)
            return sys.modules["litestar"].Response(
                problem.body, status_code=problem.status, headers=headers, media_type=media_type
            )
        if framework in {"django", "rest_framework"}:
            return sys.modules["django.http"].HttpResponse(
                problem.body, status=problem.status, headers=headers, content_type=media_type
            )
        if framework in {"quart", "datasette"}:
            return sys.modules[framework].Response(
                problem.body, status=problem.status, headers=headers, content_type=media_type
            )
        if framework == "channels" and self.handler.__name__ == "connect":
            raise sys.modules["channels.exceptions"].DenyConnection(problem.outcome.value)
        if problem.outcome is Outcome.UNAVAILABLE:
            raise UnavailableError(problem.body.decode())
        raise PermissionDeniedError(problem.body.decode())

    @property
    def _is_websocket(self) -> bool:
        return self.scope is not None and self.scope["type"] == "websocket"

    @property
    def _framework(self) -> str | None:
        """By the connection's class; where the handler got none, by who serves it. In what FastMCP calls it is that,
        whatever the arguments are: it takes neither responses nor exceptions of others for what they are."""
        if _is_in_fastmcp():
            return "fastmcp"
        if self.connection is not None and not isinstance(self.connection, _Bare):
            return framework_of(self.connection)
        quart = sys.modules.get("quart")
        if quart is not None and (quart.has_request_context() or quart.has_websocket_context()):
            return "quart"
        if self._is_handler_of("endpoint"):
            return "starlette"
        if self._is_handler_of("route_handler"):
            return "litestar"
        scope = self.scope or {}
        served_by = (scope.get("litestar_app"), scope.get("app"), *self.arguments)
        return next((name for name in (framework_of(each) for each in served_by) if name), None)

    def _is_handler_of(self, entry: str) -> bool | None:
        """Whether the call is of what the framework has routed to, as the scope's `entry` tells; `None`: unknown."""
        routed = (self.scope or {}).get(entry)
        if routed is None:
            return None
        if inspect.isclass(routed):
            return bool(self.arguments) and isinstance(self.arguments[0], routed)
        return _original(getattr(routed, "fn", routed)) is _original(self.handler)

    def _raise_in_starlette(self, problem: Problem, headers: Mapping[str, str]) -> NoReturn:
        if self._is_websocket:
            raise RefusedSocketError(problem)
        raise RefusedError(problem, headers)

    def _raise_in_litestar(self, problem: Problem, headers: Mapping[str, str]) -> NoReturn:
        exceptions = sys.modules["litestar.exceptions"]
        if self._is_websocket:
            raise exceptions.WebSocketException(detail=problem.outcome.value, code=problem.close_code)
        refused = litestar_refusal()(
            status_code=problem.status, detail=problem.members["detail"], headers=dict(headers), extra=problem.members
        )
        refused.problem = problem
        raise refused

    async def _refuse_quart_websocket(self, problem: Problem) -> Any:
        if DENIAL_EXTENSION in ((self.scope or {}).get("extensions") or {}):
            return self.respond(problem)
        await sys.modules["quart"].websocket.close(problem.close_code, problem.outcome.value)
        return None

    async def _refuse_websocket(self, problem: Problem) -> Any:
        """Starlette's and Litestar's, before or after it was accepted."""
        websocket = self.connection
        entry = "endpoint" if self._framework == "starlette" else "route_handler"
        if websocket is None or self._is_handler_of(entry) is False:
            return self.respond(problem)
        if _is_accepted(websocket):
            await websocket.close(problem.close_code, problem.outcome.value)
        else:
            await problem(websocket.scope, websocket.receive, websocket.send)
        return None


@functools.cache
def litestar_refusal() -> Any:
    """As `RefusedError`, for Litestar: its class, which is made where Litestar is loaded."""
    return type("RefusedError", (sys.modules["litestar.exceptions"].HTTPException,), {"problem": None})


def fastmcp_refusal(problem: Problem) -> Exception:
    """As `RefusedError`, for FastMCP, which hands on its own errors as they are. `Guard` makes more of it; without one
    a client reads the sentence."""
    refused: Any = _fastmcp_refusal()(problem.members["detail"], log_level=logging.INFO)
    refused.problem = problem
    return cast("Exception", refused)


@functools.cache
def _fastmcp_refusal() -> Any:
    return type("RefusedError", (sys.modules["fastmcp.exceptions"].FastMCPError,), {"problem": None})


def _is_in_fastmcp() -> bool:
    """Whether a server of FastMCP's is calling a tool, a resource or a prompt."""
    dependencies = sys.modules.get("fastmcp.server.dependencies")
    if dependencies is None:
        return False
    try:
        dependencies.get_context()
    except RuntimeError:
        return False
    return True


class _Told:
    """An exception with a refusal. `problem`: the refusal; an ASGI app."""

    problem: Problem

    @property
    def message(self) -> str:
        """What GraphQL tells as an error's message, where a resolver was refused."""
        return str(self.problem.members["message"])

    @property
    def extensions(self) -> dict[str, Any]:
        """What GraphQL tells beside it."""
        return self.problem.members


class RefusedSocketError(_Told, WebSocketException):
    """What ends a WebSocket in Starlette and FastAPI."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.close_code, problem.outcome.value)
        self.problem = problem


class RefusedError(_Told, HTTPException):
    """What Starlette and FastAPI answer in their own form, unless the app has been told of a better one."""

    def __init__(self, problem: Problem, headers: Mapping[str, str]) -> None:
        super().__init__(problem.status, problem.body.decode(), headers)
        self.problem = problem


def connection_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Scope | None]:
    """The connection among the arguments, found by what it is, not by its parameter's name; and its scope, else that of
    the request being served.

    Only objects of a framework's classes are believed: a body that the caller sends may be a dict too, or a model
    with a field called `scope`.
    """
    for argument in (*args, *kwargs.values()) if kwargs else args:
        framework, has_headers = _traits(type(argument))  # type: ignore[arg-type]  # mypy doubts that classes are hashable
        if framework is not None:
            scope = getattr(argument, "scope", None)
            if isinstance(scope, dict) and (has_headers or hasattr(argument, "headers")):  # endpoint classes have none
                return argument, scope
    bare = _bare_of(args, kwargs)
    if bare is not None:
        return bare, bare.scope
    served = serving()
    return None, served[0] if served else None


def scope_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Scope | None:
    """The scope that `connection_of` finds. About 0.1 µs where the connection is the first argument, as it is for most
    handlers: its class is remembered."""
    if args and type(args[0]) in _come_first:
        scope = getattr(args[0], "scope", None)
        if isinstance(scope, dict):
            return scope
    connection, scope = connection_of(args, kwargs)
    if args and connection is args[0] and _traits(type(connection))[1] and len(_come_first) < COME_FIRST_MAX:  # type: ignore[arg-type]
        _come_first.add(type(connection))
    return scope


COME_FIRST_MAX = 64
"""Most classes of connections that are remembered: frameworks have two, and apps some of their own."""

_come_first: set[type] = set()


def framework_of(value: object) -> str | None:
    """The framework that an object's class, or one of its bases, belongs to."""
    return _traits(type(value))[0]  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1024)
def _traits(kind: type) -> tuple[str | None, bool]:
    """The framework of a class, and whether it says itself that its objects have headers: to ask a request of
    Starlette's for them makes an object."""
    packages = {base.__module__.partition(".")[0] for base in kind.__mro__}
    return next((name for name in _FRAMEWORKS if name in packages), None), hasattr(kind, "headers")


def _bare_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Bare | None:
    """The arguments of an ASGI function, or of a method that is one."""
    given = (
        tuple(kwargs[name] for name in _BARE_ARGUMENTS)
        if kwargs.keys() >= set(_BARE_ARGUMENTS)
        else args[-len(_BARE_ARGUMENTS) :]
    )
    if len(given) != len(_BARE_ARGUMENTS):
        return None
    scope, receive, send = given
    is_bare = isinstance(scope, dict) and "type" in scope and callable(receive) and callable(send)
    return _Bare(scope, receive, send) if is_bare else None


def _original(function: Any) -> Any:
    """What lies under decorators, partials and methods."""
    while True:
        inner = next(
            (v for v in (getattr(function, name, None) for name in ("__func__", "__wrapped__", "func")) if callable(v)),
            None,
        )
        if inner is None:
            return function
        function = inner


def _is_accepted(websocket: Any) -> bool:
    if hasattr(websocket, "application_state"):
        return bool(websocket.application_state is WebSocketState.CONNECTED)
    return bool(websocket.connection_state != "init")
