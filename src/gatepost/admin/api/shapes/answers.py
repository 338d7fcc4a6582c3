"""What calls answer. The members are what `gatepost.presentation` tells: one too many or too few is an error here."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.admin.api.shapes.limits import KeyLimit
from gatepost.base import Environment, models, usage
from gatepost.keys import event_json, key_json, propagation_json

Moment = Annotated[datetime, Meta(tz=True)]


class OldSecret(Struct):
    """A secret that was rotated out and works still, until `expires_at`, or the end of its key."""

    hint: Annotated[str, Meta(description="Its start and last four characters.")]
    expires_at: Moment

    @classmethod
    def of(cls, old: models.OldSecret) -> Self:
        """The secret, told."""
        return cls(old.hint, old.expires_at)


class Key(Struct):
    """A key. It never holds a secret."""

    id: str
    project: Annotated[str | None, Meta(description="The project that it belongs to; null: every one.")]
    description: str
    permissions: Annotated[Sequence[str], Meta(description="All that it may do.")]
    roles: Annotated[Sequence[str], Meta(description="The roles that it holds.")]
    own_permissions: Annotated[
        Sequence[str] | None, Meta(description="What it may do without its roles; null: all of `permissions`.")
    ]
    active: Annotated[bool, Meta(description="Whether it is switched on.")]
    created_at: Moment
    updated_at: Moment
    expires_at: Annotated[Moment | None, Meta(description="null: never.")]
    allow: Annotated[
        Sequence[str] | None,
        Meta(description="The networks that it may be used from, in CIDR notation; null: anywhere, empty: nowhere."),
    ]
    limits: Annotated[Sequence[KeyLimit], Meta(description="How much it may be used; empty: as much as it likes.")]
    owner: Annotated[str | None, Meta(description="Who answers for it; null: nobody is named.")]
    environment: Annotated[Environment | None, Meta(description="What it is for; null: either.")]
    metadata: Annotated[Mapping[str, Any], Meta(description="What the app notes of it; empty: nothing.")]
    resources: Annotated[
        Sequence[str] | None, Meta(description="What its permissions hold on; null: everything, empty: nothing.")
    ]
    role_resources: Annotated[
        Mapping[str, Sequence[str]],
        Meta(description="By permission that it has by limited roles alone: what that holds on, within `resources`."),
    ]
    hint: Annotated[str | None, Meta(description="Start and last four characters of the secret.")]
    old_secret: Annotated[
        OldSecret | None,
        Meta(description="The secret from before the last rotation, while it still works; null: there is none."),
    ]
    last_used_at: Annotated[
        Moment | None,
        Meta(
            description="When the last request came that showed it while it worked, up to a minute behind; null: "
            "never, as far as was counted."
        ),
    ]

    @classmethod
    def of(cls, key: models.APIKey) -> Self:
        """The key, told."""
        return cls(**key_members(key))


def key_members(key: models.APIKey) -> Mapping[str, Any]:
    """What there is to know of a key."""
    old = key.old_secret
    return {**key_json(key), "old_secret": None if old is None else OldSecret.of(old)}


class Propagation(Struct):
    """How far a change has come. `complete`: every worker acts on it. `holds_from`: since when, or by when at the
    latest. `seconds`: from the commit to the answer. The workers there were: `acknowledged` said that they act on it,
    `left` went away, `expired` believe nothing from before any more, `waiting` are none of these."""

    complete: bool
    holds_from: Moment | None
    seconds: float
    acknowledged: Sequence[models.Worker]
    left: Sequence[models.Worker]
    expired: Sequence[models.Worker]
    waiting: Sequence[models.Worker]

    @classmethod
    def of(cls, propagation: models.Propagation) -> Self:
        """The propagation, told."""
        return cls(**propagation_json(propagation))


class ChangedKey(Key):
    """A key as a change left it, and how far the change has come."""

    propagation: Propagation

    @classmethod
    def of_edit(cls, key: models.EditedKey) -> Self:
        """The key, told."""
        return cls(**key_members(key), propagation=Propagation.of(key.propagation))


class Keys(Struct):
    """One page of keys. `next`: the `after` of the following page; null at the end. `previous`: the `before` of the
    page before; null at the start."""

    items: Sequence[Key]
    next: str | None
    previous: str | None


class UsageLine(Struct):
    """How often a key was used, of what the line is about: members that were not asked by are null."""

    count: Annotated[int, Meta(description="Requests, refusals included.")]
    last_at: Annotated[Moment, Meta(description="When the last of them began.")]
    last_address: Annotated[str | None, Meta(description="Where that came from; null: not known.")]
    day: Annotated[date | None, Meta(description="In UTC; of a month that was rolled up, its first.")]
    by_month: Annotated[bool, Meta(description="Whether it is of a whole month.")]
    route: Annotated[str | None, Meta(description="The template of the app's router; empty: nobody knows it.")]
    outcome: Annotated[str | None, Meta(description="`valid`, or the code of the refusal.")]
    secret: Annotated[str | None, Meta(description="Tells the key's secrets apart; empty: not known.")]
    secret_state: Annotated[
        Literal["current", "old", "gone"] | None, Meta(description="What has become of that secret.")
    ]
    secret_hint: Annotated[str | None, Meta(description="Its start and last four characters, where it is known still.")]

    @classmethod
    def of(cls, line: usage.Usage) -> Self:
        """The line, told."""
        return cls(**{name: getattr(line, name) for name in cls.__struct_fields__})


class Usage(Struct):
    """How often a key was used: newest day first, then what was used most."""

    items: Sequence[UsageLine]


class Total(Struct):
    """How many keys there are. `exact`: whether it is just that `number`; else there are at least so many, too many to
    be counted."""

    number: int
    exact: bool


class Projects(Struct):
    """One page of the names of projects, in order. `next`: the `after` of the following page; null at the end."""

    items: Sequence[str]
    next: str | None


class NewSecret(Struct):
    """A key and its new secret, which is told only here and only now. `propagation`: after a rotation, how far the end
    of the secret before has come."""

    key: Key
    secret: str
    propagation: Propagation | UnsetType = UNSET

    @classmethod
    def of(cls, issued: models.Issued) -> Self:
        """What was issued, told."""
        spread = UNSET if issued.propagation is None else Propagation.of(issued.propagation)
        return cls(Key.of(issued.key), issued.secret, spread)

    def __repr__(self) -> str:
        return f"NewSecret({self.key!r})"


class Secret(Struct):
    """A key's secret."""

    secret: str

    def __repr__(self) -> str:
        return "Secret()"


