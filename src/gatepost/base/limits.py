"""Limits: how much a key, a project or a route may be used. Values; what enforces them is in `gatepost.limits`."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import orjson

from gatepost.base.errors import BadInputError

logger = logging.getLogger("gatepost.limits")

OnOutage = Literal["closed", "local", "open"]
"""What holds while the place where a limit is counted does not answer. `local`: this process goes on with its part of
it; `open`: everything is let in; `closed`: nothing is, callers get 503."""

ON_OUTAGE: Sequence[str] = get_args(OnOutage)
"""The strictest first."""

QuotaPeriod = Literal["day", "month"]

PERIODS: Sequence[str] = get_args(QuotaPeriod)

PERIOD_SECONDS: Mapping[str, int] = {"day": 86_400, "month": 30 * 86_400}
"""What `RateLimit-Policy` tells of a period: a month has 30 days there, though it ends when the calendar says."""

UNITS_MAX = 10**12
"""Most units of a limit: well inside what a structured field's integer holds (15 digits, RFC 9651)."""

PER_MAX = 86_400
"""Longest window of a rate, in seconds: a day. What is longer is a quota."""

LIMITS_MAX = 8
"""Most limits that one key, or one route, can have: all are looked at in each request."""

COST_MAX = 10**9
"""Most units that one request can cost."""

MICROSECONDS = 1_000_000

