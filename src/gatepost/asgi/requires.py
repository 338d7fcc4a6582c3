"""`requires`: permissions on routes, in whatever framework. One check; thin wrappers around it."""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast, overload

from starlette.requests import HTTPConnection

from gatepost.asgi.context import note_refusal, serving
from gatepost.asgi.refusals import Call, Spending, scope_of
from gatepost.asgi.responses import Problem, denied
from gatepost.asgi.sources import Scope
from gatepost.base import COST_MAX, BadInputError, ConfigurationError, Outcome, PermissionDeniedError, Quota, Rate
from gatepost.rules import Catalogue, check_declared

P = ParamSpec("P")
R = TypeVar("R")

_CONNECTION = "connection"
_CHECKS = "__gatepost_checks__"


def requires(
    *permissions: str,
    any_of: Iterable[str] = (),
    fresh: bool = False,
    limit: Rate | Quota | None = None,
    cost: int = 1,
) -> "Requirement":
    """Let a route be used only with the permissions named: all of `permissions`, and one of `any_of` if any are.

    Goes directly on the handler, below the framework's own decorator. For sync and async functions, methods of
    endpoint classes, WebSocket endpoints, and bare ASGI functions; Starlette, FastAPI, Litestar, Quart, Django. A
    caller who lacks one is answered 403 (`permission_denied`) and the handler does not run. In FastAPI it is a
    dependency too, of a route, a router or the app, also for WebSockets: `dependencies=[Depends(requires("NAME"))]`.

    `fresh`: judge the key anew on the database's word, one round trip, whatever is remembered of it, and check the
    permissions that it has now: for what must not happen even in the moment that a change takes to spread. A key that
    is not usable any more is answered 401, a database that does not answer 503. Sync handlers must run in a thread (all
    the frameworks above do that, Litestar with `sync_to_thread=True`), else `ConfigurationError` is raised.

    `limit`: how much each key may use this route, beside its own limits; routes whose limits have one name share it,
    so they must be the same.
    `cost`: units that a request here takes from that, and from the limits of the key, in place of 1. Both are taken
    once the permissions are there; a caller over a limit is answered 429. One round trip where Redis counts. Sync
    handlers must run in a thread, as for `fresh`.

    Raises `UnknownPermissionError` for a name that no declared catalogue has, and `BadInputError` without any name, for
    a limit that another route has otherwise, or on something that cannot be wrapped: at once, as it is decorated.
    """
    check = PermissionCheck(check_declared(permissions), check_declared(any_of))
    if not check.all_of and not check.any_of:
        raise BadInputError('requires() names no permission: write @requires("NAME")')
    spending = _checked_spending(limit, cost)
    if limit is not None:
        caller = sys._getframe(1)  # noqa: SLF001 - for a message, as tracebacks tell it
        _note_limit(limit, f"{caller.f_code.co_filename}:{caller.f_lineno}")
    return Requirement(check, fresh=fresh, spending=spending)


def _checked_spending(limit: Any, cost: Any) -> "Spending | None":
    """What a route costs; `None` = as much as any. Raises `BadInputError`."""
    if limit is not None and not isinstance(limit, Rate | Quota):
        raise BadInputError(f"limit must be a Rate or a Quota, not {limit!r:.50}", "limit")
    if not isinstance(cost, int) or isinstance(cost, bool) or not 1 <= cost <= COST_MAX:
        raise BadInputError(f"cost must be a whole number, 1 to {COST_MAX}, not {cost!r:.50}", "cost")
    if limit is not None and cost > (limit.burst if isinstance(limit, Rate) else limit.units):
        raise BadInputError(f"cost must be at most what the limit has at once, or nobody is let in: {cost}", "cost")
    return None if limit is None and cost == 1 else Spending(limit, cost)


_limits_of_routes: dict[str, tuple[Rate | Quota, str]] = {}
"""The limit of each name that routes have, and where it was written: routes are decorated before any app exists."""


def _note_limit(limit: Rate | Quota, place: str) -> None:
    """Raise `BadInputError` where another route has another limit of that name. What is written at the same place takes
    the place of what was: the module is loaded anew, or makes several apps."""
    noted, where = _limits_of_routes.setdefault(limit.name, (limit, place))
    if noted != limit and where != place:
        raise BadInputError(
            f"limit: routes whose limits have one name share it, and {limit.name!r} is {noted} at {where}, but {limit} "
            f"at {place}: give one of them another name=",
            "limit",
        )
    _limits_of_routes[limit.name] = (limit, where)


