"""Issuing temporary secrets: of what is remembered, with no statement; checked against it again when it is used."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypedDict

from gatepost.base import (
    DIGEST_BYTES,
    ISSUED_ROUTE,
    NEVER,
    NO_LIMITS,
    AccessDeniedError,
    Actor,
    APIKey,
    BadInputError,
    GatepostError,
    Issued,
    KeyNotFoundError,
    Limit,
    Limits,
    Networks,
    Outcome,
    OutsideRecord,
    Presented,
    Record,
    Resources,
    TemplateRecord,
    checked_limits,
    checked_networks,
    checked_resources,
    covers,
    hint_is_of,
    is_id,
    names_of_granted,
    within_resources,
)
from gatepost.keys.parts import Opened, Parts
from gatepost.rules import ACCESS_MANAGE, UNNAMED, Authority, checked_actor, checked_text
from gatepost.temporary import (
    ID_BYTES,
    LIFETIME,
    LIFETIME_MAX,
    SUBJECT_BYTES_MAX,
    Claims,
    Template,
    TemporarySecret,
    checked_lifetime,
    decide_temporary,
    tags_of,
    terms_of,
)

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
    resources: Iterable[str] | None
    actor: str | Actor


@dataclass(frozen=True, slots=True)
class Parent:
    """What is to be issued of: the id of a key or template, or the digest of a secret that somebody has shown."""

    key_id: str | None = None
    presented: Presented | None = field(default=None, repr=False)


Named = str | bytes | APIKey | Template | Issued


def parent_of(parent: Named) -> Parent:
    """What a caller names: an id, a secret, a secret's digest, or what has an id: a template, a key, or one as it was
    issued. Raises `BadInputError`, without the text."""
    if isinstance(parent, Template | Issued):
        parent = parent.key
    if isinstance(parent, APIKey):
        return Parent(key_id=parent.id)
    if isinstance(parent, bytes) and len(parent) == DIGEST_BYTES:
        return Parent(presented=Presented(digest=parent))
    if not isinstance(parent, str):
        raise BadInputError(
            "parent must be a template or key, its id, a secret, or the digest of one (32 bytes)", "parent"
        )
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
    resources: Iterable[str] | None = None,
    actor: str | Actor = UNNAMED,
) -> TemporarySecret:
    """`APIKeys.issue_temporary`, which tells of it in full."""
    actor = checked_actor(actor)
    authority = await _authority(parts, actor)
    opened = parts.opened()
    record, digest = await _record(parts, opened, parent)
    if not authority.reaches(record):  # before anything is said of it
        raise _unknown(parent)
    _check_usable(record)
    held = names_of_granted(record.permissions)
    if authority.is_limited:
        authority.check_grant(held)
        authority.check_addresses(record.allow)
        authority.check_limits(record.limits)
        if record.id == actor.key_id and actor.digest != digest:
            raise AccessDeniedError("A key issues temporary secrets of the secret that it uses: name that")
    await _check_made_here(opened, record, digest, parent.presented)
    now = opened.freshness.database_now()
    asked = held if permissions is None else parts.settings.catalogue.check(permissions)
    if not asked <= held:
        missing = ", ".join(sorted(asked - held))
        raise BadInputError(f"{record.id} has not got {missing}: a temporary secret can only narrow", "permissions")
    if permissions is not None and ACCESS_MANAGE in asked:
        raise BadInputError(
            f"no temporary secret has {ACCESS_MANAGE}: what ends by itself makes nothing that stays", "permissions"
        )
    is_all = permissions is None and not authority.is_limited  # what comes later, that actor may not hold
    claims = Claims(
        id=secrets.token_bytes(ID_BYTES),
        digest=digest,
        issued_at=int(now),
        expires_at=int(now) + _lifetime(record, lifetime),
        tags=None if is_all else _tags(asked, held),
        networks=_networks(record, allow),
        limits=_limits(limits),
        subject=None if subject is None else _checked_subject(subject),
        resources=_resources(record, resources),
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
        permissions=names_of_granted(left.permissions),
        subject=claims.subject,
        resources=claims.resources,
    )


async def _authority(parts: Parts, actor: Actor) -> Authority:
    """What the actor may do now. A key that acts is read anew. Raises `AccessDeniedError`, `UnavailableError`."""
    authority = Authority(actor)
    authority.check_manage()
    if actor.key_id is None:
        return authority
    key = await parts.database.get_key(actor.key_id)
    opened = parts.opened()
    await opened.serve()
    now = opened.freshness.database_now()
    if key is None or not key.active or (key.expires_at is not None and key.expires_at.timestamp() <= now):
        raise AccessDeniedError(f"Key {actor.key_id}, which acts, cannot be used any more")
    held = Actor(
        actor.name,
        address=actor.address,
        key_id=key.id,
        digest=actor.digest,
        project=actor.project or key.project,
        environment=actor.environment or key.environment,
        permissions=actor.permissions & key.granted,
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
            raise _unknown(parent)
        if presented.claims is not None:
            raise BadInputError("parent: a temporary secret issues no others", "parent")
        found = await opened.lookup.find(presented.digest)
        if not isinstance(found, Record) or isinstance(found, TemplateRecord):
            raise _unknown(parent)
        return found, presented.digest
    return await _current(opened, parent.key_id or "")


async def current_record(parts: Parts, key_id: str) -> Record:
    """What is known of a key or template by its id. Raises `KeyNotFoundError`, `BadInputError`, `UnavailableError`."""
    opened = parts.opened()
    if not opened.freshness.started:
        await opened.serve()
    record = (await _current(opened, key_id))[0]
    _check_usable(record)
    return record


async def _current(opened: Opened, key_id: str) -> tuple[Record, bytes]:
    """The record of a key by its current secret, and that secret's digest."""
    known = opened.issued_of
    for _ in range(AT_ONCE):
        digest = known.get(key_id)
        if digest is None:
            current = await opened.database.current_secret(key_id)
            if current is None:
                raise KeyNotFoundError([key_id])
            digest, hint = current
            if hint_is_of(hint, key_id):
                _note_made_here(opened, digest)
        found = await opened.lookup.find(digest)
        if isinstance(found, Record) and _is_current(found):
            if len(known) >= REMEMBERED_MAX:
                known.clear()
            known[key_id] = digest
            return found, digest
        known.pop(key_id, None)  # it has another secret by now
    raise KeyNotFoundError([key_id])


