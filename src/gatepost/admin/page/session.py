"""A signed-in browser: a signed cookie that names a secret by its digest. Nothing of it is kept on the server."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from itsdangerous import BadData, URLSafeTimedSerializer

from gatepost.errors import BadInputError

COOKIE = "gatepost_session"

AGE_MAX_SECONDS = 12 * 3600.0
"""A session ends this long after it began, however much it is used."""

RENEW_SHARE = 0.1
"""A use this share of the idle time after the one before makes a new cookie; sooner would only be more headers."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie says. `digest`: SHA-256 of the secret, 32 bytes. `began`, `used`: seconds since the epoch."""

    digest: bytes = field(repr=False)
    began: float
    used: float


class Sessions:
    """Signs and reads the cookie. The keys that it is signed with come with each call: the newest first.

    `idle_seconds`: above 0, at most 12 h: how long a session lives without being used. Raises `BadInputError`.
    """

    def __init__(self, idle_seconds: float) -> None:
        if not 0 < idle_seconds <= AGE_MAX_SECONDS:
            raise BadInputError(
                f"session_seconds must be above 0, at most {AGE_MAX_SECONDS:.0f}, not {idle_seconds!r}",
                "session_seconds",
            )
        self.idle_seconds = idle_seconds

    def seal(self, secret_keys: Sequence[bytes], digest: bytes, began: float) -> str:
        """The cookie's text, used just now."""
        text = _serializer(secret_keys).dumps([digest.hex(), began])
        return text if isinstance(text, str) else text.decode("ascii")

    def read(self, secret_keys: Sequence[bytes], text: str, now: float) -> Session | None:
        """The session of a cookie, `None` where it is forged or over. `now`: seconds since the epoch."""
        try:
            (digest, began), used = _serializer(secret_keys).loads(text, return_timestamp=True)
        except BadData:
            return None
        session = Session(bytes.fromhex(digest), began, used.timestamp())
        if now - session.used > self.idle_seconds or now - session.began > AGE_MAX_SECONDS:
            return None
        return session

    def needs_renewal(self, session: Session, now: float) -> bool:
        """Whether the cookie should be made anew because it is being used."""
        return now - session.used >= self.idle_seconds * RENEW_SHARE


def _serializer(secret_keys: Sequence[bytes]) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(reversed(secret_keys)),  # the last one signs
        salt=b"gatepost.admin.session",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
