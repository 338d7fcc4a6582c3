"""Whoever has a secret may end it: no key is asked for, and nothing is learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatepost.base import LEAK_RESPONSES, LeakResponse
from gatepost.intake import Pace, read_body
from gatepost.leaks.answers import address_of, too_many
from gatepost.leaks.desk import Desk
from gatepost.leaks.finds import Find, find_of
from gatepost.rules import checked_choice

SECRETS_MAX = 100
"""Most secrets in one call."""

BODY_MAX = 64 * 1024
"""Longest body, in bytes: as many secrets of the longest kind."""

CALLS = 60
PACE_SECONDS = 3600.0
"""How often one address may call, unless told otherwise: as GitHub's API for this has it."""

BY = "Revoked by its secret"


@dataclass(frozen=True, slots=True)
class Revoke:
    """`POST /revoke` with `{"secrets": ["…", …]}`, 1 to 100: 202, whatever they are. `response`: as for `report_leak`.
    `calls`: how often an address may call in an hour, in one process; 429 beyond. Raises `BadInputError`."""

    response: LeakResponse = "deactivate"
    calls: int = CALLS

    def __post_init__(self) -> None:
        checked_choice("response", self.response, LEAK_RESPONSES)
        Pace(self.calls, PACE_SECONDS)

    def routes(self, desk: Desk) -> Sequence[Route]:
        """What `Leaks` serves for it."""
        pace = Pace(self.calls, PACE_SECONDS)

        async def revoke(request: Request) -> Response:
            wait = pace.take(address_of(request))
            if wait:
                return too_many(wait)
            finds = _read(desk, await read_body(request, BODY_MAX))
            await desk.take(finds, by=BY, response=self.response, address=address_of(request), once=False)
            return Response(status_code=HTTPStatus.ACCEPTED, headers={"Cache-Control": "no-store"})

        return [Route("/revoke", revoke, methods=["POST"])]


def _read(desk: Desk, body: bytes) -> Sequence[Find]:
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body must be JSON.") from None
    secrets = told.get("secrets") if isinstance(told, dict) and len(told) == 1 else None
    if not isinstance(secrets, list) or not 0 < len(secrets) <= SECRETS_MAX:
        raise HTTPException(400, f'The body must be {{"secrets": [...]}}, with 1 to {SECRETS_MAX} texts.')
    if not all(isinstance(each, str) for each in secrets):
        raise HTTPException(400, "Each secret must be a text.")
    return [find_of(desk.keys, each) for each in secrets]
