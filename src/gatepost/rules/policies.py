"""Policies: what a company asks of all its keys, or of those of a project, and whether a key fits
(docs/decisions/0062). Pure.

A key is held to the policy of its project and to the company-wide one, each by itself: so the narrower wins.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

from gatepost.base import ENVIRONMENTS, EXPIRES_WITHIN_MAX, BadInputError, PolicyError
from gatepost.rules.catalogue import Catalogue
from gatepost.rules.inputs import Unset

SLACK_SECONDS = 60.0
"""By so much an expiry may be later than the longest lifetime allows: callers reckon it by clocks of their own."""

SPAN_MAX = EXPIRES_WITHIN_MAX
"""Longest lifetime that a policy can name, in seconds: a century."""

DAYS_MAX = 3660
COUNT_MAX = 1_000_000
"""Most idle days, and most keys of an owner, that a policy can name."""

IDLE_NOTICE = timedelta(days=7)
"""From the moment when idle days are set, or fewer of them, to the first key that is switched off for it."""

_DAY = 86400.0


class PolicyTerms(TypedDict, total=False):
    """What a policy says, as verbs are given it. `None` = says nothing of it; what is left out stays as it is."""

    longest_lifetime: float | Unset | None
    default_lifetime: float | Unset | None
    longest_grace: float | Unset | None
    idle_days: int | Unset | None
    most_active_keys: int | Unset | None
    environments: Iterable[str] | Unset | None
    permissions: Iterable[str] | Unset | None


TERMS: Sequence[str] = tuple(PolicyTerms.__annotations__)
"""The names of the terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of all keys of a project, or of all keys that there are. `None` = nothing is.

    `project`: whose keys; `None` = company-wide: all keys, of whatever project. `longest_lifetime`: seconds that an
    expiry may be ahead when it is set; a key without one does not fit. `default_lifetime`: seconds, for a new key that
    is given no expiry. `longest_grace`: seconds that a rotation may leave the older secret. `idle_days`: a key that
    nobody has used for so many days is to be switched off (`IdleKeys`). `most_active_keys`: of one owner that work at
    the same time; a key that works needs an owner then. `environments`: one of which a key is for, so not for either.
    `permissions`: that keys may have.

    `idle_from`: aware, UTC: from when on idle keys are switched off. `updated_at`: aware, UTC, the database's clock.
    """

    project: str | None = None
    longest_lifetime: float | None = None
    default_lifetime: float | None = None
    longest_grace: float | None = None
    idle_days: int | None = None
    most_active_keys: int | None = None
    environments: tuple[str, ...] | None = None
    permissions: frozenset[str] | None = None
    idle_from: datetime | None = None
    updated_at: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called, in messages and in the log."""
        return "the company-wide policy" if self.project is None else f"the policy of project {self.project!r}"

    @property
    def terms(self) -> Mapping[str, Any]:
        """What it says, as JSON has it; what it does not speak of is left out."""
        said = {name: getattr(self, name) for name in TERMS if getattr(self, name) is not None}
        return {name: sorted(value) if isinstance(value, Set) else value for name, value in said.items()}

    @property
    def told(self) -> Mapping[str, Any]:
        """All of it, as JSON has it: also what it does not speak of."""
        terms = dict.fromkeys(TERMS) | {**self.terms}
        return {"project": self.project, **terms, "idle_from": self.idle_from, "updated_at": self.updated_at}

    def changed(self, terms: Mapping[str, Any], now: datetime) -> "Policy":
        """The policy with other terms, checked (`checked_terms`). Whoever is to be idle for a shorter time than before
        is given notice."""
        after = replace(self, **terms, updated_at=now)
        shortest, longest = after.default_lifetime, after.longest_lifetime
        if shortest is not None and longest is not None and shortest > longest:
            raise BadInputError(
                f"default_lifetime must be at most longest_lifetime, {span_text(longest)}, not {span_text(shortest)}",
                "default_lifetime",
            )
        if after.idle_days is None:
            return replace(after, idle_from=None)
        is_shorter = self.idle_days is None or after.idle_days < self.idle_days
        return replace(after, idle_from=now + IDLE_NOTICE) if is_shorter else after


def policy_of(
    project: str | None, terms: Mapping[str, Any], idle_from: datetime | None, updated_at: datetime
) -> Policy:
    """The policy that is stored so. Terms of a later gatepost are not heeded."""
    known = {name: value for name, value in terms.items() if name in TERMS}
    if "environments" in known:
        known["environments"] = tuple(known["environments"])
    if "permissions" in known:
        known["permissions"] = frozenset(known["permissions"])
    return Policy(project=project, **known, idle_from=idle_from, updated_at=updated_at)


