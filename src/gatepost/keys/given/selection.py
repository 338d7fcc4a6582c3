"""Which keys a verb is about, as callers say it: checked, and made into the filter that the database has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gatepost.base import EXPIRES_WITHIN_MAX, EXPIRING_SECONDS, BadInputError, State, checked_members, is_id
from gatepost.rules import (
    Authority,
    Catalogue,
    checked_description,
    checked_environment,
    checked_moment,
    checked_owner,
    checked_project,
    checked_role,
)

if TYPE_CHECKING:
    from gatepost.database import Ends, Filter, Idle

UNUSED_FOR_MAX = EXPIRES_WITHIN_MAX
"""Longest time for which nobody may be asked to have used a key, in seconds: a century."""

SELECTED_MAX = 10_000
"""Most keys that a selection may have, unless it says otherwise: one transaction, of a second or so."""

KIND = "template"
"""What the column of that name says of templates."""

_RESOLUTION = timedelta(microseconds=1)
"""What databases tell moments apart by."""

_NO_CONDITIONS = ("active", "state", "expires_within", "most", "templates")
"""What alone selects nothing: of a state are most keys, or all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Keys that fit all that is said, in place of their ids: `await keys.deactivate(Selection(owner="ann"))`.

    Each word means what it does in `APIKeys.list`. `made_by`: the id of a key; keys and templates that it made, that
    these made, and so on. `most`: where more keys fit, 10,000 unless told otherwise, nothing is changed, and
    `BadInputError` says so. At least one condition beside a state is needed: without one they would be all keys that
    there are."""

    project: str | None = None
    company_wide: bool = False
    owner: str | None = None
    environment: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)
    active: bool | None = None
    state: State | str | None = None
    permission: str | None = None
    no_permissions: bool = False
    role: str | None = None
    search: str | None = None
    expires_before: datetime | None = None
    never_expires: bool = False
    expires_within: float = EXPIRING_SECONDS
    unused_for: float | None = None
    never_used: bool = False
    templates: bool = False
    made_by: str | None = None
    most: int = SELECTED_MAX

    @property
    def conditions(self) -> Sequence[str]:
        """The names of what is said, beside a state."""
        said = [each.name for each in fields(self) if getattr(self, each.name) not in (None, False)]
        return [name for name in said if name not in _NO_CONDITIONS]

    def checked_choice(self, catalogue: type[Catalogue]) -> "Filter":
        """The filter of what is to be changed. Raises `BadInputError`, also for one without any condition, and
        `UnknownPermissionError`."""
        from gatepost.database import EITHER_KIND  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if type(self.most) is not int or self.most < 1:
            raise BadInputError(f"most must be a whole number, 1 or more, not {self.most!r:.50}", "most")
        if self.made_by is not None and not (isinstance(self.made_by, str) and is_id(self.made_by)):
            raise BadInputError(f"made_by must be the id of a key, 12 characters, not {self.made_by!r:.50}", "made_by")
        wanted = self.checked(catalogue)
        if self.made_by is not None and not self.templates:
            wanted = replace(wanted, kind=EITHER_KIND)
        if not self.conditions:
            raise BadInputError(
                "a selection needs a condition beside a state, or it would be all keys: name owner, project, "
                "environment, metadata, permission, role, search, unused_for, expires_before, made_by or the like",
                "selection",
            )
        return wanted

    def checked(self, catalogue: type[Catalogue]) -> "Filter":
        """The filter, without `made_by` and `most`. Raises `BadInputError`, `UnknownPermissionError`."""
        from gatepost.database import (  # noqa: PLC0415 - SQLAlchemy, only where it is needed
            Ends,
            Filter,
            HasMember,
            Named,
        )

        if not isinstance(self.templates, bool):
            raise BadInputError(f"templates must be True or False, not {self.templates!r:.50}", "templates")
        active, ends = self._checked_state()
        moment = checked_moment(self.expires_before, "expires_before")
        if moment is not None:
            ends = [*ends, Ends(until=moment - _RESOLUTION)]
        if self.never_expires:
            ends = [*ends, Ends(never=True)]
        named = {"owner": checked_owner(self.owner), "environment": checked_environment(self.environment)}
        return Filter(
            project=self._checked_project(),
            active=active,
            permission=self._checked_permission(catalogue),
            role=None if self.role is None else checked_role(self.role),
            members=[] if self.metadata is None else HasMember.each_of(checked_members(self.metadata)),
            search=None if self.search is None else checked_description(self.search, "search"),
            ends=ends,
            named=[Named(column, value) for column, value in named.items() if value is not None],
            idle=self._checked_idle(),
            kind=KIND if self.templates else None,
        )

    def _checked_idle(self) -> "Sequence[Idle]":
        from gatepost.database import Idle  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        seconds = self.unused_for
        if seconds is None:
            return [Idle()] if self.never_used else []
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= UNUSED_FOR_MAX:
            raise BadInputError(
                f"unused_for must be a number of seconds, 0 to {UNUSED_FOR_MAX:.0f}, not {seconds!r:.50}", "unused_for"
            )
        return [Idle(float(seconds)), *([Idle()] if self.never_used else [])]

    def _checked_project(self) -> str | None:
        project = checked_project(self.project)
        if project is not None and self.company_wide:
            raise BadInputError("project and company_wide exclude each other", "company_wide")
        return "" if self.company_wide else project

    def _checked_state(self) -> "tuple[bool | None, Sequence[Ends]]":
        from gatepost.database import ends_of  # noqa: PLC0415 - SQLAlchemy, only where it is needed

        if self.active not in (None, True, False):
            raise BadInputError(f"active must be True, False or None, not {self.active!r:.50}", "active")
        if self.active is not None and self.state is not None:
            raise BadInputError("active and state exclude each other: name the state", "state")
        within = self.expires_within
        if not isinstance(within, int | float) or not 0 <= within <= EXPIRES_WITHIN_MAX:
            raise BadInputError(
                f"expires_within must be a number of seconds, 0 to {EXPIRES_WITHIN_MAX:.0f}, not {within!r}",
                "expires_within",
            )
        state = self.state
        if self.active is not None:
            state = State.ACTIVE if self.active else State.DEACTIVATED
        if state is None:
            return None, ()
        try:
            return ends_of(State(state), float(within))
        except ValueError:
            raise BadInputError(f"state must be {', '.join(State)}, not {state!r:.50}", "state") from None

    def _checked_permission(self, catalogue: type[Catalogue]) -> str | None:
        if self.permission is None:
            return "" if self.no_permissions else None
        if self.no_permissions:
            raise BadInputError("permission and no_permissions exclude each other", "no_permissions")
        try:
            catalogue.check([self.permission])
        except BadInputError as unknown:
            unknown.field = "permission"
            raise
        return self.permission


def within(authority: Authority, wanted: "Filter") -> "Filter | None":
    """Of the keys that are asked for those that the actor reaches; `None` = there can be none."""
    from gatepost.database import Named  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    bounds = authority.bounds
    if (own := bounds.get("project")) is not None:
        if wanted.project not in (None, own):
            return None
        wanted = replace(wanted, project=own)
    if (own := bounds.get("environment")) is not None:
        wanted = replace(wanted, named=[*dict.fromkeys((*wanted.named, Named("environment", own)))])
    return wanted
