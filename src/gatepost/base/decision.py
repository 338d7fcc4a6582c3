"""Whether a record lets a request in. Pure: the moment comes in as an argument."""

from gatepost.base.models import Outcome
from gatepost.base.record import Absent, Found


def decide(found: Found, now: float) -> Outcome:
    """The outcome for what a lookup found, at `now` (seconds since the epoch by the database's clock).

    A memory hit in `Lookup.hit` asks only the second question, `now < usable_until`; the two agree by test.
    """
    if isinstance(found, Absent):
        return Outcome.INVALID
    if now < found.usable_until:
        return Outcome.VALID
    return Outcome.EXPIRED if found.active else Outcome.DEACTIVATED


def of_another_project(key_project: str | None, project: str | None) -> bool:
    """Whether a key of `key_project` must not be used for a request that belongs to `project`.

    A key of `None` is company-wide and opens every project; a request of `None` is open to company-wide keys only.
    """
    return key_project is not None and key_project != project
