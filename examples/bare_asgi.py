"""No framework: an ASGI function, one part of which asks for a permission.

pip install 'gatepost[serve]'
uvicorn bare_asgi:app
gatepost keys create "me" -p OBJECTS_LIST --app bare_asgi:app
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gatepost import APIKeyMiddleware, APIKeys, requires

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def answer(send: Send, value: Any, status: int = 200) -> None:
    """Send JSON."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


@requires("OBJECTS_LIST")
async def objects(scope: Message, receive: Receive, send: Send) -> None:
    """What a key with OBJECTS_LIST sees."""
    await answer(send, ["sunset.jpg"])


async def site(scope: Message, receive: Receive, send: Send) -> None:
    """The app: whoever has a key is told which one it is."""
    if scope["type"] != "http":  # a lifespan: gatepost opens its keys with it, also for an app that has none
        raise NotImplementedError(f"no {scope['type']} here")
    if scope["path"] == "/objects":
        await objects(scope, receive, send)
    elif scope["path"] == "/":
        await answer(send, {"key": scope["api_key"].description})
    else:
        await answer(send, {"detail": "There is nothing here"}, 404)


keys = APIKeys.from_env()
app = APIKeyMiddleware(site, keys)
