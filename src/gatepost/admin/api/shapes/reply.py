"""An answer on its way to the caller: status, headers, and a body made by orjson."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
"""Media types (RFC 8259, RFC 9457)."""

ALWAYS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of every answer: some hold secrets, and no browser shall take one for something else."""


class Reply(Response):
    """One answer. `content`: plain values, msgspec's structs and dataclasses; `None` = no body."""

    def __init__(
        self,
        content: Any,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> None:
        super().__init__(
            content, status, {**ALWAYS, **(headers or {})}, media_type=None if content is None else media_type
        )

    def render(self, content: Any) -> bytes:
        """The body."""
        if content is None:
            return b""
        return orjson.dumps(msgspec.to_builtins(content, builtin_types=(datetime,)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; to a HEAD without the body that a GET would have got."""
        if scope["method"] == "HEAD":
            self.body = b""
        await super().__call__(scope, receive, send)
