"""What those are told who tell of leaks: nothing about any secret."""

import math
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.base import UnavailableError, UncertainCommitError
from gatepost.intake import Throttle

RETRY_SECONDS = 10
"""When to try again where the database did not answer: what was told is told anew then, which changes nothing twice."""


def problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal (RFC 9457)."""
    body = {"title": status.phrase, "status": int(status), "detail": detail, "message": detail}
    return Response(
        orjson.dumps(body),
        int(status),
        {"Cache-Control": "no-store", **(headers or {})},
        media_type="application/problem+json",
    )


def too_many(seconds: float) -> Response:
    """Whoever calls too often."""
    wait = {"Retry-After": str(max(1, math.ceil(seconds)))}
    return problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls: try again later.", wait)


def address_of(request: Request) -> str | None:
    """Where a request is from, once the app has found that out."""
    return None if request.client is None else request.client.host


class Doorkeeper:
    """Slows those who guess at what is to let them in."""

    def __init__(self) -> None:
        self._throttle = Throttle()

    def check(self, request: Request) -> None:
        """Raise `HTTPException` 429 for who guesses too often."""
        wait = self._throttle.wait_seconds(address_of(request))
        if wait:
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS, "Too many calls: try again later.", {"Retry-After": str(math.ceil(wait))}
            )

    def refuse(self, request: Request, detail: str) -> HTTPException:
        """What to raise for a wrong guess: 401."""
        self._throttle.fail(address_of(request))
        return HTTPException(HTTPStatus.UNAUTHORIZED, detail)


def guarded(app: ASGIApp) -> ASGIApp:
    """The app, with refusals as problems, and 503 where what was told could not be written down."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        answer: Response | None = None
        try:
            await app(scope, receive, send)
        except HTTPException as refusal:
            status = HTTPStatus(refusal.status_code)
            answer = problem(status, refusal.detail, dict(refusal.headers or {}))
        except (UnavailableError, UncertainCommitError):
            wait = {"Retry-After": str(RETRY_SECONDS)}
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "This cannot be taken down right now: try again.", wait)
        if answer is not None:  # whatever is raised is raised before an answer begins
            await answer(scope, receive, send)

    return serve
