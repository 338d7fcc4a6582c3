"""The values that users meet: keys, what making one gives, pages, verdicts, receipts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from starlette.authentication import BaseUser

DESCRIPTION_MAX = 200
PROJECT_MAX = 100
ACTOR_MAX = 200
"""Longest texts, in characters: what callers may give, and the width of the columns."""


class Outcome(StrEnum):
    """What verifying one secret, or one request, gave. The value is the stable `code` of DESIGN's error table."""

    VALID = "valid"
    MISSING = "key_missing"
    INVALID = "key_invalid"
    DEACTIVATED = "key_deactivated"
    EXPIRED = "key_expired"
    AMBIGUOUS = "key_ambiguous"
    PERMISSION_DENIED = "permission_denied"
    PROJECT_DENIED = "project_denied"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKey(BaseUser):
    """The managed object. Never holds a secret.

    It is also what Starlette calls the user (`request.user`): the caller is the key, there is no person present.

    `id`: 12 base62 characters. `project`: the tenant, `None` = every project. `description`: 1 to 200 characters.
    `permissions`: names of the catalogue. `active`: switched on. `created_at`, `updated_at`: aware, UTC, the database's
    clock. `expires_at`: aware, UTC, `None` = never. `hint`: start and last four characters of the current secret;
    `None` in the key that a request carries (only reads for management tell it).
    """

    id: str
    project: str | None
    description: str
    permissions: frozenset[str]
    active: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    hint: str | None = None

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
class Page:
    """One page of keys, newest first. `next`: what to pass as `after=` for the following page, `None` at the end."""

    items: Sequence[APIKey]
    next: str | None


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
    `unchanged`: were so already; `unknown`: ids that no key has. Each in the order given, without repeats.
    `propagation`: whether every worker acts on it.
    """

    seq: int | None
    changed: Sequence[str]
    unchanged: Sequence[str]
    unknown: Sequence[str]
    propagation: Propagation


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedKey:
    """A key made elsewhere, known by its secret's digest alone (for `APIKeys.import_digests`).

    `digest`: SHA-256 of the secret's bytes, 32 bytes. `description`, `permissions`, `project`, `active`,
    `expires_at`: as for `APIKeys.create`. `hint`: what people may see of the secret, at most 40 characters.
    """

    digest: bytes = field(repr=False)
    description: str
    permissions: Sequence[str] = ()
    project: str | None = None
    active: bool = True
    expires_at: datetime | None = None
    hint: str = ""
