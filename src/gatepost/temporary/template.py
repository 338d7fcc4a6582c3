"""What makes a key a template: how long its temporary secrets live, for which browsers, and for whom. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from gatepost.base import APIKey, BadInputError, Resources

LIFETIME = 3600
"""Seconds that a temporary secret lives unless told otherwise: an hour."""

LIFETIME_MAX = 86_400
"""Most seconds: a day. What is to live longer is a key."""

ORIGINS_MAX = 50
"""Most origins of one template."""

ORIGIN_CHARS_MAX = 200
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a template says beside what every key does. `lifetime`: most seconds that its temporary secrets live, 1 to
    86,400; as long, unless told otherwise. `origins`: of the pages that may use them, as browsers send them
    (RFC 6454), sorted; `None` = whatever the request says. `public`: whether anybody gets one by the template's id."""

    lifetime: int = LIFETIME
    origins: tuple[str, ...] | None = None
    public: bool = False

    @classmethod
    def checked(cls, lifetime: Any, origins: Any, public: Any) -> Self:
        """As verbs are given them. Raises `BadInputError`."""
        if not isinstance(public, bool):
            raise BadInputError(f"public must be True or False, not {public!r:.50}", "public")
        return cls(lifetime=checked_lifetime(lifetime), origins=_checked_origins(origins), public=public)

    @property
    def text(self) -> str:
        """What is stored: JSON."""
        return orjson.dumps({"lifetime": self.lifetime, "origins": self.origins, "public": self.public}).decode()


@lru_cache(maxsize=1024)
def terms_of(text: str) -> Terms | None:
    """The terms that are stored; `None` for what somebody has written there by hand and wrongly: nothing is issued,
    and nothing that was is let in."""
    try:
        told = orjson.loads(text)
        return Terms.checked(told["lifetime"], told["origins"], told["public"])
    except (ValueError, TypeError, KeyError):  # BadInputError is one
        return None


def checked_lifetime(lifetime: Any, most: int = LIFETIME_MAX) -> int:
    """A lifetime in whole seconds. Raises `BadInputError`."""
    if isinstance(lifetime, bool) or not isinstance(lifetime, int) or not 1 <= lifetime <= most:
        raise BadInputError(f"lifetime must be whole seconds, 1 to {most}, not {lifetime!r:.50}", "lifetime")
    return lifetime


def _checked_origins(origins: Any) -> tuple[str, ...] | None:
    if origins is None:
        return None
    if isinstance(origins, str | bytes) or not isinstance(origins, Iterable):
        raise BadInputError(
            f"origins must be a list, such as ['https://www.example.org'], not {origins!r:.60}", "origins"
        )
    listed = list(origins)
    if not 0 < len(listed) <= ORIGINS_MAX:
        raise BadInputError(f"origins must be 1 to {ORIGINS_MAX}, not {len(listed)}; None = any, or none", "origins")
    return tuple(sorted({_checked_origin(each) for each in listed}))


def _checked_origin(origin: Any) -> str:
    """As a browser sends it: scheme, host, and a port that is not the scheme's own. Raises `BadInputError`."""
    wrong = BadInputError(
        f"origins: {origin!r:.80} must be scheme, host and port alone, as browsers send it: 'https://www.example.org', "
        "'http://localhost:8080'; in lower case, no path, no *",
        "origins",
    )
    if (
        not isinstance(origin, str)
        or not origin.isascii()
        or len(origin) > ORIGIN_CHARS_MAX
        or origin.lower() != origin
    ):
        raise wrong
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in _PORTS or not parts.hostname or "*" in origin or not origin.isprintable() or " " in origin:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    told = f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")
    if origin not in (told, f"{told}:{port}"):
        raise wrong
    return told


@dataclass(frozen=True, slots=True)
class Template:
    """A template of temporary secrets. `key`: what it is as a key of its own kind: id, description, permissions,
    bounds, state, dates. `terms`: `None` = somebody has written them by hand and wrongly, so it is good for nothing."""

    key: APIKey
    terms: Terms | None

    @classmethod
    def of(cls, key: APIKey) -> Self:
        """The template that a key of that kind is."""
        return cls(key, terms_of(key.template or ""))

    @property
    def id(self) -> str:
        """12 base62 characters; may be public, where `terms.public` is."""
        return self.key.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporarySecret:
    """A temporary secret as it was issued. `id`: 16 hexadecimal characters that tell it from others; nobody keeps them.
    `secret`: its text, below 300 characters; no repr shows it. `key_id`: of the key or template that it was made from.
    `expires_at`: aware, UTC, by the database's clock. `permissions`: what is left to it now. `subject`: whom it is for,
    `None` = nobody in particular. `resources`: those that it was narrowed to; `None` = as what it was made from."""

    id: str
    secret: str = field(repr=False)
    key_id: str
    expires_at: datetime
    permissions: frozenset[str]
    subject: str | None = field(default=None, repr=False)
    resources: Resources | None = None
