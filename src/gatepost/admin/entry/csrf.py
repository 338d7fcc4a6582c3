"""Whether a POST was sent by a form of this page. Pure; randomness only in `new_cookie`.

Two walls, each enough alone: the browser's own word for where a request comes from (Fetch Metadata, else Origin), and
a token in each form that only a page read with the same cookies can hold (OWASP's signed double submit, bound to the
session).
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

COOKIE = "gatepost_csrf"
FIELD = "csrf_token"
HEADER = "x-csrf-token"


def new_cookie() -> str:
    """What a browser's tokens are bound to: 32 random bytes in URL-safe base64."""
    return secrets.token_urlsafe(32)


def make_token(secret_keys: Sequence[bytes], cookie: str, bound_to: str) -> str:
    """The token for the browser that has `cookie`. `bound_to`: who is signed in, empty for nobody."""
    return hmac.digest(secret_keys[0], f"{cookie}\0{bound_to}".encode(), "sha256").hex()


def is_token(text: str, secret_keys: Sequence[bytes], cookie: str, bound_to: str) -> bool:
    """Whether `text` is the token of that browser, made under any of the keys."""
    given = text.encode()
    return any(hmac.compare_digest(given, make_token([key], cookie, bound_to).encode()) for key in secret_keys)


def is_own_request(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that a page of this very host sent the request, or says nothing at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False
