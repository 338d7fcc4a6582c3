"""Issuing temporary secrets: of what is remembered, with no statement; checked against it again when it is used."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from gatepost.base import (
    DIGEST_BYTES,
    ISSUED_ROUTE,
    NEVER,
    NO_LIMITS,
    AccessDeniedError,
    Actor,
    BadInputError,
    KeyNotFoundError,
    Limit,
    Limits,
    Networks,
    Outcome,
    OutsideRecord,
    Presented,
    Record,
    TemplateRecord,
    checked_limits,
    checked_networks,
    covers,
    is_id,
)
from gatepost.keys.parts import Opened, Parts
from gatepost.rules import UNNAMED, Authority, checked_actor, checked_text
from gatepost.temporary import (
    ID_BYTES,
    LIFETIME,
    LIFETIME_MAX,
    SUBJECT_BYTES_MAX,
    Claims,
    TemporarySecret,
    checked_lifetime,
    decide_temporary,
    tags_of,
    terms_of,
)

if TYPE_CHECKING:
    from gatepost.base import Found

REMEMBERED_MAX = 10_000
"""Most ids whose current secret's digest is remembered."""

AT_ONCE = 3
"""Looks at a parent whose secret is replaced while it is looked at."""


class Narrowing(TypedDict, total=False):
    """What a temporary secret is narrowed to, and who issues it (`issue_temporary`)."""

    permissions: Iterable[str] | None
    allow: Iterable[str] | None
    limits: Iterable[Limit]
    lifetime: int | None
    subject: str | None
    actor: str | Actor


@dataclass(frozen=True, slots=True)
class Parent:
    """What is to be issued of: the id of a key or template, or the digest of a secret that somebody has shown."""

    key_id: str | None = None
    presented: Presented | None = field(default=None, repr=False)


def parent_of(parent: str | bytes) -> Parent:
    """What a caller names: an id, a secret, or a secret's digest. Raises `BadInputError`, without the text."""
    if isinstance(parent, bytes) and len(parent) == DIGEST_BYTES:
        return Parent(presented=Presented(digest=parent))
    if not isinstance(parent, str):
        raise BadInputError("parent must be the id of a template or key, a secret, or its digest (32 bytes)", "parent")
    if is_id(parent):
        return Parent(key_id=parent)
    return Parent(presented=Presented(parent.encode("utf-8", "surrogatepass")))


async def issue_temporary(
    parts: Parts,
    parent: Parent,
    *,
    permissions: Iterable[str] | None = None,
    allow: Iterable[str] | None = None,
    limits: Iterable[Limit] = (),
    lifetime: int | None = None,
    subject: str | None = None,
    actor: str | Actor = UNNAMED,
) -> TemporarySecret:
    """Issue a temporary secret of a template or a key. It can do at most what that can at the moment when it is used,
    and ends at once when that is switched off, deleted or edited below it, or loses the secret that it was made from:
    the current one where an id is named, else the one that is shown.

    `permissions`: of those that the parent has; `None` = all of them, also those that it gets later. `allow`: networks
    within the parent's; `None` = the parent's. `limits`: of its own, beside the parent's, which count for all that is
    issued of it together; 8 at most. `lifetime`: whole seconds; `None` = the template's, an hour for a key; at most the
    template's, a day for a key. `subject`: whom it is for, at most 100 bytes: the middleware's `subject=` must say the
    same of a request. `actor`: who may be limited needs to manage, and hold all that the parent has. It never gives the
    permission to manage keys.

    Raises `KeyNotFoundError`, `BadInputError` (also where the text would have 300 characters or more),
    `UnknownPermissionError`, `AccessDeniedError` (also for a parent that cannot be used now), `UnavailableError`. No
    I/O where this process remembers the parent, some 30 µs; else one statement, two for an id. An actor that is a key
    costs one more.
    """
    actor = checked_actor(actor)
    authority = await _authority(parts, actor)
    opened = parts.opened()
    record, digest = await _record(parts, opened, parent)
    if not authority.reaches(record):
        raise KeyNotFoundError([record.id])
    if authority.is_limited:
        authority.check_hand_out(record)
        if record.id == actor.key_id and actor.digest != digest:
            raise AccessDeniedError("A key issues temporary secrets of the secret that it uses: name that")
    now = opened.freshness.database_now()
    asked = frozenset(record.permissions) if permissions is None else parts.settings.catalogue.check(permissions)
    if not asked <= record.permissions:
        missing = ", ".join(sorted(asked - record.permissions))
        raise BadInputError(f"{record.id} has not got {missing}: a temporary secret can only narrow", "permissions")
    is_all = permissions is None and not authority.is_limited  # what comes later, that actor may not hold
    claims = Claims(
        id=secrets.token_bytes(ID_BYTES),
        digest=digest,
        issued_at=int(now),
        expires_at=int(now) + _lifetime(record, lifetime),
        tags=None if is_all else _tags(asked, record),
        networks=_networks(record, allow),
        limits=_limits(limits),
        subject=None if subject is None else _checked_subject(subject),
    )
    outcome, left = decide_temporary(claims, record, now)
    if outcome is not Outcome.VALID or left is None:
        raise AccessDeniedError(f"{record.id} cannot be used now ({outcome.value}), so nothing is issued of it")
    text = opened.temporary.make(claims)
    if opened.flushing is not None:
        counter = opened.flushing.counter
        counter.count(Outcome.VALID, record.id, digest, counter.clock(), ISSUED_ROUTE, actor.address)
    return TemporarySecret(
        id=claims.name,
        secret=text,
        key_id=record.id,
        expires_at=datetime.fromtimestamp(left.ends_at, UTC),
        permissions=left.permissions,
        subject=claims.subject,
    )


