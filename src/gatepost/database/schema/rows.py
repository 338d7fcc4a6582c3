"""From rows of the tables to keys, and to the flat rows that lookups speak of."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, select

from gatepost.base import (
    NEVER_USED,
    APIKey,
    ChangeEvent,
    OldSecret,
    Row,
    allow_of,
    by_roles_of,
    limits_of,
    metadata_of,
    resources_of,
)
from gatepost.database.schema.clock import database_now
from gatepost.database.schema.tables import keys, last_used, secrets


def told_columns(key_id: ColumnElement[str]) -> Sequence[ColumnElement[Any]]:
    """What `as_key` wants to know of a key beside its row: the hint and the end of its older secret, what time it is,
    and when it was used last. Subqueries: a planner without statistics would join all secrets."""
    old = secrets.alias()
    latest = old.c.expires_at.desc(), old.c.digest  # somebody may have put more than one there by hand
    of_key = select(old).where(old.c.key_id == key_id, old.c.expires_at.is_not(None)).order_by(*latest).limit(1)
    return [
        of_key.with_only_columns(old.c.hint).scalar_subquery().label("old_hint"),
        of_key.with_only_columns(old.c.expires_at).scalar_subquery().label("old_expires_at"),
        database_now().label("now"),
        last_use(key_id).label("last_used_at"),
    ]


def last_use(key_id: ColumnElement[str]) -> ColumnElement[Any]:
    """When a key was used last; null where somebody made it by hand, and nobody has used it."""
    return select(last_used.c.last_at).where(last_used.c.key_id == key_id).limit(1).scalar_subquery()


KEYS = select(keys, secrets.c.hint, *told_columns(keys.c.id)).join_from(
    keys, secrets, and_(secrets.c.key_id == keys.c.id, secrets.c.expires_at.is_(None))
)
"""Keys, each with the hint of its current secret, and its older one."""


def as_key(row: Any) -> APIKey:
    """The key that a row of `KEYS` tells of."""
    lives = row.old_expires_at is not None and row.old_expires_at.timestamp() > float(row.now)
    return APIKey(
        id=row.id,
        project=row.project,
        description=row.description,
        permissions=frozenset(row.permissions.split()),
        active=row.active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        allow=allow_of(row.allow),
        limits=limits_of(row.limits),
        owner=row.owner,
        environment=row.environment,
        metadata=metadata_of(row.metadata),
        roles=tuple((row.roles or "").split()),
        own_permissions=None if row.own_permissions is None else frozenset(row.own_permissions.split()),
        template=row.template,
        resources=resources_of(row.resources),
        role_resources=by_roles_of(row.role_resources, row.permissions.split()),
        hint=row.hint,
        old_secret=OldSecret(row.old_hint, row.old_expires_at) if lives else None,
        last_used_at=None if row.last_used_at == NEVER_USED else row.last_used_at,
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
        owner=row.owner,
        environment=row.environment,
    )


def as_plain(found: Any) -> Row:
    """The flat row of one result of the lookup's statement."""
    _seq, _digest, key_id, project, description, names, active, created, updated, *rest = found
    expires, secret_expires, *others = rest
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
        *others,
    )
