"""A signed-in browser: a cookie that holds the secret, encrypted. Nothing of it is kept on the server.

The secret itself, and not its digest: who can read the database has the digests and, unless it is a setting, the key
that cookies are made under (docs/decisions/0010).
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gatepost.base import BadInputError

COOKIE = "gatepost_session"

MARK = "gatepost_signed_in"
"""A cookie that says only that there was a session: it outlives it, so that the sign-in can say that it is over."""

AGE_MAX_SECONDS = 12 * 3600.0
"""A session ends this long after it began, however much it is used."""

RENEW_SHARE = 0.1
"""A use this share of the idle time after the one before makes a new cookie; sooner would only be more headers."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie says. `secret`: what was signed in with. `began`, `used`: seconds since the epoch."""

    secret: str = field(repr=False)
    began: float
    used: float


class Sessions:
    """Seals and reads the cookie. The keys for that, 32 bytes each, come with each call: the newest first.

    `idle_seconds`: above 0, at most 12 h: how long a session lives without being used. Raises `BadInputError`.
    """

    def __init__(self, idle_seconds: float) -> None:
        if not 0 < idle_seconds <= AGE_MAX_SECONDS:
            raise BadInputError(
                f"session_seconds must be above 0, at most {AGE_MAX_SECONDS:.0f}, not {idle_seconds!r}",
                "session_seconds",
            )
        self.idle_seconds = idle_seconds

    def seal(self, keys: Sequence[bytes], secret: str, began: float) -> str:
        """The cookie's text, used just now."""
        return _fernet(keys).encrypt(json.dumps([secret, began]).encode()).decode()

    def read(self, keys: Sequence[bytes], text: str, now: float) -> Session | None:
        """The session of a cookie, `None` where it is forged or over. `now`: seconds since the epoch."""
        fernet = _fernet(keys)
        try:
            secret, began = json.loads(fernet.decrypt(text))
            used = fernet.extract_timestamp(text)
        except (InvalidToken, ValueError):  # the latter: text outside ASCII
            return None
        session = Session(secret, began, used)
        if now - session.used > self.idle_seconds or now - session.began > AGE_MAX_SECONDS:
            return None
        return session

    def needs_renewal(self, session: Session, now: float) -> bool:
        """Whether the cookie should be made anew because it is being used."""
        return now - session.used >= self.idle_seconds * RENEW_SHARE


def _fernet(keys: Sequence[bytes]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
