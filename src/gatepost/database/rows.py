"""From rows of the tables to keys, and to the flat rows that lookups speak of."""

from typing import Any

import orjson
from sqlalchemy import and_, select

from gatepost.database.tables import keys, secrets
from gatepost.models import APIKey, ChangeEvent
from gatepost.record import Row

KEYS = select(keys, secrets.c.hint).join_from(
    keys, secrets, and_(secrets.c.key_id == keys.c.id, secrets.c.expires_at.is_(None))
)
"""Keys, each with the hint of its current secret."""


def as_key(row: Any) -> APIKey:
    """The key that a row of `KEYS` tells of."""
    return APIKey(
        id=row.id,
        project=row.project,
        description=row.description,
        permissions=frozenset(row.permissions.split()),
        active=row.active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        hint=row.hint,
    )


def as_event(row: Any) -> ChangeEvent:
    """The line of the audit log that a row of the events tells."""
    return ChangeEvent(
        seq=row.seq,
        n=row.n,
        key_id=row.key_id,
        project=row.project,
        kind=row.kind,
        actor=row.actor,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        address=row.address,
        at=row.at,
        detail=None if row.detail is None else orjson.loads(row.detail),
    )


def as_plain(found: Any) -> Row:
    """The flat row of one result of the lookup's statement."""
    _seq, _digest, key_id, project, description, names, active, created, updated, expires, secret_expires = found
    return (
        key_id,
        project,
        description,
        names.strip(),
        active,
        created.timestamp(),
        updated.timestamp(),
        None if expires is None else expires.timestamp(),
        None if secret_expires is None else secret_expires.timestamp(),
    )
