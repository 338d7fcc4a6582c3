"""The values that users meet: keys, what making one gives, pages, verdicts, receipts, events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar, get_args

import orjson
from starlette.authentication import BaseUser

from gatepost.base.limits import NO_LIMITS, Limit, Limits, stored_limits
from gatepost.base.metadata import metadata_text
from gatepost.base.resources import Granted, Resources, by_roles_text, granted, resources_text

T = TypeVar("T")

YEAR_MIN, YEAR_MAX = 1, 9999
"""Moments near the ends of the calendar overflow in other time zones."""

DESCRIPTION_MAX = 200
PROJECT_MAX = 100
OWNER_MAX = 100
ENVIRONMENT_MAX = 10
ACTOR_MAX = 200
ACTOR_ID_MAX = 200
ADDRESS_MAX = 100
"""Longest texts, in characters: what callers may give, and the width of the columns."""

VERSION_BYTES = 12
"""Length of the hash that `APIKey.version` is."""

EXPIRING_SECONDS = 30 * 86400.0
"""How long before its expiry a key is said to be expiring, unless told otherwise: 30 days."""

EXPIRES_WITHIN_MAX = 100 * 365 * 86400.0
"""Longest time before its expiry from which on a key may be held for expiring, in seconds: a century."""


Environment = Literal["live", "test"]
"""What a key is for, where an app tells that apart."""

ENVIRONMENTS: Sequence[str] = get_args(Environment)


class Outcome(StrEnum):
    """What verifying one secret, or one request, gave. The value is the stable `code` of DESIGN's error table."""

    VALID = "valid"
    MISSING = "key_missing"
    INVALID = "key_invalid"
    DEACTIVATED = "key_deactivated"
    EXPIRED = "key_expired"
    AMBIGUOUS = "key_ambiguous"
    PERMISSION_DENIED = "permission_denied"
    ADDRESS_DENIED = "address_denied"
    ORIGIN_DENIED = "origin_denied"
    SUBJECT_DENIED = "subject_denied"
    LIMIT_EXCEEDED = "limit_exceeded"
    PROJECT_DENIED = "project_denied"
    ENVIRONMENT_DENIED = "environment_denied"
    UNAVAILABLE = "unavailable"


