"""Asks one worker over HTTP how it answers: the other end of `AuditEndpoint`."""

from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx2
import orjson

from gatepost.base import BadInputError, GatepostError, Outcome, Worker, line_of
from gatepost.health import Answer, WorkerAnswers
from gatepost.probes import TOKEN_HEADER

ANSWER_SECONDS = 5.0
"""Longest wait for a worker: one read of the database may take as long."""

_REASONS = {
    HTTPStatus.UNAUTHORIZED: "it refuses the token (or the path needs a key: exempt it)",
    HTTPStatus.NOT_FOUND: "nothing is mounted at this path",
    HTTPStatus.SERVICE_UNAVAILABLE: "it cannot reach its database",
}


class UnansweredError(GatepostError):
    """A worker gave no answer that could be used. The message is the reason, without the worker's name."""


class Asking:
    """One worker, by the address of its `AuditEndpoint`, or several behind one: each question is a new connection, so
    that a balancer or a shared socket spreads them. Used as an async context.

    `token`: goes to this address alone; redirects and proxies are not followed. Raises `BadInputError` for what is no
    such address.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = _checked(url)
        self._client = httpx2.AsyncClient(
            headers={TOKEN_HEADER: token, "content-type": "application/json"},
            timeout=ANSWER_SECONDS,
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, digests: Sequence[bytes]) -> WorkerAnswers:
        """How it answers for up to 500 digests (32 bytes each). Raises `UnansweredError`."""
        body = orjson.dumps({"digests": [digest.hex() for digest in digests]})
        try:
            response = await self._client.post(self.url, content=body)
        except httpx2.HTTPError as failure:
            raise UnansweredError(line_of(failure)) from failure
        if response.status_code != HTTPStatus.OK:
            raise UnansweredError(_REASONS.get(HTTPStatus(response.status_code), f"status {response.status_code}"))
        try:
            return _testimony(orjson.loads(response.content), digests)
        except (ValueError, TypeError, KeyError) as wrong:
            raise UnansweredError("what answers there is not gatepost's AuditEndpoint") from wrong


def _checked(text: str) -> str:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise BadInputError(f"--worker must be a URL such as http://127.0.0.1:8001/_gatepost, not {text!r}")
    if url.userinfo or url.query:
        raise BadInputError("--worker: leave user, password and query out of the URL: the token alone lets you in")
    return text


def _testimony(said: Any, digests: Sequence[bytes]) -> WorkerAnswers:
    worker = said["worker"]
    answers = {}
    for digest in digests:
        each = said["answers"][digest.hex()]
        as_of = each["as_of"]
        answers[digest] = Answer(Outcome(each["outcome"]), None if as_of is None else int(as_of))
    return WorkerAnswers(
        worker=None if worker is None else Worker(str(worker["id"]), str(worker["name"])),
        max_staleness=float(said["max_staleness"]),
        applied_seq=int(said["applied_seq"]),
        lease_seconds=float(said["lease_seconds"]),
        answers=answers,
    )
