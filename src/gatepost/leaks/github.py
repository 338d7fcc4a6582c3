"""GitHub's secret scanning, as a partner: https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partner-program

    headers ──> the key by its id ──> body, bounded ──> signature ──> JSON ──> finds ──> what is to be done ──> feedback

Nothing is parsed, logged or asked of a database before the signature is right: or anybody could end keys.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatepost.base import LEAK_RESPONSES, LeakResponse
from gatepost.intake import read_body
from gatepost.leaks.answers import address_of
from gatepost.leaks.desk import Desk
from gatepost.leaks.finds import Find, entries_of, finds_of
from gatepost.leaks.public_keys import URL, Client, PublicKeys, is_signed
from gatepost.rules import checked_choice

BODY_MAX = 4 * 1024 * 1024
"""Longest body, in bytes: some ten thousand finds."""

FINDS_MAX = 10_000
"""Most finds in one call: GitHub sends many at once after it has looked through all it has."""

IDENTIFIER = "github-public-key-identifier"
SIGNATURE = "github-public-key-signature"
IDENTIFIER_MAX, SIGNATURE_MAX = 200, 200
"""Longest of each, in characters: 64 hexadecimal digits, and 72 bytes in base64."""

BY = "GitHub secret scanning"


@dataclass(frozen=True, slots=True)
class GitHub:
    """`POST /github`, signed by GitHub. `response`: as for `report_leak`. `feedback`: answer which finds are secrets
    that were made here, by digest; of what may only have been imported it tells nothing. `url`: where GitHub tells its
    public keys, https. `token`: for that URL, which allows more calls with one; any of GitHub's, without any scope.
    `client`: what fetches them, such as an `httpx.AsyncClient` that you close; `None` = one of our own (the extra
    `leaks`). Raises `BadInputError`, `MissingExtraError`."""

    response: LeakResponse = "deactivate"
    feedback: bool = True
    url: str = URL
    token: str | None = field(default=None, repr=False)
    client: Client | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        checked_choice("response", self.response, LEAK_RESPONSES)
        PublicKeys(self.url, self.token, self.client)

    def routes(self, desk: Desk) -> Sequence[Route]:
        """What `Leaks` serves for it."""
        public_keys = PublicKeys(self.url, self.token, self.client)

        async def take(request: Request) -> Response:
            identifier = _single(request, IDENTIFIER, IDENTIFIER_MAX)
            signature = _signature(request)
            key = await public_keys.find(identifier)
            if key is None:
                raise HTTPException(HTTPStatus.UNAUTHORIZED, "The key that this is signed with is not known.")
            body = await read_body(request, BODY_MAX)
            if not is_signed(key, signature, body):
                raise HTTPException(HTTPStatus.UNAUTHORIZED, "The signature is wrong.")
            finds = finds_of(desk.keys, entries_of(body, FINDS_MAX), "url")
            del body
            await desk.take(finds, by=BY, response=self.response, address=address_of(request), once=True)
            told = [_feedback(find) for find in finds if find.is_genuine or not find.is_ours] if self.feedback else []
            return Response(orjson.dumps(told), media_type="application/json")

        return [Route("/github", take, methods=["POST"])]


def _single(request: Request, name: str, most: int) -> str:
    given = request.headers.getlist(name)
    if len(given) != 1 or not 0 < len(given[0]) <= most:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, f"This needs the header {name}, once.")
    return given[0]


def _signature(request: Request) -> bytes:
    try:
        return base64.b64decode(_single(request, SIGNATURE, SIGNATURE_MAX), validate=True)
    except (binascii.Error, ValueError):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "The signature is no base64.") from None


def _feedback(find: Find) -> Mapping[str, str]:
    label = "true_positive" if find.is_genuine else "false_positive"
    return {"token_hash": find.digest.hex(), "token_type": find.kind, "label": label}
