"""Which keys a verb is about, as callers say it: checked, and made into the filter that the database has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.base import EXPIRES_WITHIN_MAX, EXPIRING_SECONDS, BadInputError, State
from gatepost.database import Ends, Filter, Idle, ends_of
from gatepost.rules import Catalogue, checked_description, checked_moment, checked_project

UNUSED_FOR_MAX = EXPIRES_WITHIN_MAX
"""Longest time for which nobody may be asked to have used a key, in seconds: a century."""

_RESOLUTION = timedelta(microseconds=1)
"""What databases tell moments apart by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Keys that fit all that is said (`APIKeys.list` has the meaning of each word)."""

    project: str | None = None
    company_wide: bool = False
    active: bool | None = None
    state: State | str | None = None
    permission: str | None = None
    no_permissions: bool = False
    search: str | None = None
    expires_before: datetime | None = None
    never_expires: bool = False
    expires_within: float = EXPIRING_SECONDS
    unused_for: float | None = None
    never_used: bool = False

    def checked(self, catalogue: type[Catalogue]) -> Filter:
        """The filter. Raises `BadInputError`, `UnknownPermissionError`."""
        active, ends = self._checked_state()
        moment = checked_moment(self.expires_before, "expires_before")
        if moment is not None:
            ends = [*ends, Ends(until=moment - _RESOLUTION)]
        if self.never_expires:
            ends = [*ends, Ends(never=True)]
        return Filter(
            project=self._checked_project(),
            active=active,
            permission=self._checked_permission(catalogue),
            search=None if self.search is None else checked_description(self.search, "search"),
            ends=ends,
            idle=self._checked_idle(),
        )

    def _checked_idle(self) -> Sequence[Idle]:
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

    def _checked_state(self) -> tuple[bool | None, Sequence[Ends]]:
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
