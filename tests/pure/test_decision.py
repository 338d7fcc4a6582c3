"""Whether a record lets a request in: the table, and its agreement with what a memory hit asks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.base.decision import decide, of_another_project
from gatepost.base.models import Outcome
from gatepost.base.record import Absent
from tests.pure.records import record

NOW = 1_750_000_000.0
BEFORE = math.nextafter(NOW, 0)
AFTER = math.nextafter(NOW, math.inf)

moments = st.floats(0, 4e9) | st.sampled_from([BEFORE, NOW, AFTER])


@pytest.mark.parametrize(
    ("active", "key_expires", "secret_expires", "outcome"),
    [
        (True, None, None, Outcome.VALID),
        (True, AFTER, None, Outcome.VALID),
        (True, None, AFTER, Outcome.VALID),
        (True, AFTER, AFTER, Outcome.VALID),
        (True, NOW, None, Outcome.EXPIRED),
        (True, None, NOW, Outcome.EXPIRED),
        (True, BEFORE, AFTER, Outcome.EXPIRED),
        (True, AFTER, BEFORE, Outcome.EXPIRED),
        (True, 0.0, None, Outcome.EXPIRED),
        (False, None, None, Outcome.DEACTIVATED),
        (False, AFTER, AFTER, Outcome.DEACTIVATED),
        (False, BEFORE, None, Outcome.DEACTIVATED),
        (False, None, BEFORE, Outcome.DEACTIVATED),
        (0, None, None, Outcome.DEACTIVATED),  # a database without booleans
        (1, None, None, Outcome.VALID),
    ],
)
def test_the_outcome_of_a_record(
    active: bool, key_expires: float | None, secret_expires: float | None, outcome: Outcome
) -> None:
    assert decide(record(active=active, key_expires=key_expires, secret_expires=secret_expires), NOW) is outcome


def test_a_digest_of_no_key_is_invalid_at_any_time() -> None:
    for now in (-math.inf, 0.0, NOW, math.inf):
        assert decide(Absent(1, math.inf), now) is Outcome.INVALID


@given(st.booleans(), st.none() | moments, st.none() | moments, moments)
def test_a_memory_hit_and_the_full_decision_agree(
    active: bool, key_expires: float | None, secret_expires: float | None, now: float
) -> None:
    found = record(active=active, key_expires=key_expires, secret_expires=secret_expires)
    usable = active and all(moment is None or now < moment for moment in (key_expires, secret_expires))
    assert (decide(found, now) is Outcome.VALID) == usable
    assert (now < found.usable_until) == usable


@pytest.mark.parametrize(
    ("key_project", "project", "denied"),
    [
        (None, None, False),
        (None, "acme", False),
        ("acme", "acme", False),
        ("acme", "other", True),
        ("acme", "ACME", True),
        ("acme", "", True),
        ("acme", None, True),
        ("", None, True),
    ],
)
def test_a_key_opens_its_own_project_and_a_company_wide_key_opens_all(
    key_project: str | None, project: str | None, denied: bool
) -> None:
    assert of_another_project(key_project, project) is denied
