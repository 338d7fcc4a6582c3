"""`current_key`: who calls, as a dependency."""

from typing import Any

from fastapi.security import SecurityScopes
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection

from gatepost.asgi import Problem, RefusedError, challenge, requirement_of
from gatepost.base import APIKey, ConfigurationError, Outcome

_MISSING = Problem(Outcome.MISSING, headers=(challenge(Outcome.MISSING, "api", "Bearer"),))


async def optional_key(connection: HTTPConnection, security_scopes: SecurityScopes) -> APIKey | None:
    """The caller's key, or `None` for a caller without one: for apps with `optional=True`. With permissions, as
    `current_key` has them, a caller without a key is refused: it was granted none. Raises as `current_key`."""
    if security_scopes.scopes:
        await requirement_of(tuple(security_scopes.scopes))(connection=connection)
    return _key_of(connection)


async def current_key(connection: HTTPConnection, security_scopes: SecurityScopes) -> APIKey:
    """The caller's key: `key: Annotated[APIKey, Depends(current_key)]`, in routes and in dependencies, also for
    WebSockets. With permissions, as `requires` has them: `Annotated[APIKey, Security(current_key, scopes=["NAME"])]`.

    A caller without a key, on a path that is exempt or with `optional=True`, is answered 401 (`key_missing`). No I/O.
    Raises `ConfigurationError` where no middleware has looked: nobody is let in by mistake.
    """
    key = await optional_key(connection, security_scopes)
    if key is None:
        if connection.scope["type"] == "websocket":
            raise WebSocketException(_MISSING.close_code, _MISSING.outcome.value)
        headers = {name.decode(): value.decode() for name, value in _MISSING.headers}
        raise RefusedError(_MISSING, headers)
    return key


for each in (current_key, optional_key):
    vars(each)["goes_by_scopes"] = True  # `PermissionsFirst` asks for them before the body is read


def _key_of(connection: HTTPConnection) -> APIKey | None:
    scope: Any = connection.scope
    if "api_key" not in scope or not isinstance(scope.get("permissions"), frozenset):
        raise ConfigurationError(
            "current_key found no middleware that has looked at the request: write Guard(app, keys) below "
            "app = FastAPI()"
        )
    key: APIKey | None = scope["api_key"]
    return key
