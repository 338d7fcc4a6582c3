"""A refusal as each framework wants it from a handler. No framework is imported that the app does not use."""

import sys
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocketState

from gatepost.context import current_scope
from gatepost.errors import PermissionDeniedError
from gatepost.responses import WEBSOCKET_FORBIDDEN, Problem

BARE_ARGUMENTS = 3
"""scope, receive, send."""


async def refuse(problem: Problem, connection: Any, args: tuple[Any, ...]) -> Any:
    """Refuse from an async handler: what the handler must return, once what must be sent has been sent."""
    if isinstance(connection, dict):  # a bare ASGI function, or a method of a class that is one
        scope, receive, send = args[-BARE_ARGUMENTS:]
        await problem(scope, receive, send)
        return None
    if connection is not None and connection.scope["type"] == "websocket" and _framework_of(connection) != "quart":
        await _refuse_websocket(problem, connection)
        return None
    return response_of(problem, connection)


def response_of(problem: Problem, connection: Any) -> Any:
    """The refusal as a response object of the framework in use.

    `connection`: the request that the handler got, `None` where it got none. Raises `PermissionDeniedError` where the
    framework is none that is known here.
    """
    framework = _framework_of(connection)
    headers = {name.decode(): value.decode() for name, value in problem.all_headers if name != b"content-length"}
    if framework == "starlette":
        return Response(problem.body, problem.status, headers)
    media_type = headers.pop("content-type")
    if framework == "litestar":
        return sys.modules["litestar"].Response(
            problem.body, status_code=problem.status, headers=headers, media_type=media_type
        )
    if framework == "django":
        return sys.modules["django.http"].HttpResponse(
            problem.body, status=problem.status, headers=headers, content_type=media_type
        )
    if framework == "quart":
        return sys.modules["quart"].Response(
            problem.body, status=problem.status, headers=headers, content_type=media_type
        )
    raise PermissionDeniedError(problem.body.decode())


def _framework_of(connection: Any) -> str | None:
    """The framework by the classes of its connection object; where the handler got none, by the app being served."""
    quart = sys.modules.get("quart")
    if connection is None and quart is not None and (quart.has_request_context() or quart.has_websocket_context()):
        return "quart"
    if connection is None:
        scope = current_scope.get() or {}
        connection = scope.get("litestar_app") or scope.get("app")
    packages = {base.__module__.partition(".")[0] for base in type(connection).__mro__}
    return next((name for name in ("starlette", "litestar", "django", "quart") if name in packages), None)


async def _refuse_websocket(problem: Problem, websocket: Any) -> None:
    """Starlette's and Litestar's WebSocket, before or after it was accepted."""
    state = getattr(websocket, "application_state", None)
    accepted = state is WebSocketState.CONNECTED
    if accepted:
        await websocket.close(WEBSOCKET_FORBIDDEN, problem.outcome.value)
        return
    await problem(websocket.scope, websocket.receive, websocket.send)