def checked_terms(terms: Mapping[str, Any], catalogue: type[Catalogue]) -> Mapping[str, Any]:
    """The terms as a `Policy` has them, without those that are to stay as they are. Raises `BadInputError`,
    `UnknownPermissionError`."""
    for name in terms.keys() - set(TERMS):
        raise BadInputError(f"a policy has no {name!r:.50}: it has {', '.join(TERMS)}", "terms")
    found: dict[str, Any] = {}
    for name, value in terms.items():
        if isinstance(value, Unset):
            continue
        if value is None:
            found[name] = None
        elif name in {"idle_days", "most_active_keys"}:
            found[name] = _checked_number(name, value, DAYS_MAX if name == "idle_days" else COUNT_MAX)
        elif name == "environments":
            found[name] = _checked_environments(value)
        elif name == "permissions":
            found[name] = frozenset(catalogue.check(value))
        else:
            found[name] = _checked_span(name, value, 0.0 if name == "longest_grace" else 1.0)
    return found


def _checked_span(name: str, value: Any, least: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not least <= value <= SPAN_MAX:
        raise BadInputError(
            f"{name} must be a number of seconds, {least:.0f} to {SPAN_MAX:.0f}, not {value!r:.50}", name
        )
    return float(value)


def _checked_number(name: str, value: Any, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise BadInputError(f"{name} must be a whole number, 1 to {most}, not {value!r:.50}", name)
    return value


def _checked_environments(value: Any) -> tuple[str, ...]:
    names = () if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not names or not all(name in ENVIRONMENTS for name in names):
        raise BadInputError(
            f"environments must be a list of {' and '.join(ENVIRONMENTS)}, not {value!r:.50}", "environments"
        )
    return tuple(name for name in ENVIRONMENTS if name in names)


def span_text(seconds: float) -> str:
    """A time for people: `90 days`, `36 hours`, `10 seconds`."""
    for unit, length in (("day", _DAY), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}{'' if seconds == length else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The policies that hold for a key. Each method raises `PolicyError` where one of them does not allow it, and
    changes nothing."""

    policies: Sequence[Policy] = ()

    def expiry(self, given: datetime | None, now: datetime) -> datetime | None:
        """When a new key expires: as given, else after the shortest time that a policy has for that."""
        defaults = [each.default_lifetime for each in self.policies if each.default_lifetime is not None]
        if given is not None or not defaults:
            return given
        longest = [each.longest_lifetime for each in self.policies if each.longest_lifetime is not None]
        return now + timedelta(seconds=min(*defaults, *longest, SPAN_MAX))

    def check_expiry(self, expires_at: datetime | None, now: datetime) -> None:
        """For an expiry that is set now; `None` = never."""
        for policy in self.policies:
            longest = policy.longest_lifetime
            if longest is None:
                continue
            latest = now + timedelta(seconds=longest)
            if expires_at is None or expires_at > latest + timedelta(seconds=SLACK_SECONDS):
                told = "never" if expires_at is None else expires_at.isoformat(timespec="seconds")
                by = latest.isoformat(timespec="seconds")
                wrong = f"expires_at must be within {span_text(longest)}, by {by}, not {told}"
                raise PolicyError(wrong, policy.name, "longest_lifetime", "expires_at")

    def check_environment(self, environment: str | None) -> None:
        """For what a new key is for; `None` = either."""
        for policy in self.policies:
            if policy.environments is not None and environment not in policy.environments:
                raise PolicyError(
                    f"environment must be {' or '.join(policy.environments)}, not {environment or 'either'}",
                    policy.name,
                    "environments",
                    "environment",
                )

    def check_permissions(self, permissions: Set[str]) -> None:
        """For permissions that a key is given."""
        for policy in self.policies:
            if policy.permissions is not None and (beyond := permissions - policy.permissions):
                raise PolicyError(
                    f"permissions must be without {', '.join(sorted(beyond))}",
                    policy.name,
                    "permissions",
                    "permissions",
                )

    def check_grace(self, seconds: float) -> None:
        """For the grace of a rotation."""
        for policy in self.policies:
            longest = policy.longest_grace
            if longest is not None and seconds > longest:
                raise PolicyError(
                    f"grace must be at most {longest:.0f} seconds ({span_text(longest)}), not {seconds:g}",
                    policy.name,
                    "longest_grace",
                    "grace",
                )

    @property
    def count_keys(self) -> bool:
        """Whether the keys of an owner are to be counted."""
        return any(each.most_active_keys is not None for each in self.policies)
