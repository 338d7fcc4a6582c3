"""From what people type to values: spans of time, moments, lists of permissions."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gatepost.base import BadInputError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def parse_span(text: str) -> timedelta | None:
    """The length of `90d`, `12h` or `1d12h` (s, m, h, d, w); `None` for a text of another form.

    Raises `BadInputError` for more than a `timedelta` can hold.
    """
    if not _SPAN.fullmatch(text):
        return None
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    except OverflowError:
        raise BadInputError(f"{text!r} is too long a time") from None


def parse_seconds(option: str, text: str) -> float:
    """Seconds of a span, or of a plain number of seconds. Raises `BadInputError`, which names the option."""
    if _NUMBER.fullmatch(text):
        return float(text)
    span = parse_span(text)
    if span is None:
        raise BadInputError(f"{option} {text!r} must be a span such as 1h or 2d, a number of seconds, or 0")
    return span.total_seconds()


def parse_when(option: str, text: str, now: datetime) -> datetime:
    """The moment that an ISO 8601 date, date and time, or span from `now` names. Without a time zone it is UTC.

    Raises `BadInputError`, which names the option.
    """
    try:
        span = parse_span(text)
        return parse_moment(text) if span is None else now + span
    except (ValueError, OverflowError):
        raise BadInputError(
            f"{option} {text!r} must be a span such as 90d or 12h, or a date such as 2030-01-31 or 2030-01-31T18:00Z"
        ) from None


def parse_past(option: str, text: str, now: datetime) -> datetime:
    """The moment that an ISO 8601 date, date and time, or span before `now` names. Without a time zone it is UTC.

    Raises `BadInputError`, which names the option.
    """
    try:
        span = parse_span(text)
        return parse_moment(text) if span is None else now - span
    except (ValueError, OverflowError):
        raise BadInputError(
            f"{option} {text!r} must be a span back from now such as 12h, or a date such as 2030-01-31 or "
            "2030-01-31T18:00Z"
        ) from None


def parse_moment(text: str) -> datetime:
    """The moment that an ISO 8601 date, or date and time, names. Without a time zone it is UTC.

    Raises `ValueError`, `OverflowError`.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_span(seconds: float) -> str:
    """`3600` as `1h`: the largest unit that divides it, else seconds."""
    for unit in ("w", "d", "h", "m"):
        count, rest = divmod(seconds, _SECONDS[unit])
        if count and not rest:
            return f"{count:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds}s"


def split_names(given: Sequence[str]) -> list[str]:
    """Permissions of a repeated option, each of which may hold several with commas between."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]
