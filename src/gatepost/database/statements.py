"""What lookups and polls read, each in a single statement (docs/decisions/0002)."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    bindparam,
    literal_column,
    null,
    or_,
    select,
    true,
    type_coerce,
)

from gatepost.database.connecting import is_primary
from gatepost.database.schema import chain_anchor, counter, database_now, elements, events, keys, secrets, workers


def _records_statement(
    secret: FromClause, key: FromClause, joined: FromClause, *where: ColumnElement[bool]
) -> CompoundSelect[Any]:
    """A row for each digest found, and one with the counter, which alone has a seq: a single statement, so that the
    seq and the records are of the same snapshot (rule 2). `secret`, `key`: the two tables as they stand in `joined`."""
    columns = [
        secret.c.digest,
        key.c.id,
        key.c.project,
        key.c.description,
        key.c.permissions,
        key.c.active,
        key.c.created_at,
        key.c.updated_at,
        key.c.expires_at,
        secret.c.expires_at,
        key.c.allow,
        key.c.limits,
        key.c.owner,
        key.c.environment,
        key.c.metadata,
        key.c.template,
        key.c.resources,
        key.c.role_resources,
    ]
    records = select(type_coerce(null(), counter.c.seq.type).label("seq"), *columns).select_from(joined).where(*where)
    return records.union_all(select(counter.c.seq, *[null() for _ in columns]).where(is_primary()))


def _records() -> CompoundSelect[Any]:
    asked = secrets.c.digest.in_(bindparam("digests", expanding=True))
    return _records_statement(secrets, keys, secrets.join(keys, keys.c.id == secrets.c.key_id), asked)


def _records_of_array() -> CompoundSelect[Any]:
    """On PostgreSQL: the indexes are used whatever its planner believes of the tables."""
    asked = elements(bindparam("digests", type_=ARRAY(secrets.c.digest.type)))
    one: ColumnElement[int] = literal_column("1")
    secret = select(secrets).where(secrets.c.digest == asked.c.element).limit(one).lateral()
    key = select(keys).where(keys.c.id == secret.c.key_id).limit(one).lateral()
    return _records_statement(secret, key, asked.join(secret, true()).join(key, true()))


RECORDS = _records()
RECORDS_OF_ARRAY = _records_of_array()
POSITION = select(counter.c.seq, counter.c.nonce, database_now().label("now"), workers.c.id, is_primary()).join_from(
    counter, workers, workers.c.id == bindparam("worker"), isouter=True
)
EVENTS = (
    select(events.c.seq, events.c.n, events.c.nonce, events.c.digest)
    .where(
        events.c.seq >= bindparam("first"),
        events.c.seq <= bindparam("to"),
        or_(events.c.seq > bindparam("first"), events.c.n.between(bindparam("lowest"), bindparam("highest"))),
    )
    .order_by(events.c.seq, events.c.n)
    .limit(bindparam("most"))
)
OLDEST = (
    select(events.c.seq)
    .where(events.c.seq > bindparam("above"), events.c.seq > select(chain_anchor.c.seq).scalar_subquery())
    .order_by(events.c.seq)
    .limit(1)
)


def current_secret(key_id: str) -> Select[Any]:
    """The digest and the hint of a key's current secret."""
    told = select(secrets.c.digest, secrets.c.hint)
    return told.where(secrets.c.key_id == key_id, secrets.c.expires_at.is_(None)).limit(1)


def hint_of(digest: bytes) -> Select[Any]:
    """The hint of a secret."""
    return select(secrets.c.hint).where(secrets.c.digest == digest)


HAS_LIMITS = (
    select(keys.c.id).where(or_(*(keys.c.limits.like(f'%"type":"{kind}"%') for kind in ("rate", "slots")))).limit(1)
)
"""A key that has a limit which workers count together, or each in part. May look at all of them."""