class Result(Struct):
    """What a change did to one key. `detail`: why it was denied."""

    id: str
    result: Literal["changed", "unchanged", "unknown", "denied"]
    detail: str | UnsetType = UNSET


class Changes(Struct):
    """What a change did to each key, in the order that they were given; of a selection those that were changed first.
    `seq`: its number, null where nothing had to change. `preview`: nothing was changed; it tells what would be."""

    seq: int | None
    results: Sequence[Result]
    propagation: Propagation
    preview: bool = False

    @classmethod
    def of(cls, receipt: models.Receipt, ids: Sequence[str] | None = None) -> Self:
        """The receipt for these ids, told; left out, of a selection: one kind of result after the other."""
        results = {
            **{key_id: Result(key_id, "changed") for key_id in receipt.changed},
            **{key_id: Result(key_id, "unchanged") for key_id in receipt.unchanged},
            **{key_id: Result(key_id, "unknown") for key_id in receipt.unknown},
            **{key_id: Result(key_id, "denied", sentence) for key_id, sentence in receipt.denied.items()},
        }
        told = list(results.values()) if ids is None else [results[key_id] for key_id in ids]
        return cls(receipt.seq, told, Propagation.of(receipt.propagation), receipt.is_preview)


class Event(Struct):
    """One line of the audit log, the `n`th of the change of number `seq`: what it did to one key, who did it, from
    where, and when. `actor` is what they are called; who they are tell `actor_kind` and `actor_id`, null in what is
    from before these were kept. `detail`: what changed, old and new."""

    seq: int
    n: int
    key_id: str | None
    project: str | None
    kind: str
    actor: str | None
    actor_kind: str | None
    actor_id: str | None
    address: str | None
    at: Moment
    detail: Mapping[str, Any] | None
    owner: Annotated[str | None, Meta(description="The key's, before the change.")]
    environment: Annotated[str | None, Meta(description="The key's.")]

    @classmethod
    def of(cls, event: models.ChangeEvent) -> Self:
        """The event, told."""
        return cls(**event_json(event))


class Events(Struct):
    """One page of the audit log, newest first. `next`: the `after` of the following page; null at the end."""

    items: Sequence[Event]
    next: str | None


class Permission(Struct):
    """A permission, and what it allows, for people."""

    name: str
    sentence: str


class Permissions(Struct):
    """The catalogue."""

    items: Sequence[Permission]
