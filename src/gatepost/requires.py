"""`requires`: permissions on routes, in whatever framework. One check; thin wrappers around it."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from gatepost.catalogue import check_declared
from gatepost.context import current_scope
from gatepost.errors import BadInputError, ConfigurationError
from gatepost.refusals import refuse, response_of
from gatepost.responses import Problem, denied
from gatepost.sources import Scope

P = ParamSpec("P")
R = TypeVar("R")


def requires(*permissions: str, any_of: Iterable[str] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a route be used only with the permissions named: all of `permissions`, and one of `any_of` if any are.

    Goes directly on the handler, below the framework's own decorator. For sync and async functions, methods of
    endpoint classes, WebSocket endpoints, and bare ASGI functions; Starlette, FastAPI, Litestar, Quart, Django. A
    caller who lacks one is answered 403 (`permission_denied`) and the handler does not run.

    Raises `UnknownPermissionError` for a name that no declared catalogue has, and `BadInputError` without any name
    or on something that cannot be wrapped: at once, when the route is decorated.
    """
    check = PermissionCheck(check_declared(permissions), check_declared(any_of))
    if not check.all_of and not check.any_of:
        raise BadInputError('requires() names no permission: write @requires("NAME")')

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        if inspect.isclass(handler) or not callable(handler):
            raise BadInputError(f"requires() cannot wrap {handler!r}: put it on functions and methods")
        if inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler):
            raise BadInputError(f"requires() cannot wrap the generator {handler!r}: put it on the route's handler")
        if inspect.iscoroutinefunction(handler):

            @functools.wraps(handler)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                problem, connection = check.judge(args, kwargs)
                if problem is not None:
                    return await refuse(problem, connection, args)
                return await handler(*args, **kwargs)

        else:

            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                problem, connection = check.judge(args, kwargs)
                if problem is not None:
                    return response_of(problem, connection)
                return handler(*args, **kwargs)

        return cast("Callable[P, R]", guarded)

    return decorate


@dataclass(frozen=True, slots=True)
class PermissionCheck:
    """Whether a caller may use a route: the one place where that is decided."""

    all_of: frozenset[str]
    any_of: frozenset[str]

    def judge(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Problem | None, Any]:
        """The refusal, or `None`, for a call of a handler; and the connection object among its arguments, if any.

        Raises `ConfigurationError` where no middleware has put permissions into the scope.
        """
        connection, scope = _connection_of(args, kwargs)
        permissions = None if scope is None else scope.get("permissions")
        if not isinstance(permissions, frozenset):
            raise ConfigurationError("requires() found no permissions: wrap the app in gatepost.APIKeyMiddleware")
        if not self.all_of <= permissions:
            return denied(self.all_of, self.all_of - permissions, any_of=False), connection
        if self.any_of and not self.any_of & permissions:
            return denied(self.any_of, self.any_of, any_of=True), connection
        return None, connection


def _connection_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Scope | None]:
    """The request, WebSocket or bare scope among a handler's arguments with its scope; else the scope being served.

    Found by what it is, not by its parameter's name. Django's views, Starlette's and Litestar's handlers get one;
    FastAPI's and Quart's need not, and neither do methods called by a framework with the path's parameters only.
    """
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, dict) and argument.get("type") in {"http", "websocket"} and "headers" in argument:
            return argument, argument
        scope = getattr(argument, "scope", None)
        if isinstance(scope, dict) and "type" in scope:
            return argument, scope
    return None, current_scope.get()
