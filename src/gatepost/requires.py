"""`requires`: permissions on routes, in whatever framework. One check; thin wrappers around it."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from gatepost.catalogue import check_declared
from gatepost.errors import BadInputError, ConfigurationError
from gatepost.refusals import Call, scope_of
from gatepost.responses import Problem, denied
from gatepost.sources import Scope

P = ParamSpec("P")
R = TypeVar("R")


def requires(
    *permissions: str, any_of: Iterable[str] = (), fresh: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a route be used only with the permissions named: all of `permissions`, and one of `any_of` if any are.

    Goes directly on the handler, below the framework's own decorator. For sync and async functions, methods of
    endpoint classes, WebSocket endpoints, and bare ASGI functions; Starlette, FastAPI, Litestar, Quart, Django. A
    caller who lacks one is answered 403 (`permission_denied`) and the handler does not run.

    `fresh`: judge the key anew on the database's word, one round trip, whatever is remembered of it, and check the
    permissions that it has now: for what must not happen even in the moment that a change takes to spread. A key that
    is not usable any more is answered 401, a database that does not answer 503. Sync handlers must run in a thread (all
    the frameworks above do that, Litestar with `sync_to_thread=True`), else `ConfigurationError` is raised.

    Raises `UnknownPermissionError` for a name that no declared catalogue has, and `BadInputError` without any name
    or on something that cannot be wrapped: at once, when the route is decorated.
    """
    check = PermissionCheck(check_declared(permissions), check_declared(any_of))
    if not check.all_of and not check.any_of:
        raise BadInputError('requires() names no permission: write @requires("NAME")')

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
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
                if problem is not None:
                    return await Call.of(handler, args, kwargs).refuse(problem)
                return await answer(*args, **kwargs)

        else:

            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                renewed = Call.of(handler, args, kwargs).renew_from_thread() if fresh else None
                problem = renewed or check.judge(scope_of(args, kwargs))
                if problem is not None:
                    return Call.of(handler, args, kwargs).respond(problem)
                return handler(*args, **kwargs)

        return cast("Callable[P, R]", guarded)

    return decorate


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """Whether a caller may use a route: the one place where that is decided."""

    all_of: frozenset[str]
    any_of: frozenset[str]

    def judge(self, scope: Scope | None) -> Problem | None:
        """The refusal, or `None`, for a call that serves `scope`.

        Raises `ConfigurationError` where no middleware has put permissions into the scope.
        """
        permissions = None if scope is None else scope.get("permissions")
        if not isinstance(permissions, frozenset):
            raise ConfigurationError("requires() found no permissions: wrap the app in gatepost.APIKeyMiddleware")
        if not self.all_of <= permissions:
            return denied(self.all_of, self.all_of - permissions, any_of=False)
        if self.any_of and not self.any_of & permissions:
            return denied(self.any_of, self.any_of, any_of=True)
        return None


def _any_is(test: Callable[[Any], bool], handler: Any) -> bool:
    """Whether the test holds for a function, or for how an object is called."""
    return test(handler) or (not inspect.isroutine(handler) and test(type(handler).__call__))