NAME_MAX = 32
"""Longest name of a limit, in characters."""

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{NAME_MAX - 1}}}")
"""What a structured field's string, a log line and a database take as it is."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`units` in `per` seconds, and no more than `burst` of them at once (GCRA, a token bucket).

    Over any time it lets in at most `burst` + elapsed x `units` / `per`. `per`: whole seconds, 1 to 86,400. `burst`: 1
    to `units`; left out, all of `units`. `name`: what answers and lists call it, 1 to 32 of `A-Z a-z 0-9 _ . -`.
    `on_outage`: while Redis, which was named, does not answer. Raises `BadInputError`.
    """

    type: ClassVar[str] = "rate"
    units: int
    _: KW_ONLY
    per: int
    burst: int = None  # type: ignore[assignment]  # becomes all units
    name: str = "rate"
    on_outage: OnOutage = "local"

    def __post_init__(self) -> None:
        _check_common(self)
        _check_whole("per", self.per, 1, PER_MAX, "whole seconds; what is longer than a day is a Quota")
        if self.units > self.per * MICROSECONDS:
            raise BadInputError(f"units must be at most a million a second, not {self.units} in {self.per} s", "limits")
        if self.burst is None:
            object.__setattr__(self, "burst", self.units)
        _check_whole("burst", self.burst, 1, self.units, "at most all units of the window")

    @property
    def interval(self) -> int:
        """Microseconds in which one unit comes back, rounded up: so never more is let in."""
        return -(-self.per * MICROSECONDS // self.units)


@dataclass(frozen=True, slots=True)
class Quota:
    """`units` in a calendar day or month, in UTC by the database's clock. `name`, `on_outage`: as for `Rate`, of the
    database: what a worker has leased by then is spent in any case. Raises `BadInputError`."""

    type: ClassVar[str] = "quota"
    units: int
    _: KW_ONLY
    per: QuotaPeriod
    name: str = "quota"
    on_outage: OnOutage = "local"

    def __post_init__(self) -> None:
        _check_common(self)
        if self.per not in PERIODS:
            raise BadInputError(f"per of a Quota must be day or month, not {self.per!r:.50}", "limits")


@dataclass(frozen=True, slots=True)
class Slots:
    """At most `units` requests in flight. `name`, `on_outage`: as for `Rate`. Raises `BadInputError`."""

    type: ClassVar[str] = "slots"
    units: int
    _: KW_ONLY
    name: str = "slots"
    on_outage: OnOutage = "local"

    def __post_init__(self) -> None:
        _check_common(self)


Limit = Rate | Quota | Slots

_TYPES: Mapping[str, type[Limit]] = {each.type: each for each in (Rate, Quota, Slots)}


class Limits(tuple[Limit, ...]):  # noqa: SLOT001 - a tuple cannot have slots with names
    """The limits of one holder, in the order given. `resets`: how often what was counted has been set back: it is part
    of the name of what counts, so a reset begins anew everywhere at once."""

    resets: int = 0

    def __new__(cls, limits: Iterable[Limit] = (), resets: int = 0) -> "Limits":
        """Raises `BadInputError` for two of one name, and for too many."""
        made = super().__new__(cls, limits)
        made.resets = resets
        names = [limit.name for limit in made]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadInputError(f"limits: two are called {twice!r}: give each a name= of its own", "limits")
        if len(made) > LIMITS_MAX:
            raise BadInputError(f"limits: at most {LIMITS_MAX}, not {len(made)}", "limits")
        return made

    def __eq__(self, other: object) -> bool:
        """Others that were reset, or cannot be read, are not these."""
        if not isinstance(other, tuple):
            return NotImplemented
        return super().__eq__(other) and (not isinstance(other, Limits) or self.resets == other.resets)

    def __ne__(self, other: object) -> bool:
        """A tuple has one of its own."""
        return not self == other

    def __hash__(self) -> int:
        """As that of a tuple."""
        return super().__hash__()

    def __getnewargs__(self) -> tuple[tuple[Limit, ...], int]:
        """For copy and pickle."""
        return tuple(self), self.resets

    def reset(self) -> "Limits":
        """The same, with nothing counted."""
        return Limits(self, self.resets + 1)


NO_LIMITS = Limits()

UNREADABLE = Limits((), -1)
"""What nobody can read: the key is let in by nobody until its limits are set anew, to none say."""


def checked_limits(limits: Iterable[Limit], field: str = "limits") -> Limits:
    """Limits as an argument gives them. Raises `BadInputError`, which names the field and the value."""
    if isinstance(limits, str | bytes | Mapping | Rate | Quota | Slots) or not isinstance(limits, Iterable):
        raise BadInputError(f"{field} must be a list: [Rate(100, per=60)] for one, not {limits!r:.50}", field)
    listed = list(limits)
    for limit in listed:
        if not isinstance(limit, Rate | Quota | Slots):
            raise BadInputError(f"{field}: each must be a Rate, Quota or Slots, not {limit!r:.50}", field)
    return Limits(listed)


def at_most(limits: Limits, own: Limits) -> bool:
    """Whether who is bound by `limits` can use nothing more than who is bound by `own`: for each of those there is one
    of the same kind that is as strict, whatever its name. Whoever has limits that cannot be read can use nothing."""
    if UNREADABLE in (limits, own):
        return limits == UNREADABLE
    return all(any(_is_as_strict(each, bound) for each in limits) for bound in own)


def _is_as_strict(limit: Limit, bound: Limit) -> bool:
    if ON_OUTAGE.index(limit.on_outage) > ON_OUTAGE.index(bound.on_outage):
        return False
    if isinstance(limit, Rate) and isinstance(bound, Rate):
        return limit.interval >= bound.interval and limit.burst <= bound.burst
    if isinstance(limit, Quota) and isinstance(bound, Quota):
        return limit.per == bound.per and limit.units <= bound.units
    return isinstance(limit, Slots) and isinstance(bound, Slots) and limit.units <= bound.units


def limit_as_json(limit: Limit) -> dict[str, Any]:
    """The JSON object that tells of a limit: `type`, `units`, and its other fields."""
    named = {each.name: getattr(limit, each.name) for each in fields(limit) if each.name != "_"}
    return {"type": limit.type, **named}


def limit_of_json(value: Any) -> Limit:
    """The limit that a JSON object tells of. Raises `BadInputError` for what it does not tell exactly."""
    if not isinstance(value, Mapping):
        raise BadInputError(f"limits: each must be an object with type, units and so on, not {value!r:.50}", "limits")
    kind = value.get("type")
    of_type = _TYPES.get(kind) if isinstance(kind, str) else None
    if of_type is None:
        raise BadInputError(f"limits: type must be rate, quota or slots, not {kind!r:.50}", "limits")
    known = {each.name: each for each in fields(of_type) if each.name != "_"}
    unknown = [name for name in value if name not in known and name != "type"]
    if unknown:
        raise BadInputError(f"limits: a {kind} has no {unknown[0]!r:.50}; it has {', '.join(known)}", "limits")
    missing = [name for name, each in known.items() if each.default is MISSING and name not in value]
    if missing:
        raise BadInputError(f"limits: a {kind} needs {missing[0]}", "limits")
    return of_type(**{name: item for name, item in value.items() if name != "type"})


def limits_of_json(value: Any) -> Limits:
    """The limits that a JSON array tells of. Raises `BadInputError`."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise BadInputError(f"limits must be a list of objects, not {value!r:.50}", "limits")
    return Limits(limit_of_json(each) for each in value)


def stored_limits(limits: Limits) -> str | None:
    """The text that the database and Redis hold; `None` = no limits, and none that was ever reset."""
    if not limits and not limits.resets:
        return None
    return orjson.dumps([limits.resets, *map(limit_as_json, limits)]).decode()


def limits_of_stored(text: str | None) -> Limits:
    """The limits of such a text. Raises `BadInputError` for one that somebody has written by hand and wrongly."""
    if text is None:
        return NO_LIMITS
    try:
        resets, *limits = orjson.loads(text)
    except (ValueError, TypeError):
        raise BadInputError(f"limits: what is stored is no list in JSON: {text!r:.50}", "limits") from None
    if type(resets) is not int or resets < 0:
        raise BadInputError(f"limits: what is stored does not begin with a number: {text!r:.50}", "limits")
    return Limits(limits_of_json(limits), resets)


@lru_cache(maxsize=4096)
def readable_limits(text: str) -> Limits:
    """As `limits_of_stored`; `UNREADABLE` for what somebody has written there by hand and wrongly, which is told to the
    log: nobody can say then what holds for the key. Keys with the same limits share the answer."""
    try:
        return limits_of_stored(text)
    except BadInputError as wrong:
        logger.error("Limits cannot be read, so their keys are not let in: %s", wrong)  # noqa: TRY400
        return UNREADABLE


def limits_of(text: str | None) -> Limits:
    """The limits that a column tells of, for people: none where they cannot be read."""
    return NO_LIMITS if text is None else readable_limits(text)


def _check_common(limit: Any) -> None:
    _check_whole("units", limit.units, 1, UNITS_MAX, "a limit of 0 would be a key that is off")
    if not isinstance(limit.name, str) or not _NAME.fullmatch(limit.name):
        raise BadInputError(
            f"limits: name must be 1 to 32 letters, digits, _ . or -, a letter or digit first, not {limit.name!r:.50}",
            "limits",
        )
    if limit.on_outage not in ON_OUTAGE:
        raise BadInputError(f"limits: on_outage must be local, open or closed, not {limit.on_outage!r:.50}", "limits")


def _check_whole(name: str, value: Any, least: int, most: int, why: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadInputError(
            f"limits: {name} must be a whole number, {least} to {most} ({why}), not {value!r:.50}", "limits"
        )
