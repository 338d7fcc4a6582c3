"""`requires`: permissions on routes, in whatever framework. One check; thin wrappers around it.

requires("A") ──> Requirement ──┬ of a handler: the handler, guarded
                                └ of a connection, as FastAPI calls its dependencies: nothing, or the refusal raised
requires, not called ──> FastAPI's Security(requires, scopes=["A"]): the same of the scopes
"""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from starlette.requests import HTTPConnection

from gatepost.asgi.permission_check import PermissionCheck
from gatepost.asgi.refusals import Call, Spending, scope_of
from gatepost.asgi.routes import as_awaited
from gatepost.asgi.touched import On, Touched
from gatepost.base import COST_MAX, BadInputError, PermissionDeniedError, Quota, Rate
from gatepost.rules import check_declared

if TYPE_CHECKING:
    from gatepost.asgi.responses import Problem

P = ParamSpec("P")
R = TypeVar("R")

_CONNECTION = "connection"
_SCOPES = "security_scopes"
_CHECKS = "__gatepost_checks__"
_ABOVE = "__gatepost_checks_above__"


def _of_dependency() -> inspect.Signature | None:
    """What FastAPI hands to a dependency: the request or WebSocket, and the scopes. `None` where it is not loaded."""
    security = sys.modules.get("fastapi.security")
    if security is None:
        return None
    kinds = {_SCOPES: security.SecurityScopes, _CONNECTION: HTTPConnection}
    return inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in kinds.items()]
    )


def _let_await(dependency: object, ask: Callable[..., Awaitable[None]]) -> None:
    """Have FastAPI await the dependency where it would call it in a thread, which costs more than all else: it looks at
    the attribute to tell, and calls the object, which Python does by its class."""
    vars(dependency)["__call__"] = ask


