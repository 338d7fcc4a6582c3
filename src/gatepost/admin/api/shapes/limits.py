"""Limits in bodies and answers: three kinds of objects, told apart by `type`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.base import LIMITS_MAX, PER_MAX, UNITS_MAX, Limits, OnOutage, QuotaPeriod, limits_of_json
from gatepost.limits import LimitState

_Units = Annotated[int, Meta(ge=1, le=UNITS_MAX, description="How many.")]
_Name = Annotated[
    str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$", description="What answers call it. No two of one key.")
]
_OnOutage = Annotated[
    OnOutage,
    Meta(description="While it cannot be counted: in each worker for itself, everything, or nothing is let in."),
]


class RateLimit(Struct, tag="rate", tag_field="type", forbid_unknown_fields=True):
    """So many units in `per` seconds, and no more than `burst` at once; left out: all."""

    units: _Units
    per: Annotated[int, Meta(ge=1, le=PER_MAX, description="Seconds.")]
    burst: Annotated[int, Meta(ge=1, le=UNITS_MAX)] | UnsetType = UNSET
    name: _Name = "rate"
    on_outage: _OnOutage = "local"


class QuotaLimit(Struct, tag="quota", tag_field="type", forbid_unknown_fields=True):
    """So many units in a calendar day or month, in UTC."""

    units: _Units
    per: QuotaPeriod
    name: _Name = "quota"
    on_outage: _OnOutage = "local"


class SlotsLimit(Struct, tag="slots", tag_field="type", forbid_unknown_fields=True):
    """So many requests in flight."""

    units: _Units
    name: _Name = "slots"
    on_outage: _OnOutage = "local"


KeyLimit = RateLimit | QuotaLimit | SlotsLimit
KeyLimits = Annotated[
    list[KeyLimit], Meta(max_length=LIMITS_MAX, description="How much the key may be used; empty: as much as it likes.")
]


class LimitLeft(Struct):
    """What is left of one limit. `left`: units; null: nobody knows, since each worker counts for itself. `seconds`:
    until all is there again; null: nobody can tell."""

    name: str
    type: Literal["rate", "quota", "slots"]
    units: int
    left: int | None
    seconds: float | None


class LimitsLeft(Struct):
    """What is left of the limits of a key, in their order."""

    items: Sequence[LimitLeft]

    @classmethod
    def of(cls, states: Sequence[LimitState]) -> "LimitsLeft":
        """The limits, told."""
        return cls(
            [
                LimitLeft(limit.name, limit.type, limit.units, left, whole)  # type: ignore[arg-type]  # one of three
                for limit, left, _wait, whole in states
            ]
        )


def limits_given(given: dict[str, Any]) -> dict[str, Any]:
    """The members of a body, with limits as the verbs take them. Raises `BadInputError`."""
    if "limits" in given:
        given["limits"] = _limits(given["limits"])
    return given


def _limits(listed: Sequence[KeyLimit]) -> Limits:
    return limits_of_json(msgspec.to_builtins(listed))
