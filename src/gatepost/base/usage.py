"""Usage as people read it, and what is agreed on about it: when a key counts as used, what a secret is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import blake2b

from gatepost.base.models import Outcome

ROUTE_MAX = 200
"""Longest route template that is kept, in characters; a longer one is cut."""

NEVER_USED = datetime(1970, 1, 1, tzinfo=UTC)
"""What stands for the last use of a key that has not been used: a moment before every other, so that lists by last use
need one range of one index."""

SECRET_ID_BYTES = 6
"""Length of what tells a key's secrets apart: it has two at a time."""

UNUSED = frozenset(
    {
        Outcome.MISSING,
        Outcome.AMBIGUOUS,
        Outcome.INVALID,
        Outcome.DEACTIVATED,
        Outcome.EXPIRED,
        Outcome.ADDRESS_DENIED,
        Outcome.ORIGIN_DENIED,
        Outcome.SUBJECT_DENIED,
        Outcome.ENVIRONMENT_DENIED,
        Outcome.UNAVAILABLE,
    }
)
"""The outcomes that are no use of a key: nobody depends on a key that is refused whatever is asked for, or that is
shown from where it must not be. One that lacks a permission, say, is in use."""

ISSUED_ROUTE = "(a temporary secret issued)"
"""In place of a route: what issuing a temporary secret is counted by, under what it was made from."""

USAGE_GROUPS: Sequence[str] = ("day", "route", "outcome", "secret")
"""What usage can be told by."""


class SecretState(StrEnum):
    """What has become of a secret that was used. `current`: it is the key's. `old`: it was rotated out, and is known
    still, so that it works or is told to be expired. `gone`: no key has it any more."""

    CURRENT = "current"
    OLD = "old"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One line of `APIKeys.usage`: how often a key was used, of what the line is about. What was not asked by is
    `None`.

    `day`: in UTC, in which the requests began; of a month that was rolled up, its first (`by_month`). `route`: the
    template of the app's router, `/assets/{id}`; empty = nobody knows it. `outcome`: of the requests. `secret`: 12
    hexadecimal characters that tell the key's secrets apart, and nothing of what they are; empty = not known.
    `secret_state`, `secret_hint`: what has become of that secret, and what people may see of it; `None` also where no
    key has it. `count`: requests. `last_at`: aware, UTC: when the last of them began. `last_address`: where that came
    from; `None` = not known.
    """

    count: int
    last_at: datetime
    last_address: str | None
    day: date | None = None
    by_month: bool = False
    route: str | None = None
    outcome: Outcome | None = None
    secret: str | None = None
    secret_state: SecretState | None = None
    secret_hint: str | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What one worker has counted of one key, secret, day, route and outcome. `key_id`, `secret`: empty = not known.
    `last_at`: aware, UTC."""

    key_id: str
    secret: str
    day: date
    route: str
    outcome: str
    count: int
    last_at: datetime
    last_address: str | None


def secret_id(digest: bytes) -> str:
    """What the secret with this digest (32 bytes) is called in usage: 12 hexadecimal characters. One more hash, so that
    no part of a digest is shown."""
    return blake2b(digest, digest_size=SECRET_ID_BYTES, person=b"gatepost usage").hexdigest()