class Uncalled:
    """`requires` itself: called by people it makes requirements, called by FastAPI it is one, of the scopes."""

    goes_by_scopes = True

    def __init__(self, make: Callable[..., "Requirement"]) -> None:
        functools.update_wrapper(self, make)
        self._make = make
        _let_await(self, self._ask)

    def __call__(self, *permissions: Any, **options: Any) -> Any:
        """A `Requirement`; what FastAPI awaits, where it gives the scopes."""
        return self._ask(**options) if _SCOPES in options else self._make(*permissions, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        """What FastAPI is to hand over. Made where FastAPI is there to ask: nobody else loads it."""
        return _of_dependency() or inspect.signature(self._make)

    async def _ask(self, security_scopes: Any, connection: HTTPConnection) -> None:
        await requirement_of(tuple(security_scopes.scopes))(connection=connection)


def _of_scopes_too(make: Callable[P, "Requirement"]) -> Callable[P, "Requirement"]:
    """`requires` that FastAPI may be given without a call."""
    return cast("Callable[P, Requirement]", Uncalled(make))


@_of_scopes_too
def requires(
    *permissions: str,
    any_of: Iterable[str] = (),
    fresh: bool = False,
    limit: Rate | Quota | None = None,
    cost: int = 1,
    on: On | None = None,
) -> "Requirement":
    """Let a route be used only with the permissions named: all of `permissions`, and one of `any_of` if any are.

    Goes directly on the handler, below the framework's own decorator. For sync and async functions, methods of
    endpoint classes, WebSocket endpoints, and bare ASGI functions; Starlette, FastAPI, Litestar, Quart, Django. A
    caller who lacks one is answered 403 (`permission_denied`) and the handler does not run. In FastAPI it is a
    dependency too, of a route, a router or the app, also for WebSockets: `dependencies=[Depends(requires("NAME"))]`,
    or, all of the scopes, `Security(requires, scopes=["NAME"])`. In Litestar it is a guard: `guards=[requires(...)]`.

    `fresh`: judge the key anew on the database's word, one round trip, whatever is remembered of it, and check the
    permissions that it has now: for what must not happen even in the moment that a change takes to spread. A key that
    is not usable any more is answered 401, a database that does not answer 503. Sync handlers must run in a thread (all
    the frameworks above do that, Litestar with `sync_to_thread=True`), else `ConfigurationError` is raised.

    `limit`: how much each key may use this route, beside its own limits; routes whose limits have one name share it,
    so they must be the same.
    `cost`: units that a request here takes from that, and from the limits of the key, in place of 1. Both are taken
    once the permissions are there; a caller over a limit is answered 429. One round trip where Redis counts. Sync
    handlers must run in a thread, as for `fresh`.

    `on`: what a request touches, for keys whose permissions hold on some resources alone: `"dir:/{path}"`, with path
    parameters in braces; a function of the request (Starlette's `HTTPConnection`) that answers such a text, or several;
    or a sequence of these, which must all be within. Left out, or where it cannot be told for certain, such a key is
    refused; `()` = nothing is touched, or the handler asks itself (`APIKey.permits`). Costs other keys nothing.

    Raises `UnknownPermissionError` for a name that no declared catalogue has, and `BadInputError` without any name, for
    a limit that another route has otherwise, or on something that cannot be wrapped: at once, as it is decorated.
    """
    check = _checked(permissions, any_of, on)
    spending = _checked_spending(limit, cost)
    if limit is not None:
        caller = sys._getframe(2)  # noqa: SLF001 - for a message, as tracebacks tell it
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

    def __init__(self, check: PermissionCheck, *, fresh: bool, spending: Spending | None = None) -> None:
        self.check = check
        self._fresh = fresh
        self._spending = spending
        _let_await(self, self._ask)

    @property
    def __signature__(self) -> inspect.Signature:
        """What FastAPI is to hand over."""
        return _of_dependency() or inspect.signature(type(self).__call__)

    @overload
    def __call__(self, handler: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def __call__(
        self, handler: None = None, /, *, connection: HTTPConnection, security_scopes: Any = None
    ) -> Awaitable[None]: ...

    @overload
    def __call__(self, handler: Any, route_handler: Any, /) -> Awaitable[None]: ...

    def __call__(
        self,
        handler: Callable[P, R] | Any = None,
        route_handler: object = None,
        /,
        *,
        connection: HTTPConnection | None = None,
        security_scopes: Any = None,
    ) -> Callable[P, R] | Awaitable[None]:
        """The handler, guarded. Of a `connection`, which FastAPI gives, or of a connection and a route handler, which
        Litestar gives its guards: raise what these answer a caller with who is refused."""
        if connection is not None or route_handler is not None:
            return self._ask(handler if connection is None else connection, security_scopes)
        if handler is None:
            raise BadInputError(
                'requires("NAME") goes on a function: write it as a decorator, or Depends(requires("NAME"))'
            )
        return self._guard(handler)

    async def _ask(self, connection: Any, security_scopes: Any = None) -> None:
        if security_scopes is not None and security_scopes.scopes:
            self._refuse_own(security_scopes.scopes, connection.scope)
        call = Call.of(self, (), {_CONNECTION: connection}) if self._fresh or self._spending is not None else None
        problem = await call.renew() if call is not None and self._fresh else None
        problem = problem or self.check.judge(connection.scope)
        if problem is None and call is not None and self._spending is not None:
            problem = await call.spend(self._spending)
        if problem is not None:
            (call or Call.of(self, (), {_CONNECTION: connection})).respond(problem)
            raise PermissionDeniedError(problem.body.decode())  # there was no route to tell from its dependency

    async def refusal(self, arguments: Mapping[str, Any]) -> "Problem | None":
        """The refusal of the request being served, logged and counted; `None` = it may. For integrations that refuse in
        a form of their own. `arguments`: by name, for `on=`."""
        call = Call.of(self, (), {})
        problem = await call.renew() if self._fresh else None
        problem = problem or self.check.judge(call.scope, arguments)
        if problem is None and self._spending is not None:
            problem = await call.spend(self._spending)
        if problem is not None:
            call.tell(problem)
        return problem

    def _refuse_own(self, scopes: Sequence[str], scope: Any) -> None:
        """Raise `BadInputError` where the scopes that FastAPI hands over are not those of what this is a dependency of,
        but of this itself, so that whoever wrote them takes them for asked. Also where it cannot be told."""
        places = (scope.get("route"), *scope.get("fastapi", {}).values())
        above = [getattr(place, "dependant", None) for place in places]
        found = []
        while above:
            held = getattr(above.pop(), "dependencies", ())
            found += [each for each in held if each.call is self]
            above += held
        if not found or any(each.own_oauth_scopes for each in found):
            raise ignored(next((each.own_oauth_scopes for each in found if each.own_oauth_scopes), scopes))

    def _guard(self, handler: Callable[P, R]) -> Callable[P, R]:
        check, fresh, spending = self.check, self._fresh, self._spending
        checks = (*checks_of(handler), check)
        if not callable(handler) or inspect.isclass(handler) or isinstance(handler, staticmethod):
            raise BadInputError(f"requires() cannot wrap {handler!r}: put it directly on functions and methods")
        if _any_is(inspect.isasyncgenfunction, handler) or _any_is(inspect.isgeneratorfunction, handler):
            raise BadInputError(
                f"requires() cannot wrap the generator {handler!r}: put it on the route's handler; for a "
                'subscription of strawberry write @strawberry.subscription(extensions=[Requires("NAME")]), from '
                "gatepost.integrations.strawberry"
            )
        if _any_is(inspect.iscoroutinefunction, handler):
            answer = cast("Callable[P, Awaitable[Any]]", handler)

            @functools.wraps(handler)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                renewed = await Call.of(handler, args, kwargs).renew() if fresh else None
                problem = renewed or check.judge(scope_of(args, kwargs), kwargs)
                if problem is None and spending is not None:
                    problem = await Call.of(handler, args, kwargs).spend(spending)
                if problem is not None:
                    return await Call.of(handler, args, kwargs).refuse(problem)
                return await answer(*args, **kwargs)

        else:

            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                renewed = Call.of(handler, args, kwargs).renew_from_thread() if fresh else None
                problem = renewed or check.judge(scope_of(args, kwargs), kwargs)
                if problem is None and spending is not None:
                    problem = Call.of(handler, args, kwargs).spend_from_thread(spending)
                if problem is not None:
                    return as_awaited(Call.of(handler, args, kwargs).respond(problem), handler, args)
                return handler(*args, **kwargs)

        setattr(guarded, _CHECKS, checks)
        vars(guarded).pop(_ABOVE, None)  # what was said of the handler, which `wraps` copies
        _mark(handler, check)
        return cast("Callable[P, R]", guarded)


def ignored(scopes: Sequence[str]) -> BadInputError:
    """What is wrong with scopes beside permissions: nobody would be asked for them."""
    return BadInputError(
        f"Security(requires(...), scopes={scopes!r}) asks for none of the scopes: "
        'write Depends(requires("A", "B")) or Security(requires, scopes=["A", "B"])'
    )


@functools.lru_cache(maxsize=4096)  # as many as an app has lists of scopes
def requirement_of(scopes: Sequence[str]) -> Requirement:
    """All of the scopes, which FastAPI gathers from a dependency and those that it is one of. Raises as `requires`."""
    return Requirement(_checked(scopes), fresh=False)


def _checked(permissions: Iterable[str], any_of: Iterable[str] = (), on: On | None = None) -> PermissionCheck:
    check = PermissionCheck(check_declared(permissions), check_declared(any_of), Touched.checked(on))
    if not check.all_of and not check.any_of:
        raise BadInputError(
            'requires() names no permission: write @requires("NAME"), Depends(requires("NAME")) or '
            'Security(requires, scopes=["NAME"])'
        )
    return check


def checks_of(handler: Any) -> tuple[PermissionCheck, ...]:
    """What `requires` will ask of a handler, also below decorators that tell what they wrap (`functools.wraps`)."""
    checks: tuple[PermissionCheck, ...] = getattr(handler, _CHECKS, ())
    return checks


def checks_above(handler: Any) -> tuple[PermissionCheck, ...]:
    """What `requires` asks that was put around this very handler: a route that was given it asks none of that."""
    checks: tuple[PermissionCheck, ...] = getattr(handler, "__dict__", {}).get(_ABOVE, ())
    return checks


def _mark(handler: Any, check: PermissionCheck) -> None:
    """Note what is asked above a handler; also on what is below other decorators, which a framework may have. Once:
    Django's `method_decorator` decorates anew at each request."""
    while handler is not None:
        if check not in (noted := checks_above(handler)):
            with suppress(AttributeError):  # methods that are bound, objects with slots
                setattr(handler, _ABOVE, (*noted, check))
        handler = getattr(handler, "__wrapped__", None)


def _any_is(test: Callable[[Any], bool], handler: Any) -> bool:
    """Whether the test holds for a function, or for how an object is called."""
    return test(handler) or (not inspect.isroutine(handler) and test(type(handler).__call__))
