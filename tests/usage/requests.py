"""Requests without a server."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that answers in one piece."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def ask(app: ASGIApp, secret: str | None, path: str = "/", **more: Any) -> list[Message]:
    """What is sent for one request with that secret."""
    sent: list[Message] = []

    asked: list[None] = []

    async def receive() -> Message:
        if asked:  # nothing more comes, and nobody goes
            await asyncio.Event().wait()
        asked.append(None)
        if more.get("type") == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"example.org")]
    if secret is not None:
        headers.append((b"authorization", f"Bearer {secret}".encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.7", 4711),
        "server": ("example.org", 80),
        "extensions": {},
    }
    await app(scope | more, receive, send)
    return sent
