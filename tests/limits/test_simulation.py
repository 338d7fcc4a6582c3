"""No more is let in than limits allow, whatever fails; and each of the defects is found."""

import contextlib
import os
from collections import Counter

import pytest

from tests.limits.breaks import BREAKS, WORLDS
from tests.limits.simulated import PLANS, plan, play

pytestmark = pytest.mark.timeout(1800)  # time has no part in a world

RUNS = PLANS * int(os.environ.get("TEST_LIMITS_RUNS", "1"))

HAPPENED = {
    "let in by all": 3_000,
    "let in here": 3_000,
    "let in at once": 500,
    "refused": 20_000,
    "leases": 1_000,
    "given back": 2,
    "refused afterwards": 300,
    "counts lost": 500,
    "unavailable": 100,
    "kills": 5,
    "leaves": 10,
    "fault redis": 5,
    "fault database": 2,
    "fault step": 2,
    "fault wall": 2,
    "answers lost": 20,
}
"""What must have been seen at least so often: a quiet world proves nothing."""


def test_no_limit_lets_in_more_than_it_says_whatever_fails(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    for number in range(RUNS):
        report = play(plan(number))
        assert report.violation is None, f"world {number}: {report.violation}"
        counts += report.counts
    with capsys.disabled():
        print(f"\n{RUNS} worlds, {counts['let in by all'] + counts['let in here']} let in, {counts['refused']} refused")
    dull = {what: counts[what] for what, least in HAPPENED.items() if counts[what] < least}
    assert not dull, dull


@pytest.mark.parametrize("name", BREAKS)
def test_a_defect_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(WORLDS):
        with contextlib.ExitStack() as stack:
            for edit in BREAKS[name]:
                edit.put_in(stack)
            report = play(plan(number))
        if report.violation is not None:
            with capsys.disabled():
                print(f"\n{name}: world {number}: {report.violation}", end="")
            return
    pytest.fail(f"not found in {WORLDS} worlds")
