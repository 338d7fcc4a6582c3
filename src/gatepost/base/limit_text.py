"""A limit as people write it in one word, in a shell, a form or a table.

minute=100/60s:20     100 in 60 seconds, 20 at once        plan=1000000/month     a calendar month's quota
hour=5000/3600s       all 5000 at once                     flight=10              ten requests in flight
minute=100/60s!closed   and nothing is let in while Redis is away
"""

import re
from typing import Any

from gatepost.base.errors import BadInputError
from gatepost.base.limits import Limit, Quota, Rate, Slots

LIMIT_EXAMPLES = "minute=100/60s:20, plan=1000000/month, flight=10"

_SPANS = {"s": 1, "min": 60, "h": 3600}
_LIMIT = re.compile(
    r"(?P<name>[^=]+)=(?P<units>[0-9]{1,13})"
    r"(?:/(?:(?P<quota>day|month)|(?P<per>[0-9]{0,5})(?P<span>s|min|h)(?::(?P<burst>[0-9]{1,13}))?))?"
    r"(?:!(?P<outage>[a-z]+))?"
)


def limit_text(limit: Limit) -> str:
    """The limit in one word."""
    word = f"{limit.name}={limit.units}"
    if isinstance(limit, Rate):
        word += f"/{limit.per}s" + (f":{limit.burst}" if limit.burst != limit.units else "")
    elif isinstance(limit, Quota):
        word += f"/{limit.per}"
    return word if limit.on_outage == "local" else f"{word}!{limit.on_outage}"


def limit_of_text(text: str) -> Limit:
    """The limit that a word tells of. Raises `BadInputError`."""
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        raise BadInputError(f"limits: {text!r:.60} is no limit: write {LIMIT_EXAMPLES}", "limits")
    units, common = int(found["units"]), _common(found)
    if found["quota"] is not None:
        return Quota(units, per="day" if found["quota"] == "day" else "month", **common)
    if found["span"] is None:
        return Slots(units, **common)
    per = int(found["per"] or 1) * _SPANS[found["span"]]
    return Rate(units, per=per, burst=units if found["burst"] is None else int(found["burst"]), **common)


def _common(found: re.Match[str]) -> dict[str, Any]:
    return {"name": found["name"], "on_outage": found["outage"] or "local"}
