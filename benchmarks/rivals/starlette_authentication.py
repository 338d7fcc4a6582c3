"""Starlette's own `AuthenticationMiddleware` and `@requires`, with the keys in a dict."""

from hashlib import sha256

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from benchmarks.rivals import bare_starlette
from benchmarks.rivals.rival import PERMISSION, Rival, settings
from benchmarks.rivals.ten_lines import Keys, keys_of, prepare


class DictBackend(AuthenticationBackend):
    """Looks the secret's digest up in a dict."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises `AuthenticationError` for a secret that is not there; `None` where none came."""
        header = conn.headers.get("authorization")
        if header is None or not header.startswith("Bearer "):
            return None
        found = self.keys.get(sha256(header[7:].encode()).digest())
        if found is None:
            raise AuthenticationError("Unauthorized")
        key_id, permissions = found
        return AuthCredentials(list(permissions)), SimpleUser(key_id)


def refuse(_conn: HTTPConnection, error: AuthenticationError) -> Response:
    """Starlette's own answer is 400."""
    return PlainTextResponse(str(error), 401)


def build() -> ASGIApp:
    """The app."""
    app = bare_starlette.build(requires(PERMISSION))
    return AuthenticationMiddleware(app, backend=DictBackend(keys_of(settings()["keys"])), on_error=refuse)


NOTE = "a dict in the process: no revocation without a restart, no expiry, no management"
RIVAL = Rival("Starlette's AuthenticationMiddleware", "Starlette", f"{__name__}:build", prepare, NOTE)
