"""Litestar's own `AbstractAuthenticationMiddleware` and a guard, with the keys in a dict."""

from hashlib import sha256
from typing import Any

from litestar import Litestar, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.types import ASGIApp

from benchmarks.rivals.bare_litestar import objects
from benchmarks.rivals.rival import PERMISSION, ROUTE, Rival, settings
from benchmarks.rivals.ten_lines import Keys, keys_of, prepare

Connection = ASGIConnection[Any, Any, Any, Any]


class DictAuthentication(AbstractAuthenticationMiddleware):
    """Looks the secret's digest up in a dict."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        super().__init__(app)
        self.keys = keys

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Raises `NotAuthorizedException` without a secret that is there."""
        header = connection.headers.get("authorization")
        if header is None or not header.startswith("Bearer "):
            raise NotAuthorizedException
        found = self.keys.get(sha256(header[7:].encode()).digest())
        if found is None:
            raise NotAuthorizedException
        key_id, permissions = found
        return AuthenticationResult(user=key_id, auth=permissions)


def may_list(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Raises `PermissionDeniedException` without the permission."""
    if PERMISSION not in connection.auth:
        raise PermissionDeniedException


def build() -> Litestar:
    """The app."""
    middleware = DefineMiddleware(DictAuthentication, keys=keys_of(settings()["keys"]))
    return Litestar([get(ROUTE, guards=[may_list])(objects)], middleware=[middleware])


NOTE = "a dict in the process: no revocation without a restart, no expiry, no management"
RIVAL = Rival("Litestar's AbstractAuthenticationMiddleware", "Litestar", f"{__name__}:build", prepare, NOTE)
