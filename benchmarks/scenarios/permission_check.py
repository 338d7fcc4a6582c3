"""What a permission check on a route costs a request, in process: `@requires` against Starlette's and FastAPI's own.

First a Starlette handler, called with a request as the middleware leaves it: no server, no routing, no event loop. Then
a whole FastAPI app called as a server calls it, since its checks are dependencies, which only a route resolves.
"""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.security import SecurityScopes
from starlette.authentication import AuthCredentials
from starlette.authentication import requires as starlette_requires
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Scope

from benchmarks.in_process import drive, receive, scope_of, time_requests
from benchmarks.measured import Table
from benchmarks.rounds import Contestant, Plan, Runs, ratio, series, take_turns
from gatepost import PermissionsFirst, requires
from gatepost.asgi import RefusedError

CALLS = 10_000
"""Of a handler, a round: some ten milliseconds, short against what disturbs a shared machine."""

ROUTE_CALLS = 1_000
"""Of a whole route, a round: the same."""

ONE = ("FILE_UPLOAD",)
FIVE = ("FILE_UPLOAD", "FILE_RENAME", "FILE_MOVE", "DIR_CREATE", "OBJECTS_LIST")
BY_HAND_LIMIT = 4
"""Of what one line in the handler costs, at most."""

DEPENDENCY_LIMIT = 1.3
"""Of what a whole request costs whose route has the decorator, at most: `requires` as FastAPI's dependency."""

HELD = frozenset({*FIVE, "FILE_DELETE"})
LACKING = HELD - {*FIVE}

NO_CHECK = "no check"
BY_HAND = "one line by hand"
GATEPOST, GATEPOST_FIVE = "gatepost, one permission", "gatepost, five permissions"
GATEPOST_ANY = "gatepost, any of five"
STARLETTE, STARLETTE_FIVE = "Starlette's requires, one scope", "Starlette's requires, five scopes"
FASTAPI, FASTAPI_FIVE = "FastAPI's Security, one scope", "FastAPI's Security, five scopes"
DECORATED, DEPENDENCY = "gatepost, the decorator", "gatepost, a dependency"
SCOPES = "gatepost, scopes of Security"
FASTAPI_EMPTY = "FastAPI, a dependency that does nothing"