class State(StrEnum):
    """What a key is good for at a moment. `active`: it works. `expiring`: it works, but not for long. `expired`: it is
    switched on, and its time is over. `deactivated`: it is switched off, whatever its expiry."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class OldSecret:
    """The secret that a key had before its last rotation, in its grace. `hint`: its start and last four characters.
    `expires_at`: aware, UTC: until when it works, unless the key ends before."""

    hint: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)  # no slots: a subclass could not hold in fewer what it holds otherwise
class APIKey(BaseUser):
    """The managed object. Never holds a secret.

    It is also what Starlette calls the user (`request.user`): the caller is the key, there is no person present.

    `id`: 12 base62 characters. `project`: the tenant, `None` = every project. `description`: 1 to 200 characters.
    `permissions`: names of the catalogue. `active`: switched on. `created_at`, `updated_at`: aware, UTC, the database's
    clock. `expires_at`: aware, UTC, `None` = never. `allow`: the networks that it may be used from, in CIDR notation;
    `None` = anywhere, empty = nowhere. `limits`: how much it may be used; empty = as much as it likes. `owner`: who
    answers for it, a name of the app's own, 1 to 100 characters; `None` = nobody is named. `environment`: `live` or
    `test`; `None` = either. `metadata`: what the app wants to know of it, a JSON object (`checked_metadata`), empty =
    nothing; of a request's key it is read out anew each time. `roles`: the names of those that it holds, sorted;
    `permissions` has theirs as well. `own_permissions`: what it has without them; `None` = all. `template`: what makes
    it a template of temporary secrets (`gatepost.temporary`), JSON; `None` = it is a plain key. `resources`: those that
    its permissions hold on, `collection:spring`, `dir:/campaigns/*`; `None` = on every one, empty = on none.
    `role_resources`: by permission, those of the roles by which alone it has that. `hint`: start and last four
    characters of the current secret. `old_secret`: the one before it, while it still works; `None` = there is none.
    `last_used_at`: aware, UTC, up to a minute behind; `None` = never. Only reads for management tell roles, own
    permissions, secrets and the last use: they are empty or `None` in a request's key, whose `permissions` has those
    that hold on every resource (`Granted`).
    """

    id: str
    project: str | None
    description: str
    permissions: frozenset[str]
    active: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    allow: tuple[str, ...] | None = None
    limits: Limits = NO_LIMITS
    owner: str | None = None
    environment: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    roles: tuple[str, ...] = ()
    own_permissions: frozenset[str] | None = None
    template: str | None = field(default=None, repr=False)
    resources: Resources | None = None
    role_resources: Mapping[str, Resources] = field(default_factory=dict, hash=False)
    hint: str | None = None
    old_secret: OldSecret | None = None
    last_used_at: datetime | None = field(default=None, compare=False)

    def state(self, now: datetime, expires_within: float = EXPIRING_SECONDS) -> State:
        """What the key is good for at the moment `now` (aware). `expires_within`: seconds before its expiry from which
        on it is expiring."""
        if not self.active:
            return State.DEACTIVATED
        if self.expires_at is None:
            return State.ACTIVE
        if self.expires_at <= now:
            return State.EXPIRED
        return State.EXPIRING if self.expires_at <= now + timedelta(seconds=expires_within) else State.ACTIVE

    @property
    def version(self) -> str:
        """24 hex characters that change with every change of the key: what `if_version=` and HTTP's ETag compare."""
        content: list[Any] = [self.id, self.project, self.description, sorted(self.permissions), self.active]
        content += [self.created_at, self.updated_at, self.expires_at]
        bounds = [self.allow, stored_limits(self.limits), self.owner, self.environment, metadata_text(self.metadata)]
        own = None if self.own_permissions is None else tuple(sorted(self.own_permissions))
        bounds += [self.roles or None, own]
        bounds += [self.template, resources_text(self.resources), by_roles_text(self.role_resources)]
        while bounds and bounds[-1] is None:
            del bounds[-1]
        return blake2b(orjson.dumps([*content, *bounds]), digest_size=VERSION_BYTES).hexdigest()

    @property
    def granted(self) -> frozenset[str]:
        """The permissions that hold on every resource; a `Granted`, which tells the others too, where there are any."""
        return granted(self.permissions, self.resources, self.role_resources)

    def permits(self, permission: str, on: str | None = None) -> bool:
        """Whether the key has a permission on a resource, `dir:/campaigns/spring`, in whatever form of it; `None` = on
        every one. `False` for one that nobody can tell (`normal_resource`). Says nothing of whether the key works."""
        held = self.granted
        return permission in held or (on is not None and isinstance(held, Granted) and permission in held.on(on))

    @property
    def is_limited(self) -> bool:
        """Whether it has limits, or such as nobody can read."""
        return bool(self.limits) or self.limits.resets < 0

    @property
    def subject(self) -> str | None:
        """Whom a temporary secret was issued for; `None` = for nobody in particular, or the key's own secret came."""
        return None

    @property
    def is_authenticated(self) -> bool:
        """Always true (Starlette's `BaseUser`)."""
        return True

    @property
    def display_name(self) -> str:
        """The description (Starlette's `BaseUser`)."""
        return self.description

    @property
    def identity(self) -> str:
        """The key's id (Starlette's `BaseUser`)."""
        return self.id


EventKind = Literal[
    "created",
    "imported",
    "updated",
    "activated",
    "deactivated",
    "rotated",
    "grace_ended",
    "revealed",
    "leaked",
    "deleted",
    "role_created",
    "role_updated",
    "role_deleted",
    "policy",
    "invalidated",
    "installed",
    "sql",
]
"""What an event of the audit log can tell of."""

EVENT_KINDS: Sequence[str] = get_args(EventKind)

MAKING_KINDS = ("created", "imported")
"""Those by which there is a key that there was not before."""

