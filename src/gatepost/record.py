"""What a lookup of one digest found: a key as one of its secrets reaches it, or that there is none.

The tiers and the database speak of a record as a *row*: a flat list of plain values, so that neither needs to know
this class, and a row from Redis and one from the database are decoded by the same code, once, when they enter memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any

from starlette.authentication import AuthCredentials

from gatepost.models import APIKey

NEVER = math.inf
"""A moment, in seconds since the epoch, that never comes."""

_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A float of the calendar's last microseconds rounds up to a year that datetime does not have."""

Row = Sequence[Any]
"""(id, project, description, permissions joined by spaces, active, created, updated, key expires, secret expires):
moments are float seconds since the epoch (UTC), `None` = never."""


@dataclass(frozen=True)
class Credentials(AuthCredentials):
    """Starlette's credentials for a set of permissions. Shared by all keys that have the same set, so immutable: a
    request must not change another's permissions."""

    scopes: tuple[str, ...] = ()  # type: ignore[assignment]  # Starlette's is a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(APIKey):
    """A key as one secret reaches it, ready for a request. About 500 bytes with all that it holds.

    `auth`: Starlette's credentials. `as_of`: the seq that the database stood at when this was read. `usable_until`:
    seconds since the epoch by the database's clock from which on the secret is refused: the earlier expiry of key and
    secret, -inf for a deactivated key, inf for never. `until`: the moment, on this process's boot clock, from which on
    memory must not answer with it.
    """

    auth: Credentials = field(repr=False)
    as_of: int = field(repr=False)
    usable_until: float = field(repr=False)
    until: float = field(repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """No key has the digest that was asked for, as of the seq `as_of`. `until`: as for `Record`."""

    as_of: int
    until: float


Found = Record | Absent


def decode(row: Row | None, as_of: int, until: float) -> Found:
    """The record that a row from a tier or the database tells of; `None` = there is no such key."""
    if row is None:
        return Absent(as_of, until)
    key_id, project, description, names, active, created, updated, key_expires, secret_expires = row
    permissions, auth = _permission_set(names)
    created_at = _moment(created)
    return Record(
        id=key_id,
        project=None if project is None else intern(project),
        description=description,
        permissions=permissions,
        active=bool(active),
        created_at=created_at,
        updated_at=created_at if updated == created else _moment(updated),
        expires_at=None if key_expires is None else _moment(key_expires),
        auth=auth,
        as_of=as_of,
        usable_until=_usable_until(active, key_expires, secret_expires),
        until=until,
    )


def _usable_until(active: bool, key_expires: float | None, secret_expires: float | None) -> float:
    if not active:
        return -NEVER
    return min(NEVER if moment is None else moment for moment in (key_expires, secret_expires))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, _LATEST), UTC)


@lru_cache(maxsize=4096)
def _permission_set(names: str) -> tuple[frozenset[str], Credentials]:
    """Keys with the same permissions share one set and one credentials object: most of an app's keys do."""
    split = names.split()
    return frozenset(split), Credentials(tuple(split))
