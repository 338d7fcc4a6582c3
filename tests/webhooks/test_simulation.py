"""One process delivers, in order, and nothing is lost, whatever fails; and each of the defects is found."""

import contextlib
import os
from collections import Counter
from unittest.mock import AsyncMock, Mock

import pytest

from gatepost.base import UnavailableError
from gatepost.database import Wanted
from gatepost.webhooks.deliverer import LEASE_SECONDS, Deliverer
from gatepost.webhooks.targets import SEND_SECONDS_MAX
from tests.simulation.world import CLOCK_RATES
from tests.webhooks.breaks import BREAKS, WORLDS
from tests.webhooks.simulated import PLANS, plan, play

pytestmark = pytest.mark.timeout(1800)  # time has no part in a world

RUNS = PLANS * int(os.environ.get("TEST_WEBHOOKS_RUNS", "1"))

HAPPENED = {
    "leases taken": 30,
    "arrived": 15_000,
    "arrived again": 400,
    "refused": 400,
    "attempts given up": 100,
    "given up": 10,
    "gone": 4,
    "kills": 5,
    "leaves": 30,
    "fault pause": 4,
    "fault cut": 5,
    "fault reads alone": 15,
    "fault database": 4,
    "answers lost": 15,
    "messages lost": 300,
}
"""What must have been seen at least so often: a quiet world proves nothing."""


def test_one_process_delivers_in_order_and_nothing_is_lost_whatever_fails(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    for number in range(RUNS):
        report = play(plan(number))
        assert report.violation is None, f"world {number}: {report.violation}"
        counts += report.counts
    with capsys.disabled():
        print(f"\n{RUNS} worlds, {counts['arrived']} arrived, {counts['leases taken']} leases taken")
    dull = {what: counts[what] for what, least in HAPPENED.items() if counts[what] < least}
    assert not dull, dull


async def test_the_last_attempt_ends_before_another_takes_over_by_the_slowest_clock() -> None:
    rate, now = CLOCK_RATES[0], [0.0]
    tables = Mock(
        lease_left=AsyncMock(return_value=0.0), take_lease=AsyncMock(), has_news=AsyncMock(return_value=False)
    )
    deliverer = Deliverer(tables, [], Wanted(), lambda: now[0] * rate, 1.0)
    tables.sweep = AsyncMock(side_effect=UnavailableError("not now"))
    with pytest.raises(UnavailableError):
        await deliverer._lead()
    assert deliverer.delivers
    while deliverer.delivers:
        now[0] += 0.01
    assert LEASE_SECONDS / 2 < now[0] + SEND_SECONDS_MAX / rate < LEASE_SECONDS


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
