"""How one middleware refuses: the problem of each outcome, made once, the log's line, and the answer."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.addresses import Addresses
from gatepost.asgi.log import RefusalLog
from gatepost.asgi.responses import Problem, challenge, checked_realm, unavailable
from gatepost.asgi.sources import Bearer, Source, shown
from gatepost.base import Outcome, Record

OnError = Callable[[Scope, Problem], Awaitable[ASGIApp | None] | ASGIApp | None]


class Refusing:
    """`sources`, `realm`, `on_error`: as for `APIKeyMiddleware`. `log`: is told of who is refused. `addresses`: tells
    it where from. `problems`: what a request can be refused for. Raises `BadInputError` for a realm."""

    def __init__(
        self, sources: Sequence[Source], realm: str, on_error: OnError | None, log: RefusalLog, addresses: Addresses
    ) -> None:
        self._realm = checked_realm(realm)
        self._scheme = "Bearer" if Bearer() in sources else "ApiKey"
        self._how = f"This needs an API key: send it as {' or '.join(shown(source) for source in sources)}."
        self._on_error = on_error
        self._log = log
        self._addresses = addresses
        self.problems: Mapping[Outcome, Problem] = {
            outcome: self._problem(outcome) for outcome in Outcome if outcome is not Outcome.VALID
        }

    def told(self, outcome: Outcome, key: Record | None, scope: Scope) -> Problem:
        """The refusal for that outcome, once the log has it."""
        seen = self._addresses.seen(scope) if outcome is Outcome.ADDRESS_DENIED else None
        self._log.tell(outcome, key, scope, seen)
        return self.problems[outcome]

    async def answer(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the problem, or with what `on_error` has for it."""
        app: ASGIApp | None = None
        if self._on_error is not None:
            answer = self._on_error(scope, problem)
            app = await answer if inspect.isawaitable(answer) else answer
        await (app or problem)(scope, receive, send)

    def _problem(self, outcome: Outcome) -> Problem:
        if outcome is Outcome.UNAVAILABLE:
            return unavailable(1)
        problem = Problem(outcome, {"detail": self._how} if outcome is Outcome.MISSING else {})
        if problem.status != HTTPStatus.UNAUTHORIZED:
            return problem
        return replace(problem, headers=(challenge(outcome, self._realm, self._scheme),))