async def _check_made_here(opened: Opened, record: Record, digest: bytes, presented: Presented | None) -> None:
    """Raise `BadInputError` for a secret that was imported: what is issued tells its digest, and it may be one that can
    be guessed. Raises `UnavailableError`. No I/O where it is known."""
    if isinstance(record, TemplateRecord) or digest in opened.made_here:
        return
    if presented is None or presented.key_id != record.id:
        hint = await opened.database.hint_of(digest)
        if hint is None or not hint_is_of(hint, record.id):
            raise BadInputError(
                f"the secret of {record.id} was imported, and temporary secrets tell the digest of what they are made "
                "from, against which texts can be tried: rotate the key first, or issue of a template"
            )
    _note_made_here(opened, digest)


def _note_made_here(opened: Opened, digest: bytes) -> None:
    if len(opened.made_here) >= REMEMBERED_MAX:
        opened.made_here.clear()
    opened.made_here.add(digest)


def _is_current(found: Record) -> bool:
    """Whether it was found by the key's current secret, which ends with the key alone."""
    of_key = found.expires_at
    return not found.active or found.ends_at == (NEVER if of_key is None else of_key.timestamp())


def _unknown(parent: Parent) -> GatepostError:
    """What is told of a parent that there is not, and of one that the actor must not know of."""
    if parent.key_id is not None:
        return KeyNotFoundError([parent.key_id])
    return BadInputError("parent: no key has that secret", "parent")


def _check_usable(record: Record) -> None:
    if isinstance(record, OutsideRecord):
        raise BadInputError("parent: it is for another environment than this process", "parent")


def _lifetime(record: Record, lifetime: int | None) -> int:
    """Seconds. Raises `BadInputError`."""
    if not isinstance(record, TemplateRecord):
        return LIFETIME if lifetime is None else checked_lifetime(lifetime)
    terms = terms_of(record.template or "")
    if terms is None:
        raise BadInputError(f"what template {record.id} says cannot be read: update it", "parent")
    return terms.lifetime if lifetime is None else checked_lifetime(lifetime, min(terms.lifetime, LIFETIME_MAX))


def _tags(asked: frozenset[str], held: frozenset[str]) -> frozenset[bytes]:
    """What stands for the permissions. Raises `BadInputError` where it would stand for others that the parent has."""
    tags = tags_of(asked)
    alike = [name for name in held - asked if tags_of([name]) <= tags]
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


def _resources(record: Record, resources: Iterable[str] | None) -> Resources | None:
    asked = checked_resources(resources)
    if asked is not None and not within_resources(asked, record.resources):
        raise BadInputError(f"resources: {record.id} does not reach all of these itself", "resources")
    return asked


def _limits(limits: Iterable[Limit]) -> Limits:
    return NO_LIMITS if limits == () else checked_limits(limits) or NO_LIMITS


def _checked_subject(subject: Any) -> str:
    text = checked_text("subject", subject, SUBJECT_BYTES_MAX)
    if len(text.encode()) > SUBJECT_BYTES_MAX:
        raise BadInputError(
            f"subject must have at most {SUBJECT_BYTES_MAX} bytes in UTF-8, not {len(text.encode())}", "subject"
        )
    return text
