"""`ExpiryNotice`: responses tell a caller when its key ends, once that is near.

The field is our own: `Sunset` (RFC 8594) and `Deprecation` (RFC 9745) are about the resource that answers, not about
who asks. An app inside the middleware puts it on, so that it is there however the request was let in, compiled or not.
"""

import math
import time
from collections.abc import Awaitable, MutableMapping
from types import MethodType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.base import EXPIRES_WITHIN_MAX, BadInputError, Record

FIELD = b"api-key-expires"
"""Its value is a Date (RFC 9651, section 3.3.7): `@` and seconds since the epoch."""


class ExpiryNotice:
    """Wraps the app inside an `APIKeyMiddleware`. `within`: seconds before the key, or the older secret that the caller
    uses, ends. By this process's clock. Raises `BadInputError`."""

    def __init__(self, app: ASGIApp, within: float) -> None:
        is_number = isinstance(within, int | float) and not isinstance(within, bool)
        if not is_number or not 0 < within <= EXPIRES_WITHIN_MAX:
            raise BadInputError(
                f"expiry_notice must be seconds, more than 0 and at most {EXPIRES_WITHIN_MAX:.0f}, or None, not "
                f"{within!r:.50}",
                "expiry_notice",
            )
        self.app = app
        self._within = within

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection scope."""
        key = scope["api_key"] if scope["type"] == "http" else None
        if isinstance(key, Record) and key.ends_at - time.time() <= self._within:
            send = MethodType(_send_noticed, (b"@%d" % math.floor(key.ends_at), send))
        return self.app(scope, receive, send)


def _send_noticed(noticed: tuple[bytes, Send], message: Message | MutableMapping[str, Any]) -> Awaitable[None]:
    value, send = noticed
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message.get("headers", ()), (FIELD, value)]}
    return send(message)
