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

from benchmarks.coroutine import drive
from benchmarks.measured import Series, Table
from benchmarks.rounds import Contestant, Plan, Runs, ratio, take_turns
from gatepost import requires

CALLS = 10_000
"""Of a handler, a round: some ten milliseconds, short against what disturbs a shared machine."""

ROUTE_CALLS = 1_000
"""Of a whole route, a round: the same."""

ONE = ("FILE_UPLOAD",)
FIVE = ("FILE_UPLOAD", "FILE_RENAME", "FILE_MOVE", "DIR_CREATE", "OBJECTS_LIST")
HELD = frozenset({*FIVE, "FILE_DELETE"})
LACKING = HELD - {*FIVE}

NO_CHECK = "no check"
BY_HAND = "one line by hand"
GATEPOST = "gatepost, one permission"
GATEPOST_FIVE = "gatepost, five permissions"
GATEPOST_ANY = "gatepost, any of five"
STARLETTE = "Starlette's requires, one scope"
STARLETTE_FIVE = "Starlette's requires, five scopes"
FASTAPI = "FastAPI's Security, one scope"
FASTAPI_FIVE = "FastAPI's Security, five scopes"
FASTAPI_EMPTY = "FastAPI, a dependency that does nothing"

_STARLETTE_NOTE = "names are texts that nobody checks; the refusal does not say what is missing"
_FASTAPI_NOTE = "the check itself is written by hand; names are texts that nobody checks"
NOTES = {
    BY_HAND: "an if in the handler; names are texts that nobody checks; the refusal does not say what is missing",
    STARLETTE: _STARLETTE_NOTE,
    STARLETTE_FIVE: _STARLETTE_NOTE,
    FASTAPI: _FASTAPI_NOTE,
    FASTAPI_FIVE: _FASTAPI_NOTE,
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


async def measure(plan: Plan) -> Sequence[Table]:
    """Times are µs a request."""
    return [await _handlers(plan), await _routes(plan)]


async def _handlers(plan: Plan) -> Table:
    contestants: dict[str, Contestant] = {}
    for name, guarded in HANDLERS.items():
        _check(name, partial(_status_of_handler, guarded))
        contestants[name] = partial(_time_handler, guarded, plan.pick(CALLS, CALLS // 5))
    runs = await take_turns(contestants, plan.pick(60, 20), plan.tell)
    return Table(
        title="Permission check on a Starlette handler: added time",
        unit="µs",
        better="less",
        series=_added(runs),
        ratios=(
            ratio(runs, GATEPOST, STARLETTE, beyond=NO_CHECK),
            ratio(runs, GATEPOST_FIVE, STARLETTE_FIVE, beyond=NO_CHECK),
        ),
        note="Of requests that are let in. What finding the key costs is not in it: see memory_hit.",
    )


async def _routes(plan: Plan) -> Table:
    contestants: dict[str, Contestant] = {}
    for name, app in _apps().items():
        _check(name, partial(_status_of_app, app))
        contestants[name] = partial(_time_app, app, plan.pick(ROUTE_CALLS, ROUTE_CALLS // 5))
    runs = await take_turns(contestants, plan.pick(40, 15), plan.tell)
    return Table(
        title="Permission check on a FastAPI route: added time",
        unit="µs",
        better="less",
        series=_added(runs),
        ratios=(
            ratio(runs, GATEPOST, FASTAPI, beyond=NO_CHECK),
            ratio(runs, GATEPOST_FIVE, FASTAPI_FIVE, beyond=NO_CHECK),
        ),
        note="Whole requests to an app with one route, called as a server calls it, less those to the same route with "
        "no check. Of requests that are let in.",
    )


def _apps() -> Mapping[str, ASGIApp]:
    """Each with one route, so that all find it as fast."""
    apps: dict[str, ASGIApp] = {}
    for name in (NO_CHECK, GATEPOST, GATEPOST_FIVE):
        apps[name] = _app(HANDLERS[name])
    for name, dependency in DEPENDENCIES.items():
        apps[name] = _app(handler, dependency)
    return apps


def _app(endpoint: Handler, *dependencies: Any) -> ASGIApp:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", endpoint, response_model=None, dependencies=dependencies)
    return app


def _added(runs: Runs) -> tuple[Series, ...]:
    """What each contestant adds to the handler or route that has no check."""
    return tuple(
        Series(
            name=name,
            runs=tuple(mine - base for mine, base in zip(runs[name], runs[NO_CHECK], strict=True)),
            note=NOTES.get(name, ""),
        )
        for name in runs
        if name != NO_CHECK
    )


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

    drive(app(_scope(held), _receive, send))
    return int(sent[0]["status"])


async def _time_handler(guarded: Handler, calls: int) -> float:
    request = Request(_scope(HELD))
    begun = time.perf_counter()
    for _ in range(calls):
        drive(guarded(request))
    return (time.perf_counter() - begun) / calls * 1e6


async def _time_app(app: ASGIApp, calls: int) -> float:
    scopes = [_scope(HELD) for _ in range(calls)]  # an app writes into its scope
    begun = time.perf_counter()
    for scope in scopes:
        drive(app(scope, _receive, _send))
    return (time.perf_counter() - begun) / calls * 1e6


def _scope(held: frozenset[str]) -> Scope:
    """As the middleware leaves it, for gatepost and for Starlette."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"api.example.org")],
        "permissions": held,
        "auth": AuthCredentials(sorted(held)),
    }


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    """Nobody reads it."""