NOTES = {
    BY_HAND: "an if in the handler; names are texts that nobody checks; the refusal does not say what is missing",
    **dict.fromkeys(
        (STARLETTE, STARLETTE_FIVE), "names are texts that nobody checks; the refusal does not say what is missing"
    ),
    **dict.fromkeys((FASTAPI, FASTAPI_FIVE), "the check itself is written by hand; names are texts that nobody checks"),
    FASTAPI_EMPTY: "for comparison: what a dependency costs before it checks anything",
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

DONE = Response("done")


async def handler(request: Request) -> Response:  # noqa: ARG001 - Starlette's decorator finds it by its name
    """What is to be protected."""
    return DONE


async def guarded_by_hand(request: Request) -> Response:
    """The least that one can write."""
    if "FILE_UPLOAD" not in request.scope["permissions"]:
        return Response(status_code=403)
    return DONE


async def check_scopes(request: Request, wanted: SecurityScopes) -> None:
    """What one writes for FastAPI's `Security`."""
    if not request.scope["permissions"].issuperset(wanted.scopes):
        raise HTTPException(403)


async def check_nothing() -> None:
    """A dependency."""


HANDLERS: Mapping[str, Handler] = {
    NO_CHECK: handler,
    BY_HAND: guarded_by_hand,
    GATEPOST: requires(*ONE)(handler),
    GATEPOST_FIVE: requires(*FIVE)(handler),
    GATEPOST_ANY: requires(any_of=FIVE)(handler),
    STARLETTE: starlette_requires(ONE)(handler),
    STARLETTE_FIVE: starlette_requires(FIVE)(handler),
}

DEPENDENCIES: Mapping[str, Any] = {
    FASTAPI: Security(check_scopes, scopes=list(ONE)),
    FASTAPI_FIVE: Security(check_scopes, scopes=list(FIVE)),
    FASTAPI_EMPTY: Depends(check_nothing),
}


GUARDED: Mapping[str, tuple[Handler, Sequence[Any]]] = {
    DECORATED: (HANDLERS[GATEPOST], ()),
    DEPENDENCY: (handler, [Depends(requires(*ONE))]),
    SCOPES: (handler, [Security(requires, scopes=list(ONE))]),
}
"""The ways to ask for a permission in FastAPI, by handler and dependencies."""


async def measure(plan: Plan) -> Sequence[Table]:
    """Times are µs a request."""
    handlers: dict[str, Contestant] = {}
    for name, guarded in HANDLERS.items():
        _check(name, partial(_status_of_handler, guarded))
        handlers[name] = partial(_time_handler, guarded, plan.pick(CALLS, CALLS // 5))
    routes: dict[str, Contestant] = {}
    apps = {name: _app(HANDLERS[name]) for name in (NO_CHECK, GATEPOST, GATEPOST_FIVE)}
    apps |= {name: _app(handler, dependency) for name, dependency in DEPENDENCIES.items()}
    for name, app in apps.items():
        _check(name, partial(_status_of_app, app))
        routes[name] = partial(_time_app, app, plan.pick(ROUTE_CALLS, ROUTE_CALLS // 5))
    ways: dict[str, Contestant] = {}
    for name, (guarded, dependencies) in GUARDED.items():
        app = _app(guarded, *dependencies)
        app.add_middleware(PermissionsFirst)
        app.add_exception_handler(RefusedError, _refused)
        _check(name, partial(_status_of_app, app))
        ways[name] = partial(_time_app, app, plan.pick(ROUTE_CALLS, ROUTE_CALLS // 5))
    found = "Of requests that are let in. What finding the key costs is not in it: see memory_hit."
    whole = "Whole requests to an app with one route, called as a server calls it, less those to the same route with "
    whole += "no check. Of requests that are let in."
    starlette, fastapi = (STARLETTE, STARLETTE_FIVE), (FASTAPI, FASTAPI_FIVE)
    asked = await take_turns(ways, plan.pick(150, 15), plan.tell)
    return [
        _added("a Starlette handler", await take_turns(handlers, plan.pick(60, 20), plan.tell), starlette, found),
        _added("a FastAPI route", await take_turns(routes, plan.pick(40, 15), plan.tell), fastapi, whole),
        Table(
            title="Permission of a FastAPI route, asked by a dependency: whole requests",
            unit="µs",
            series=series(asked),
            ratios=tuple(ratio(asked, each, DECORATED, limit=DEPENDENCY_LIMIT) for each in (DEPENDENCY, SCOPES)),
            note="With `PermissionsFirst` in the app, as `Guard` has it. Called as a server calls it; what finding the "
            "key costs is not in it.",
        ),
    ]


def _added(what: str, runs: Runs, rivals: tuple[str, str], note: str) -> Table:
    """What each adds to the handler or route that has no check."""
    pairs = zip((GATEPOST, GATEPOST_FIVE), rivals, strict=True)
    by_hand = [ratio(runs, GATEPOST, BY_HAND, beyond=NO_CHECK, limit=BY_HAND_LIMIT)] if BY_HAND in runs else []
    return Table(
        title=f"Permission check on {what}: added time",
        unit="µs",
        series=series(runs, NOTES, beyond=NO_CHECK),
        ratios=(*by_hand, *(ratio(runs, ours, theirs, beyond=NO_CHECK) for ours, theirs in pairs)),
        note=note,
    )


def _app(endpoint: Handler, *dependencies: Any) -> FastAPI:
    """With one route, so that all find it as fast."""
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", endpoint, response_model=None, dependencies=dependencies)
    return app


async def _refused(request: Request, refusal: Exception) -> Response:  # noqa: ARG001 - as FastAPI calls it
    return Response(status_code=403)


def _check(name: str, status: Callable[[frozenset[str]], int]) -> None:
    """Raises `RuntimeError` where a contestant does not do what it is timed for."""
    refuses = name not in {NO_CHECK, FASTAPI_EMPTY}
    for held, right in ((HELD, 200), (LACKING, 403 if refuses else 200)):
        if (answered := status(held)) != right:
            raise RuntimeError(f"{name}: status {answered} where {right} is right")


def _status_of_handler(guarded: Handler, held: frozenset[str]) -> int:
    try:
        return drive(guarded(Request(_scope(held)))).status_code
    except HTTPException as refusal:
        return refusal.status_code


def _status_of_app(app: ASGIApp, held: frozenset[str]) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    drive(app(_scope(held), receive, send))
    return int(sent[0]["status"])


async def _time_handler(guarded: Handler, calls: int) -> float:
    request = Request(_scope(HELD))
    begun = time.perf_counter()
    for _ in range(calls):
        drive(guarded(request))
    return (time.perf_counter() - begun) / calls * 1e6


async def _time_app(app: ASGIApp, calls: int) -> float:
    return time_requests(app, [_scope(HELD) for _ in range(calls)])  # an app writes into its scope


def _scope(held: frozenset[str]) -> Scope:
    """As the middleware leaves it, for gatepost and for Starlette."""
    headers = [(b"host", b"api.example.org")]
    return scope_of(None, root_path="", headers=headers, permissions=held, auth=AuthCredentials(sorted(held)))
