"""Keyword arguments that several verbs share. Loads no SQLAlchemy; `Selection`, which checks the filters, does."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from gatepost.base import Actor, LeakResponse, Limit, State
from gatepost.rules import Unset

if TYPE_CHECKING:
    from gatepost.temporary import Terms

Wait = Literal["everywhere", "commit"]
"""What a verb that takes something away waits for: that every worker acts on it, or only that it is committed."""

Order = Literal[
    "created",
    "-created",
    "updated",
    "-updated",
    "description",
    "-description",
    "expires",
    "-expires",
    "last_used",
    "-last_used",
]
"""What lists are ordered by; `-`: descending."""


class Options(TypedDict, total=False):
    """Who asks, and what the verb waits for. `actor`: a name for the audit log, or who may be limited; left out = the
    app itself. `wait`: left out = as the verb says. `timeout`: seconds from the call after which to stop waiting, with
    `StillSpreadingError`, while the change is committed; `None` = wait for as long as it takes."""

    actor: str | Actor
    wait: Wait
    timeout: float | None


class LeakOptions(TypedDict, total=False):
    """What is to be done about a leak (`leaking.report_leak`)."""

    source: str
    place: str | None
    response: LeakResponse
    once: bool
    actor: str | Actor
    timeout: float | None


class Making(TypedDict, total=False):
    """What a new key is, beside its description and permissions, and who makes it (`making.create`)."""

    roles: Iterable[str]
    project: str | Unset | None
    expires_at: datetime | None
    active: bool
    allow: Iterable[str] | None
    limits: Iterable[Limit]
    owner: str | None
    environment: str | Unset | None
    metadata: Mapping[str, Any]
    resources: Iterable[str] | None
    idempotency_key: str | None
    actor: str | Actor


class Edit(Options, total=False):
    """What becomes of a key, and how. What is left out stays as it is. `if_version`: only while the key's `version` is
    still that one. `force`: also where it weakens the key that the actor uses."""

    description: str | None
    permissions: Iterable[str] | None
    roles: Iterable[str] | Unset
    expires_at: datetime | Unset | None
    allow: Iterable[str] | Unset | None
    limits: Iterable[Limit] | Unset
    owner: str | Unset | None
    metadata: Mapping[str, Any] | Unset
    resources: Iterable[str] | Unset | None
    template: "Terms | Unset"
    if_version: str | None
    force: bool


class Filters(TypedDict, total=False):
    """The arguments that say which keys are meant. `None` and `False` say nothing. `templates`: templates of temporary
    secrets, and no plain keys."""

    project: str | None
    company_wide: bool
    owner: str | None
    environment: str | None
    metadata: Mapping[str, Any] | None
    active: bool | None
    state: State | str | None
    permission: str | None
    no_permissions: bool
    role: str | None
    search: str | None
    expires_before: datetime | None
    never_expires: bool
    expires_within: float
    unused_for: float | None
    never_used: bool
    templates: bool


class ListFilters(Filters, total=False):
    """The arguments that say which page of keys is meant, in which order, and who asks."""

    sort: str
    after: str | None
    before: str | None
    limit: int
    actor: str | Actor


class EventFilters(TypedDict, total=False):
    """The arguments that say which page of which lines of the audit log is meant, and who asks."""

    kind: str | None
    project: str | None
    owner: str | None
    environment: str | None
    metadata: Mapping[str, Any] | None
    by_kind: str | None
    by_id: str | None
    since: datetime | None
    until: datetime | None
    after: str | None
    limit: int
    actor: str | Actor


class UsageFilters(TypedDict, total=False):
    """The arguments that say which usage of a key is meant, what it is told by, and who asks."""

    since: date | None
    until: date | None
    by: str | Iterable[str]
    owner: str | None
    environment: str | None
    metadata: Mapping[str, Any] | None
    actor: str | Actor


class UsageDays(TypedDict, total=False):
    """How many days are meant, the last one today, and who asks."""

    days: int
    actor: str | Actor
