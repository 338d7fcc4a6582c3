"""The arguments that say which keys or events are meant. Loads no SQLAlchemy; `Selection`, which checks them, does."""

from datetime import datetime
from typing import TypedDict

from gatepost.base import Actor, State


class Which(TypedDict, total=False):
    """The arguments that say which keys are meant. `None` and `False` say nothing."""

    project: str | None
    company_wide: bool
    active: bool | None
    state: State | str | None
    permission: str | None
    no_permissions: bool
    search: str | None
    expires_before: datetime | None
    never_expires: bool
    expires_within: float


class WhichPage(Which, total=False):
    """The arguments that say which page of keys is meant, in which order, and who asks."""

    sort: str
    after: str | None
    before: str | None
    limit: int
    actor: str | Actor


class WhichEvents(TypedDict, total=False):
    """The arguments that say which page of which lines of the audit log is meant, and who asks."""

    kind: str | None
    project: str | None
    by_kind: str | None
    by_id: str | None
    since: datetime | None
    until: datetime | None
    after: str | None
    limit: int
    actor: str | Actor
