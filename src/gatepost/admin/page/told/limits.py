"""Limits on the page: what the form offers, and how they are told."""

from collections.abc import Mapping
from typing import Any

from gatepost.base import BadInputError, Limit, limit_of_json, limit_text

LIMIT_PRESETS: Mapping[str, str] = {
    "minute=60/60s:10": "60 a minute",
    "hour=1000/3600s:100": "1,000 an hour",
    "day=10000/day": "10,000 a day",
    "plan=1000000/month": "1,000,000 a month",
    "flight=10": "10 in flight",
}
"""Limits that may be added by a button, with what it says."""


def limit_most(limit: Limit) -> int:
    """How many units can be left of it."""
    most: int = getattr(limit, "burst", limit.units)
    return most


def limit_word(told: Any) -> str:
    """A limit of an event's detail in one word; one that cannot be read, as it is."""
    try:
        return limit_text(limit_of_json(told))
    except BadInputError:
        return str(told)