async def _authority(parts: Parts, actor: Actor) -> Authority:
    """What the actor may do now. A key that acts is read anew. Raises `AccessDeniedError`, `UnavailableError`."""
    authority = Authority(actor)
    authority.check_manage()
    if actor.key_id is None:
        return authority
    key = await parts.database.get_key(actor.key_id)
    if key is None or not key.active or (key.expires_at is not None and key.expires_at <= datetime.now(UTC)):
        raise AccessDeniedError(f"Key {actor.key_id}, which acts, cannot be used any more")
    held = Actor(
        actor.name,
        address=actor.address,
        key_id=key.id,
        digest=actor.digest,
        project=actor.project or key.project,
        environment=actor.environment or key.environment,
        permissions=actor.permissions & key.permissions,
    )
    authority = Authority(held, allow=key.allow, limits=key.limits)
    authority.check_manage()
    return authority


async def _record(parts: Parts, opened: Opened, parent: Parent) -> tuple[Record, bytes]:
    """The record of the parent, and the digest of the secret by which it is meant. Raises `KeyNotFoundError`,
    `BadInputError`, `UnavailableError`."""
    if not opened.freshness.started:
        await opened.serve()
    if parent.presented is not None:
        presented = parent.presented
        foreign, temporary = parts.settings.foreign_secrets, opened.temporary.read
        if not presented.may_exist(opened.format, foreign=foreign, temporary=temporary):
            raise BadInputError("parent: no key has that secret", "parent")
        if presented.claims is not None:
            raise BadInputError("parent: a temporary secret issues no others", "parent")
        found = await opened.lookup.find(presented.digest)
        if not isinstance(found, Record) or isinstance(found, TemplateRecord):
            raise BadInputError("parent: no key has that secret", "parent")
        return _usable(found), presented.digest
    return await _current(opened, parent.key_id or "")


async def current_record(parts: Parts, key_id: str) -> Record:
    """What is known of a key or template by its id. Raises `KeyNotFoundError`, `BadInputError`, `UnavailableError`."""
    opened = parts.opened()
    if not opened.freshness.started:
        await opened.serve()
    return (await _current(opened, key_id))[0]


async def _current(opened: Opened, key_id: str) -> tuple[Record, bytes]:
    """The record of a key by its current secret, and that secret's digest."""
    known = opened.issued_of
    for _ in range(AT_ONCE):
        digest = known.get(key_id) or await opened.database.current_digest(key_id)
        if digest is None:
            raise KeyNotFoundError([key_id])
        found = await opened.lookup.find(digest)
        if isinstance(found, Record) and _is_current(found):
            if len(known) >= REMEMBERED_MAX:
                known.clear()
            known[key_id] = digest
            return _usable(found), digest
        known.pop(key_id, None)  # it has another secret by now
    raise KeyNotFoundError([key_id])


def _is_current(found: Record) -> bool:
    """Whether it was found by the key's current secret, which ends with the key alone."""
    of_key = found.expires_at
    return not found.active or found.ends_at == (NEVER if of_key is None else of_key.timestamp())


def _usable(found: "Found") -> Record:
    if isinstance(found, OutsideRecord):
        raise BadInputError("parent: it is for another environment than this process", "parent")
    if not isinstance(found, Record):
        raise TypeError(found)
    return found


def _lifetime(record: Record, lifetime: int | None) -> int:
    """Seconds. Raises `BadInputError`."""
    if not isinstance(record, TemplateRecord):
        return LIFETIME if lifetime is None else checked_lifetime(lifetime)
    terms = terms_of(record.template or "")
    if terms is None:
        raise BadInputError(f"what template {record.id} says cannot be read: update it", "parent")
    return terms.lifetime if lifetime is None else checked_lifetime(lifetime, min(terms.lifetime, LIFETIME_MAX))


def _tags(asked: frozenset[str], record: Record) -> frozenset[bytes]:
    """What stands for the permissions. Raises `BadInputError` where it would stand for others that the parent has."""
    tags = tags_of(asked)
    alike = [name for name in record.permissions - asked if tags_of([name]) <= tags]
    if alike:
        raise BadInputError(f"permissions cannot be told from {', '.join(alike)}: name that too", "permissions")
    return tags


def _networks(record: Record, allow: Iterable[str] | None) -> Networks | None:
    texts = checked_networks("allow", allow)
    if texts is None:
        return None
    if not covers(record.allow, texts):
        raise BadInputError(f"allow: {record.id} may not be used from all of these networks itself", "allow")
    return Networks(texts)


def _limits(limits: Iterable[Limit]) -> Limits:
    return checked_limits(limits) or NO_LIMITS


def _checked_subject(subject: Any) -> str:
    text = checked_text("subject", subject, SUBJECT_BYTES_MAX)
    if len(text.encode()) > SUBJECT_BYTES_MAX:
        raise BadInputError(
            f"subject must have at most {SUBJECT_BYTES_MAX} bytes in UTF-8, not {len(text.encode())}", "subject"
        )
    return text