class Requirement:
    """What `requires` answers: a decorator of handlers, and a dependency for FastAPI."""

    __signature__ = inspect.Signature(
        [inspect.Parameter(_CONNECTION, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection)]
    )
    """What FastAPI hands to a dependency: the request or WebSocket."""

    def __init__(self, check: "PermissionCheck", *, fresh: bool, spending: Spending | None = None) -> None:
        self.check = check
        self._fresh = fresh
        self._spending = spending

    @overload
    def __call__(self, handler: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def __call__(self, handler: None = None, /, *, connection: HTTPConnection) -> None: ...

    def __call__(
        self, handler: Callable[P, R] | None = None, /, *, connection: HTTPConnection | None = None
    ) -> Callable[P, R] | None:
        """The handler, guarded. Of a `connection`, which FastAPI gives in a thread: raise what FastAPI answers a caller
        with who is refused."""
        if connection is not None:
            call = Call.of(self, (), {_CONNECTION: connection})
            problem = (call.renew_from_thread() if self._fresh else None) or self.check.judge(connection.scope)
            if problem is None and self._spending is not None:
                problem = call.spend_from_thread(self._spending)
            if problem is not None:
                call.respond(problem)
                raise PermissionDeniedError(problem.body.decode())  # there was no route to tell from its dependency
            return None
        if handler is None:
            raise BadInputError(
                'requires("NAME") goes on a function: write it as a decorator, or Depends(requires("NAME"))'
            )
        return self._guard(handler)

    def _guard(self, handler: Callable[P, R]) -> Callable[P, R]:
        check, fresh, spending = self.check, self._fresh, self._spending
        checks = (*checks_of(handler), check)
        if not callable(handler) or inspect.isclass(handler) or isinstance(handler, staticmethod):
            raise BadInputError(f"requires() cannot wrap {handler!r}: put it directly on functions and methods")
        if _any_is(inspect.isasyncgenfunction, handler) or _any_is(inspect.isgeneratorfunction, handler):
            raise BadInputError(f"requires() cannot wrap the generator {handler!r}: put it on the route's handler")
        if _any_is(inspect.iscoroutinefunction, handler):
            answer = cast("Callable[P, Awaitable[Any]]", handler)

            @functools.wraps(handler)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                renewed = await Call.of(handler, args, kwargs).renew() if fresh else None
                problem = renewed or check.judge(scope_of(args, kwargs))
                if problem is None and spending is not None:
                    problem = await Call.of(handler, args, kwargs).spend(spending)
                if problem is not None:
                    return await Call.of(handler, args, kwargs).refuse(problem)
                return await answer(*args, **kwargs)

        else:

            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                renewed = Call.of(handler, args, kwargs).renew_from_thread() if fresh else None
                problem = renewed or check.judge(scope_of(args, kwargs))
                if problem is None and spending is not None:
                    problem = Call.of(handler, args, kwargs).spend_from_thread(spending)
                if problem is not None:
                    return Call.of(handler, args, kwargs).respond(problem)
                return handler(*args, **kwargs)

        setattr(guarded, _CHECKS, checks)
        return cast("Callable[P, R]", guarded)


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """Whether a caller may use a route: the one place where that is decided."""

    all_of: frozenset[str]
    any_of: frozenset[str]

    def judge(self, scope: Scope | None) -> Problem | None:
        """The refusal, or `None`, for a call that serves `scope`.

        Raises `ConfigurationError` where no middleware has put permissions into the scope, and where it would refuse
        every key: the catalogue of the keys that let the call in does not have what it asks for.
        """
        permissions = None if scope is None else scope.get("permissions")
        if not isinstance(permissions, frozenset):
            raise ConfigurationError("requires() found no permissions: wrap the app in gatepost.APIKeyMiddleware")
        if not self.all_of <= permissions:
            self._check_possible(permissions)
            note_refusal(Outcome.PERMISSION_DENIED)
            return denied(self.all_of, self.all_of - permissions, any_of=False)
        if self.any_of and not self.any_of & permissions:
            self._check_possible(permissions)
            note_refusal(Outcome.PERMISSION_DENIED)
            return denied(self.any_of, self.any_of, any_of=True)
        return None

    def _check_possible(self, permissions: frozenset[str]) -> None:
        """Raise `ConfigurationError` where no key could be given what the route asks for. Before a call nothing knows
        both route and keys, and a call that is let in pays nothing for it."""
        served = serving()
        if not served or served[0].get("permissions") is not permissions:
            return  # put there by somebody else
        catalogue: type[Catalogue] = served[1].catalogue
        foreign = self.all_of.difference(catalogue)
        if self.any_of and self.any_of.isdisjoint(catalogue):
            foreign |= self.any_of
        if foreign:
            raise ConfigurationError(
                f"requires() asks for {', '.join(sorted(foreign))}, which no key can be given: the keys' catalogue "
                f"{catalogue.__name__} does not have it. Name one that it has, or give APIKeys the catalogue with it "
                "(catalogue=...)"
            )


def checks_of(handler: Any) -> "tuple[PermissionCheck, ...]":
    """What `requires` will ask of a handler, also below decorators that tell what they wrap (`functools.wraps`)."""
    checks: tuple[PermissionCheck, ...] = getattr(handler, _CHECKS, ())
    return checks


def _any_is(test: Callable[[Any], bool], handler: Any) -> bool:
    """Whether the test holds for a function, or for how an object is called."""
    return test(handler) or (not inspect.isroutine(handler) and test(type(handler).__call__))