WHOLE_KINDS = (*MAKING_KINDS, "deleted", "role_created", "role_deleted")
"""Those whose detail tells what a key is, or was, and no changes."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One process that serves requests. `id`: random, new each time that keys are opened. `name`: its host and process
    id, for people."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """How far a change has come: whether every worker acts on it.

    `complete`: every worker does, and will. `holds_from`: aware, UTC, the database's clock: since when, or where not
    `complete` by when at the latest; `None` where that could not be learnt. `seconds`: from the commit to the return.

    The workers there were when the change was committed, each in one place: `acknowledged`: said that they have applied
    it; `left`: went away; `expired`: said nothing, but may believe nothing from before the change any more; `waiting`:
    none of these yet.
    """

    complete: bool
    holds_from: datetime | None
    seconds: float
    acknowledged: Sequence[Worker] = ()
    left: Sequence[Worker] = ()
    expired: Sequence[Worker] = ()
    waiting: Sequence[Worker] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """A key together with its new secret, which is told only here and only now. The repr hides it.

    `propagation`: after a rotation, how far the end of the old secret has come; `None` for a new key.
    """

    key: APIKey
    secret: str = field(repr=False)
    propagation: Propagation | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditedKey(APIKey):
    """A key as an edit left it. `propagation`: how far the edit has come. Equal to the plain key."""

    propagation: Propagation = field(repr=False)

    def __eq__(self, other: object) -> bool:
        """Keys are compared by what they are, not by how they were got."""
        if not isinstance(other, APIKey):
            return NotImplemented
        return all(getattr(self, each.name) == getattr(other, each.name) for each in fields(APIKey))

    __hash__ = APIKey.__hash__


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, in its order. `next`: what to pass as `after=` for the following page, `None` at the end.
    `previous`: what to pass as `before=` for the page before, `None` at the start, and where a list only goes on."""

    items: Sequence[T]
    next: str | None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """How many keys a list has. `exact`: whether there are `number`; else there are that many at least, and counting
    them all would take too long. As text: `5,023`, or `10,000+`."""

    number: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.number:,}{'' if self.exact else '+'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent:
    """One line of the audit log: what one change did to one key.

    `seq`: the change's number; `n`: the line's number in it, with gaps. `key_id`, `project`, `owner`, `environment`:
    the key's, as it was before the change; `None` = about no single key, or it has none. `kind`: `created`, `imported`,
    `updated`, `activated`, `deactivated`, `rotated`, `grace_ended`, `revealed`, `leaked`, `deleted`, `policy`,
    `invalidated`, `installed`, or `sql`: changed by hand in the database. `actor`, `address`: who, and from where;
    `None` = not known. The name is whatever somebody was called: who it was tell `actor_kind`, a value of `ActorKind`,
    and `actor_id`, the key's id, the person's in the host app, the operator's name, the user's at the shell; `None` =
    not known: such an event is from before they were kept, and its name proves nothing. `at`: aware, UTC, the
    database's clock. `detail`: what changed, `{"description": {"old": ..., "new": ...}}` and so on; never a secret;
    `None` = nothing to tell.
    """

    seq: int
    n: int
    key_id: str | None
    project: str | None
    kind: str
    actor: str | None
    actor_kind: str | None = None
    actor_id: str | None = None
    address: str | None
    at: datetime
    detail: Mapping[str, Any] | None
    owner: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying one secret gave. `key` is `None` where the secret is not of any key (`Outcome.INVALID`)."""

    outcome: Outcome
    key: APIKey | None

    @property
    def valid(self) -> bool:
        """Whether the key may be used now."""
        return self.outcome is Outcome.VALID


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a change of one key or many did, id by id, all in one transaction.

    `seq`: number of the committed change, `None` where nothing had to change. `changed`: ids now as asked for;
    `unchanged`: were so already; `unknown`: ids that no key has. Each in the order given, without repeats. `denied`:
    ids that the actor may not change, each with a sentence that says why. `propagation`: whether every worker acts on
    it. `is_preview`: nothing was done; it tells what would be, and `propagation` nothing.
    """

    seq: int | None
    changed: Sequence[str]
    unchanged: Sequence[str]
    unknown: Sequence[str]
    propagation: Propagation
    denied: Mapping[str, str] = field(default_factory=dict)
    is_preview: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedKey:
    """A key made elsewhere, known by its secret's digest alone (for `APIKeys.import_digests`).

    `digest`: SHA-256 of the secret's bytes, 32 bytes. `description`, `permissions`, `roles`, `project`, `active`,
    `expires_at`, `allow`, `limits`, `owner`, `environment`, `metadata`, `resources`: as for
    `APIKeys.create`. `hint`: what people may see of the secret, at most 40 characters."""

    digest: bytes = field(repr=False)
    description: str
    permissions: Sequence[str] = ()
    roles: Sequence[str] = ()
    project: str | None = None
    active: bool = True
    expires_at: datetime | None = None
    allow: Sequence[str] | None = None
    limits: Sequence[Limit] = ()
    owner: str | None = None
    environment: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    resources: Sequence[str] | None = None
    hint: str = ""
