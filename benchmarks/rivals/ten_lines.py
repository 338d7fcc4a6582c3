"""What one writes by hand: a pure ASGI middleware of ten lines, with the keys in a dict."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.rivals import bare_starlette
from benchmarks.rivals.rival import PERMISSION, Prepared, Rival, Secrets, Stores, settings

SECRET_BYTES = 48
"""Random ones of a secret: 64 characters, as long as one of gatepost's, so that hashing takes as long."""

Keys = Mapping[bytes, tuple[Any, frozenset[str]]]
"""A key's id and permissions, by the SHA-256 of its secret."""


class TenLines:
    """Header scan, SHA-256, dict, three scope entries. No expiry, no bound, no refresh, and for requests only: a server
    that sends a lifespan is told by a `KeyError` that there is none."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        for name, value in scope["headers"]:
            if name == b"authorization" and value.startswith(b"Bearer "):
                found = self.keys.get(sha256(value[7:]).digest())
                if found is not None:
                    scope["api_key"], scope["permissions"] = found
                    scope["auth"] = found[1]
                    await self.app(scope, receive, send)
                    return
        await PlainTextResponse("Unauthorized", 401)(scope, receive, send)


def make_secrets() -> Secrets:
    """Random texts. Nothing tells one that was deleted from one that was made up, and a key is there or is not."""
    usable, unknown = token_urlsafe(SECRET_BYTES), token_urlsafe(SECRET_BYTES)
    return {"usable": usable, "unknown": unknown, "invented": "x" * SECRET_BYTES}


async def prepare(_stores: Stores) -> Prepared:
    """Make one key, as the app's settings hold it."""
    secrets = make_secrets()
    return Prepared(secrets=secrets, settings={"keys": {sha256(secrets["usable"].encode()).hexdigest(): [PERMISSION]}})


def keys_of(found: Mapping[str, Iterable[str]]) -> dict[bytes, tuple[str, frozenset[str]]]:
    """The dict, from the app's settings: permissions by the digest in hexadecimal."""
    return {bytes.fromhex(digest): ("benchmark", frozenset(names)) for digest, names in found.items()}


def build() -> ASGIApp:
    """The app."""
    return TenLines(bare_starlette.build(), keys_of(settings()["keys"]))


NOTE = "a dict in the process: no revocation without a restart, no expiry, no permission check, no management"
RIVAL = Rival("ten lines by hand", "Starlette", f"{__name__}:build", prepare, NOTE)
