"""What is left of a temporary secret: its claims, held against the record of what it was made from. Pure.

    claims ── narrowed by ── parent's record, as it is now ──> what it may do now

So whatever is taken from the parent is taken from it: nothing that was issued is trusted to be still within.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gatepost.base import (
    NEVER,
    Absent,
    BoundedRecord,
    Credentials,
    Found,
    Limits,
    Outcome,
    OutsideRecord,
    Record,
    Resources,
    TemplateRecord,
    names_of_granted,
    narrowed,
)
from gatepost.rules import ACCESS_MANAGE
from gatepost.temporary.claims import Claims, tags_of
from gatepost.temporary.template import Terms, terms_of

_UNREADABLE = Terms(lifetime=0, origins=())

_INHERITED = ("_content", "project", "as_of", "until")


@dataclass(frozen=True, init=False, repr=False)
class TemporaryRecord(BoundedRecord):
    """A key, or template, as a temporary secret of it reaches it: it tells of the parent, but for `permissions`,
    `allow` and `expires_at`, which tell what is left. Good for as long as `parent` is the newest that is known.

    `claims`: of the secret. `origins`: of the pages that may use it; `None` = any. `asked`: what who counts makes of
    the limits of both, the first time. `is_bound`: whether it matters where a request is from, or from whom.
    `is_limited`: whether it has limits, or its parent."""

    __slots__ = ("asked", "claims", "is_bound", "is_limited", "origins", "parent")

    if TYPE_CHECKING:  # annotated for the dataclass too, they would be compared
        asked: Any
        claims: Claims
        is_bound: bool
        is_limited: bool
        origins: frozenset[str] | None
        parent: Record

    def __init__(self, claims: Claims, parent: Record) -> None:
        permissions, auth = _left(claims.tags, claims.resources, parent.permissions)
        networks = parent.networks if isinstance(parent, BoundedRecord) else None
        terms = _terms(parent)
        origins = _origins(terms)
        is_bound = networks is not None or claims.networks is not None or origins is not None
        told = (
            *_of_parent(parent),
            permissions,
            auth,
            claims,
            parent,
            None,
            -NEVER,
            None,
            min(parent.ends_at, _latest(claims, terms)),
            networks if claims.networks is None else claims.networks,
            origins,
            is_bound or claims.subject is not None,
            parent.is_limited or bool(claims.limits),
        )
        for put, value in zip(_PUT, told, strict=True):
            put(self, value)

    def remember_asked(self, asked: Any) -> None:
        """Keep it for the next request."""
        object.__setattr__(self, "asked", asked)

    def admits(self, address: str | None) -> bool:
        """Whether a request from that address may be let in: by the parent, and by the claims."""
        parent, own = self.parent, self.claims.networks
        return (not isinstance(parent, BoundedRecord) or parent.admits(address)) and (own is None or address in own)

    @property  # type: ignore[misc]
    def expires_at(self) -> datetime:
        """The earlier end of the two."""
        own = datetime.fromtimestamp(_latest(self.claims, _terms(self.parent)), UTC)
        of_key = self.parent.expires_at
        return own if of_key is None else min(own, of_key)

    @property  # type: ignore[misc]
    def limits(self) -> Limits:
        """The parent's."""
        return self.parent.limits

    @property  # type: ignore[misc]
    def template(self) -> str | None:
        """The parent's."""
        return self.parent.template

    @property
    def subject(self) -> str | None:
        """See `APIKey`."""
        return self.claims.subject

    @property
    def digest(self) -> bytes:
        """Of the secret that it was made from, 32 bytes: by that it is looked up, counted, and told of changes."""
        return self.claims.digest

    def outcome_for(self, address: str | None, origin: str | None, subject: str | None) -> Outcome:
        """What it is for a request from that address, of a page of that origin, by that subject, as far as the app
        knows them (`None`)."""
        if not self.admits(address):
            return Outcome.ADDRESS_DENIED
        if self.origins is not None and origin not in self.origins:
            return Outcome.ORIGIN_DENIED
        return Outcome.VALID if self.subject in (None, subject) else Outcome.SUBJECT_DENIED


_of_parent = attrgetter(*_INHERITED)

_WORKED_OUT = "permissions auth claims parent asked usable_until judged ends_at networks origins is_bound is_limited"

_PUT = tuple(getattr(TemporaryRecord, name).__set__ for name in (*_INHERITED, *_WORKED_OUT.split()))
"""As `object.__setattr__` would, without looking for the name: one is worked out for each that is issued."""


def decide_temporary(claims: Claims, found: Found, now: float) -> tuple[Outcome, TemporaryRecord | None]:
    """What a temporary secret is good for at `now` (seconds since the epoch by the database's clock), where a lookup of
    what it was made from has `found` that; and what is left of it, where that is there."""
    if isinstance(found, Absent):
        return Outcome.INVALID, None
    record = TemporaryRecord(claims, found)
    if isinstance(found, OutsideRecord):
        return Outcome.ENVIRONMENT_DENIED, record
    if now < record.ends_at:
        return Outcome.VALID, record
    return (Outcome.EXPIRED if found.active else Outcome.DEACTIVATED), record


def origin_of(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The origin of the page that a request is from, by the header of that name; `None` where it is not there exactly
    once."""
    found = [value for name, value in headers if name == b"origin"]
    return found[0].decode("latin-1") if len(found) == 1 else None


@lru_cache(maxsize=4096)
def _left(
    tags: frozenset[bytes] | None, resources: Resources | None, held: frozenset[str]
) -> tuple[frozenset[str], Credentials]:
    """The permissions that are in both; never that to manage keys: what ends by itself makes nothing that stays."""
    names = names_of_granted(held)
    named = names if tags is None else frozenset(name for name in names if tags_of([name]) <= tags)
    left = narrowed(held, named - {ACCESS_MANAGE}, resources)
    return left, Credentials(tuple(sorted(left)))


def _terms(parent: Record) -> Terms | None:
    """What a template says; of a plain key nothing, and of a template that nobody can read all that refuses."""
    if not isinstance(parent, TemplateRecord):
        return None
    return terms_of(parent.template or "") or _UNREADABLE


def _latest(claims: Claims, terms: Terms | None) -> int:
    """When a secret ends by itself: as it says, or where its template has been given a shorter lifetime since, so."""
    return claims.expires_at if terms is None else min(claims.expires_at, claims.issued_at + terms.lifetime)


def _origins(terms: Terms | None) -> frozenset[str] | None:
    return None if terms is None or terms.origins is None else frozenset(terms.origins)
