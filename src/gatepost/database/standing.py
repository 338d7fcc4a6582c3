"""What changes know of a key, and what their events tell of it. Values, and no statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from gatepost.base import NO_LIMITS, APIKey, Limits, allow_of, limit_as_json, limits_of, metadata_of

WHOSE = ("project", "owner", "environment")
"""The columns by which a key's events are found."""

GRANTED = ("permissions", "roles", "own_permissions", "role_resources")
"""The columns of what a key may do: all of it, by which roles, what of it without them, and what is limited by them."""

TOLD = ("id", "description", "active", "expires_at", "allow", "limits", "metadata", "kind", "template", "resources")
"""The other columns that are the caller's to say of a new key."""

ALIKE_MAX = 8
"""Of how many kinds edits may be for their events, or their terms, to be written by kind."""

NOBODYS: Mapping[str, None] = dict.fromkeys(WHOSE)


class Standing(NamedTuple):
    """What a key is and may do, as far as changes ask. `has_old_secret`: one that was rotated out works still. `allow`,
    `limits`: as for `APIKey`."""

    id: str
    project: str | None
    permissions: frozenset[str]
    active: bool
    has_old_secret: bool = False
    allow: tuple[str, ...] | None = None
    environment: str | None = None
    limits: Limits = NO_LIMITS

    @classmethod
    def of(cls, row: Sequence[Any]) -> "Standing":
        """The key that a row of `Change.states` tells of."""
        key_id, _seq, old, project, names, active, allow, environment, limits = row[:9]
        return cls(key_id, project, _held(names), active, bool(old), allow_of(allow), environment, limits_of(limits))


class Alike(NamedTuple):
    """Keys by what an edit of their roles does to them. `ids`: of all, newest first. `kinds`: of those to which it does
    the same, one, and the ids of all."""

    ids: Sequence[str]
    kinds: Sequence[tuple[APIKey, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Creation:
    """The event of a key's making. `at`: by the database's clock. `detail`: what was asked for."""

    key_id: str
    at: datetime
    detail: Mapping[str, Any]


class KeyEdit(NamedTuple):
    """An edit of keys that are alike: their ids, how one of them was and is to be, the columns that are new, and what
    the events tell."""

    ids: Sequence[str]
    before: APIKey
    after: APIKey
    values: Mapping[str, Any]
    detail: Mapping[str, Any]


def ids_of(edits: Iterable[KeyEdit]) -> list[str]:
    """The ids of all keys that are edited."""
    return [key_id for edit in edits for key_id in edit.ids]


@lru_cache(maxsize=256)
def _held(names: str) -> frozenset[str]:
    """The permissions that a column tells of. Of thousands of keys most have the same."""
    return frozenset(names.split())


def names_of(text: str | None) -> list[str]:
    """The names that a column of permissions or roles holds."""
    return (text or "").split()


def whose(key: Any) -> dict[str, Any]:
    """What an event tells of whose key it is about."""
    return {name: getattr(key, name) for name in WHOSE}


def creation_detail(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an event tells of a key that is made or deleted."""
    expires_at, allow, limits = row["expires_at"], allow_of(row["allow"]), limits_of(row["limits"])
    metadata = metadata_of(row["metadata"])
    return {
        "description": row["description"],
        "permissions": row["permissions"].split(),
        "project": row["project"],
        "active": row["active"],
        "expires_at": None if expires_at is None else expires_at.isoformat(),
        **({} if allow is None else {"allow": [*allow]}),
        **({"limits": [*map(limit_as_json, limits)]} if limits else {}),
        **{name: row[name] for name in ("owner", "environment") if row[name] is not None},
        **({"metadata": metadata} if metadata else {}),
        **{name: names_of(row[name]) for name in ("roles", "own_permissions") if row[name] is not None},
        **{name: orjson.loads(row[name]) for name in ("resources", "role_resources") if row.get(name) is not None},
        **({"template": orjson.loads(row["template"])} if row.get("template") is not None else {}),
        **({"default_lifetime": row["default_lifetime"]} if row.get("default_lifetime") else {}),
    }


def end_detail(row: Any) -> dict[str, Any]:
    """What an event tells of an older secret that is ended."""
    return {"hint": row.hint, "expires_at": row.ends.isoformat()}
