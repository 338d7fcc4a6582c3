"""`Readiness`: an endpoint that tells a load balancer whether requests can be decided here."""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gatepost.base import GatepostError, Timeout
from gatepost.keys import APIKeys

logger = logging.getLogger("gatepost.readiness")

ASK_SECONDS = 1.0
"""Least seconds between two questions to the database: who may ask this endpoint must not be able to load that."""

PATIENCE_SECONDS = 2.0
"""Longest wait for the database: a probe that waits longer is given up by most that send them."""


class Readiness:
    """A pure ASGI app: 200 while requests can be decided here, else 503; the body is JSON.

        app.add_route("/ready", Readiness(keys))  # Starlette, FastAPI
        app = APIKeyMiddleware(app, keys, exempt=["/ready"])

    While the lease holds nothing is read; else the database is asked, at most once a second, however many ask here.
    `ready`: as the status. `lease_seconds`: for how long what is remembered may be believed, 0 = not at all, `null`
    where the keys are not open. `reason`: `null`, `keys_closed` or `database_down`.

    `details`: also tell `worker` (its host and process id) and `error` (one line, which may name hosts): only where
    strangers cannot ask.
    """

    def __init__(self, keys: APIKeys, *, details: bool = False) -> None:
        self._keys = keys
        self._details = details
        self._asking = asyncio.Lock()
        self._asked: tuple[float, GatepostError | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `GET` and `HEAD`."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close"})
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await _respond(send, HTTPStatus.METHOD_NOT_ALLOWED, b"", (b"allow", b"GET, HEAD"))
            return
        ready, facts = await self._facts()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        await _respond(send, status, orjson.dumps({"ready": ready, **facts}), with_body=scope["method"] == "GET")

    async def _facts(self) -> tuple[bool, dict[str, Any]]:
        keys = self._keys
        if not keys.is_open:
            return False, {"lease_seconds": None, "reason": "keys_closed"}
        lease = keys.lease_seconds
        failure = await self._ask_database() if lease == 0.0 else None
        facts: dict[str, Any] = {
            "lease_seconds": round(lease, 3),
            "reason": None if failure is None else "database_down",
        }
        if self._details:
            worker = keys.worker
            facts["worker"] = None if worker is None else worker.name
            facts["error"] = None if failure is None else " ".join(str(failure).split())
        return failure is None, facts

    async def _ask_database(self) -> GatepostError | None:
        """Why it cannot tell, or `None`. Questions that come together, or within a second, share one answer."""
        async with self._asking:
            if self._asked is not None and time.monotonic() - self._asked[0] < ASK_SECONDS:
                return self._asked[1]
            failure: GatepostError | None = None
            try:
                async with Timeout(PATIENCE_SECONDS):
                    await self._keys.ping()
            except GatepostError as error:
                failure = error
            except TimeoutError:
                failure = GatepostError(f"The database did not answer within {PATIENCE_SECONDS} s")
            self._asked = (time.monotonic(), failure)
            return failure


async def _respond(
    send: Send, status: HTTPStatus, body: bytes, *headers: tuple[bytes, bytes], with_body: bool = True
) -> None:
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body if with_body else b""})
