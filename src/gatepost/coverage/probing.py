"""`prove`: each answer proved by a request without a key. What a middleware of gatepost's lets in is stopped behind it,
and what may come to a handler is not asked."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.asgi import APIKeyMiddleware
from gatepost.base import Timeout, line_of
from gatepost.coverage.gap import CODES, Gap
from gatepost.coverage.needs import LOCALHOST, Judge, Needs, is_plain, scope_of
from gatepost.coverage.report import Coverage
from gatepost.coverage.route import Route

PATIENCE_SECONDS = 30.0
"""Longest wait for what stands before a middleware of gatepost's: it may be anything."""

REFUSED = "refused"
"""The middleware has answered that a key is missing."""
LET_IN = "let in"
"""The middleware has let it through without a key; it was stopped there."""


class _Asked:
    """One request under way. `guards`: how many middlewares are on its way; `passed`: how many have let it in."""

    def __init__(self, guards: int) -> None:
        self.guards = guards
        self.passed = 0
        self.refused = False


_asked: ContextVar[_Asked] = ContextVar("gatepost_coverage_asked")


async def prove(app: ASGIApp, coverage: Coverage) -> Coverage:
    """The same, with what a request without a key came to at each route, and a gap for each that is not as was said.

    Sent to the app in this process, without its lifespan, with a made-up value for each parameter. What stands around
    gatepost's middleware runs. A route with no middleware on its way is not asked, nor is one in whose place a route
    with fewer of them may be asked: a handler would run."""
    routes = [route for route, _ in coverage.routes]
    expected = _expected(coverage)  # now: the first request may put the app together, and what is exempt with it
    proofs: dict[Route, str] = {}
    gaps: list[Gap] = []
    async with _stopped_behind():
        for number, (route, needs) in enumerate(coverage.routes):
            against = _against(number, routes)
            proof = await _ask(app, route) if against is None else f"not asked: {against}"
            proofs[route] = proof
            if proof in {REFUSED, LET_IN} and proof != expected[number] and expected[number] is not None:
                gaps.append(
                    Gap(
                        "disproved",
                        "error",
                        route.subject,
                        f"{route.subject} should need {needs}, but a request without a key was {proof}",
                        "Something on the way is not what it looks like: see which route takes that path first",
                        route.place,
                    )
                )
    order = CODES.index
    return replace(coverage, proofs=proofs, gaps=sorted([*gaps, *coverage.gaps], key=lambda gap: order(gap.code)))


def _expected(coverage: Coverage) -> Sequence[str | None]:
    """What a request without a key is to come to at each route, by what is said of it; `None` = that cannot be told."""
    judge = Judge([route for route, _ in coverage.routes])

    def of_states(route: Route) -> str | None:
        states = {judge.state_of(guard, route) for guard in route.guards}
        if Needs.KEY in states:
            return REFUSED
        return None if Needs.PARTLY in states else LET_IN

    said = {Needs.KEY: REFUSED, Needs.EXEMPT: LET_IN, Needs.OPTIONAL: LET_IN}
    unsaid = {Needs.PARTLY, Needs.ASKED_PARTLY}
    return [None if needs in unsaid else said.get(needs) or of_states(route) for route, needs in coverage.routes]


@asynccontextmanager
async def _stopped_behind() -> AsyncIterator[None]:
    """Have every middleware hand what it lets in without a key to nobody.

    The apps' own instances are not known, for some are made at the first request: so it is done in the class, in this
    process, which serves nobody."""
    enter = APIKeyMiddleware._enter  # noqa: SLF001

    async def entering(self: APIKeyMiddleware, *args: Any, **named: Any) -> Any:
        entered = await enter(self, *args, **named)
        asked = _asked.get(None)
        if asked is None:  # somebody else's request, in the same process
            return entered
        if entered is None:
            asked.refused = True
            return None
        asked.passed += 1
        digest, key, within, send = entered
        return digest, key, within if asked.passed < asked.guards else _stop, send

    log = logging.getLogger("gatepost.refusals")  # nobody was refused
    was_disabled, log.disabled = log.disabled, True
    APIKeyMiddleware._enter = entering  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        log.disabled = was_disabled
        APIKeyMiddleware._enter = enter  # type: ignore[method-assign]  # noqa: SLF001


async def _stop(scope: Scope, _receive: Receive, send: Send) -> None:
    """In the place of what is behind a middleware."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _against(number: int, routes: Sequence[Route]) -> str | None:
    """Why one of the routes is not to be asked; `None` = it may be."""
    route = routes[number]
    if not route.guards:
        return "nothing stands before the handler"
    if route.template.sample is None:
        return "no path of it is known"
    if route.host and not is_plain(route.host):
        return "no host of it is known"
    rival = _rival_of(number, route.template.sample, routes)
    return None if rival is None else f"{rival.subject} may answer in its place"


def _rival_of(number: int, path: str, routes: Sequence[Route]) -> Route | None:
    """A route that may be asked in the place of one of them, and whose handler would run: it stands behind fewer
    middlewares than are waited for."""
    route = routes[number]
    scope = scope_of(route, path)
    host, method = route.host or LOCALHOST, scope.get("method", "WS")
    for at, other in enumerate(routes):
        if len(other.guards) >= len(route.guards) or not (at < number or route.is_chosen_from(other)):
            continue
        is_of_host = not is_plain(other.host) or other.host == host
        is_of_method = method in other.taken or ("ANY" in other.taken and method != "WS")
        if is_of_host and is_of_method and other.template.takes(path):
            return other
    return None


async def _ask(app: ASGIApp, route: Route) -> str:
    """What a request without a key came to, in a word or a sentence."""
    asked = _Asked(len(route.guards))
    _asked.set(asked)
    status: list[int] = []
    given: Mapping[str, Any] = (
        {"type": "websocket.connect"} if route.kind == "websocket" else {"type": "http.request", "body": b""}
    )
    waiting = [given]

    async def receive() -> Message:
        kind = "websocket.disconnect" if route.kind == "websocket" else "http.disconnect"
        return dict(waiting.pop()) if waiting else {"type": kind, "code": 1006}

    async def send(message: Message) -> None:
        if "status" in message:
            status.append(message["status"])

    try:
        async with Timeout(PATIENCE_SECONDS):
            await app(scope_of(route, route.template.sample or "/"), receive, send)
    except Exception as failure:  # noqa: BLE001 - whatever stands before the middleware may raise anything
        if not (asked.refused or asked.passed):
            return f"not proved: {line_of(failure)}"
    if asked.refused:
        return REFUSED
    if asked.passed >= asked.guards:
        return LET_IN
    return f"not proved: answered {status[0] if status else 'nothing'} before the middleware"
