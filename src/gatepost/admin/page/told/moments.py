"""Moments and spans of time in words. Pure."""

from datetime import UTC, datetime

_UNITS = ((365 * 86400, "year"), (30 * 86400, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))
_JUST_NOW_SECONDS = 45


def date(moment: datetime) -> str:
    """`12 May 2026`, in UTC."""
    return _told(moment, "%b %Y")


def date_time(moment: datetime) -> str:
    """`12 May 2026, 14:05`, in UTC."""
    return _told(moment, "%b %Y, %H:%M")


def full(moment: datetime) -> str:
    """`12 May 2026, 14:05:09 UTC`."""
    return _told(moment, "%b %Y, %H:%M:%S UTC")


def relative(moment: datetime, now: datetime) -> str:
    """`3 days ago`, `in 2 hours`, `just now`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < _JUST_NOW_SECONDS:
        return "just now"
    text = span(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def span(seconds: float) -> str:
    """`7 days`: in the largest unit that fits, rounded; at least a minute, unless it is seconds."""
    for size, name in _UNITS:
        if seconds >= size * 0.95 or (name == "minute" and seconds >= _JUST_NOW_SECONDS):
            count = max(1, round(seconds / size))
            return f"{count} {name}{'' if count == 1 else 's'}"
    count = round(seconds)
    return f"{count} second{'' if count == 1 else 's'}"


def _told(moment: datetime, pattern: str) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc.strftime(pattern)}"
