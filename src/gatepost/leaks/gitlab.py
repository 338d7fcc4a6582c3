"""GitLab's token revocation API, as a self-managed GitLab calls it: https://docs.gitlab.com/development/sec/token_revocation_api"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatepost.base import LEAK_RESPONSES, BadInputError, LeakResponse
from gatepost.intake import read_body
from gatepost.leaks.answers import Doorkeeper, address_of
from gatepost.leaks.desk import Desk
from gatepost.leaks.finds import entries_of, finds_of
from gatepost.rules import checked_choice

BODY_MAX = 1024 * 1024
"""Longest body, in bytes."""

FINDS_MAX = 2_000
"""Most finds in one call."""

TOKEN_MIN = 32
"""Characters of the shortest token: 128 bits in hexadecimal."""

BY = "GitLab secret detection"


@dataclass(frozen=True, slots=True)
class GitLab:
    """GitLab's two routes, below `/gitlab`. `token`: what GitLab sends in `Authorization`, 32 characters or more of
    your choosing. `types`: what its scanner calls secrets of yours, `gitleaks_rule_id_` and the rule's id. `response`:
    as for `report_leak`. Raises `BadInputError`."""

    token: str = field(repr=False)
    types: Sequence[str] = ("gitleaks_rule_id_gatepost",)
    response: LeakResponse = "deactivate"

    def __post_init__(self) -> None:
        checked_choice("response", self.response, LEAK_RESPONSES)
        if not isinstance(self.token, str) or len(self.token) < TOKEN_MIN or not self.token.isascii():
            raise BadInputError(
                f"token must be {TOKEN_MIN} ASCII characters or more: make one with secrets.token_urlsafe(32)", "token"
            )
        if isinstance(self.types, str) or not self.types:
            raise BadInputError("types must be a list of names, and not empty", "types")
        object.__setattr__(self, "types", tuple(self.types))

    def routes(self, desk: Desk) -> Sequence[Route]:
        """What `Leaks` serves for it."""
        keeper = Doorkeeper()

        def check(request: Request) -> None:
            keeper.check(request)
            given = request.headers.getlist("authorization")
            if len(given) != 1 or not self._is_token(given[0]):
                raise keeper.refuse(request, "This needs the token in Authorization.")

        async def types(request: Request) -> Response:
            check(request)
            return Response(orjson.dumps({"types": self.types}), media_type="application/json")

        async def revoke(request: Request) -> Response:
            check(request)
            entries = entries_of(await read_body(request, BODY_MAX), FINDS_MAX)
            finds = finds_of(desk.keys, (each for each in entries if each.get("type") in self.types), "location")
            del entries
            await desk.take(finds, by=BY, response=self.response, address=address_of(request), once=True)
            return Response(status_code=HTTPStatus.NO_CONTENT)

        return [
            Route("/gitlab/v1/revocable_token_types", types, methods=["GET"]),
            Route("/gitlab/v1/revoke_tokens", revoke, methods=["POST"]),
        ]

    def _is_token(self, given: str) -> bool:
        text = given.removeprefix("Bearer ").encode("utf-8", "replace")
        return hmac.compare_digest(text, self.token.encode())
