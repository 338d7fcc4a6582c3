"""Whether a record lets a request in. Pure: the moment comes in as an argument."""

from gatepost.base.models import Outcome
from gatepost.base.record import Absent, BoundedRecord, Found, OutsideRecord, Record, TemplateRecord


def decide(found: Found, now: float) -> Outcome:
    """The outcome for what a lookup found, at `now` (seconds since the epoch by the database's clock).

    A memory hit in `Lookup.hit` asks only the second question, of `usable_until`; the two agree by test.
    """
    if isinstance(found, Absent | TemplateRecord):  # nobody holds a template's own secret
        return Outcome.INVALID
    if isinstance(found, OutsideRecord):
        return Outcome.ENVIRONMENT_DENIED
    if now < found.ends_at:
        return Outcome.VALID
    return Outcome.EXPIRED if found.active else Outcome.DEACTIVATED


def of_another_address(key: Record, address: str | None) -> bool:
    """Whether a request from that address must not use the key. `None` = nobody knows where it is from: a key that has
    a list is used from nowhere else then."""
    return isinstance(key, BoundedRecord) and not key.admits(address)


def of_another_environment(key_environment: str | None, environment: str | None) -> bool:
    """Whether a key of `key_environment` must not be used in a process of `environment`. A key of `None` is for either,
    and a process of `None` takes both."""
    return key_environment is not None and environment is not None and key_environment != environment


def of_another_project(key_project: str | None, project: str | None) -> bool:
    """Whether a key of `key_project` must not be used for a request that belongs to `project`.

    A key of `None` is company-wide and opens every project; a request of `None` is open to company-wide keys only.
    """
    return key_project is not None and key_project != project
