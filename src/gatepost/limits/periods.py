"""Calendar periods in UTC: days and months, as seconds since the epoch."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gatepost.base import QuotaPeriod


class Period(NamedTuple):
    """From `begins`, up to but without `ends`: whole seconds since the epoch."""

    begins: int
    ends: int


def period_at(now: float, per: QuotaPeriod) -> Period:
    """The day or month in which the moment `now` lies (seconds since the epoch)."""
    moment = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        after = moment + timedelta(days=1)
    else:
        moment = moment.replace(day=1)
        after = (moment + timedelta(days=31)).replace(day=1)
    return Period(int(moment.timestamp()), int(after.timestamp()))
