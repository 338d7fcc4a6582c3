"""One attempt to bring a message to a URL: its address checked and kept to, no redirects, no proxies, bounded in
time."""

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatepost.database import Delivery
from gatepost.webhooks.hosts import ForbiddenHostError, resolved
from gatepost.webhooks.signature import signed_headers
from gatepost.webhooks.targets import Sent, Target

if TYPE_CHECKING:
    from collections.abc import Sequence


AFTER_MAX = 3600.0
"""Longest time, in seconds, that a target may ask to be left alone for (`Retry-After`)."""

_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class HTTPDestination:
    """Sends to a `Target`."""

    def __init__(self, target: Target) -> None:
        import httpx2  # noqa: PLC0415 - an extra

        self._target = target
        parts = urlsplit(target.url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(trust_env=False, timeout=target.timeout)
        self.name = target.name
        self.types: Sequence[str] | None = target.types
        self.project = target.project
        self.delays: Sequence[float] = target.retry_delays

    async def send(self, delivery: Delivery) -> Sent:
        """One attempt. Raises nothing."""
        import httpx2  # noqa: PLC0415 - an extra

        try:
            async with asyncio.timeout(self._target.timeout):
                return await self._send(delivery)
        except TimeoutError:
            return Sent(f"no answer within {self._target.timeout:g} s")
        except ForbiddenHostError as refusal:
            return Sent(str(refusal))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failure:
            return Sent(type(failure).__name__)

    async def _send(self, delivery: Delivery) -> Sent:
        import httpx2  # noqa: PLC0415 - an extra

        address = await resolved(self._host, self._port, private=self._target.allow_private)
        body = delivery.body.encode()
        headers = {
            "host": self._authority,
            "content-type": "application/json",
            "user-agent": "gatepost",
            **signed_headers(self._target.secrets, delivery.id, int(time.time()), body),
        }
        url = httpx2.URL(self._target.url).copy_with(host=address)
        # the certificate is that of the name, though the connection goes to the address
        extensions = {"sni_hostname": self._host}
        async with self._client.stream("POST", url, content=body, headers=headers, extensions=extensions) as response:
            return _sent(response.status_code, response.headers.get("retry-after"))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def _sent(status: int, after: str | None) -> Sent:
    """What an answer means. Its body is not read: what is in it would only be somebody's text in our tables."""
    if status == HTTPStatus.GONE:
        return Sent("410 Gone", gone=True)
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, section 15.3
        return Sent()
    wait = float(after) if status in _BUSY and after is not None and after.isdecimal() and len(after) < 10 else 0.0  # noqa: PLR2004
    return Sent(f"status {status}", after=min(wait, AFTER_MAX))
