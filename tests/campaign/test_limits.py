"""Four uvicorn workers, and keys that more is asked of than their limits allow, while what counts it fails."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.campaign.limits import FAULTS, LIMITS, Seen, campaign
from tests.campaign.test_faults import Defect
from tests.servers.programs import ProgramMissingError

ROOT = Path(__file__).parents[2]
FAULT_SECONDS = 2.0
CHOSEN = [fault for fault in FAULTS if not fault.sentinel]
"""Sentinel's Redis is in the long run, and in tests/limits."""

LATE_FACTOR = 20
"""What takes so many times as long as in a fault-free time is not the machine's fault any more."""

REQUEST_SECONDS = 1.0


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Seen]:
    """One campaign, for all tests of this module."""
    try:
        return {each.fault.name: each for each in asyncio.run(campaign(CHOSEN, FAULT_SECONDS))}
    except ProgramMissingError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(900)  # the first of them runs the campaign
@pytest.mark.parametrize("name", [fault.name for fault in CHOSEN])
def test_no_more_is_let_in_than_limits_allow_and_no_good_key_is_refused_as_if_it_were_none(
    seen: Mapping[str, Seen], name: str
) -> None:
    told = seen[name]
    assert not told.over, f"{told}"
    assert told.statuses[429] > 10, "more was asked than may be"
    for limit in LIMITS:
        assert told.let_in[limit]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [fault.name for fault in CHOSEN])
def test_what_was_away_is_used_again_and_only_a_dead_database_makes_callers_wait(
    seen: Mapping[str, Seen], name: str
) -> None:
    told = seen[name]
    assert told.recovered is not None, told.stuck
    if "database" not in name and "worker" not in name:
        assert told.statuses[503] == told.statuses[0] == 0
    usual = sorted(seen["none"].seconds)[len(seen["none"].seconds) // 2]
    waits = sorted(told.seconds)
    assert waits[int(0.99 * len(waits))] < REQUEST_SECONDS + LATE_FACTOR * usual


DEFECTS = [
    Defect(
        "an outage that is a hole",
        "limits/limiter.py",
        'for bucket, cost in asked if bucket.limit.on_outage == "local"]',
        "for bucket, cost in asked if False]",
        "Redis killed",
    ),
    Defect(
        "units that the database has not given",
        "limits/leases.py",
        "lease.left += granted.units",
        "lease.left += granted.units or 1",
        "none",
        rounds=3,  # or it is not used up where the machine is slow
    ),
    Defect(
        "slots that all workers have in full",
        "limits/slots.py",
        "max(1, slots.units // max(1, self._members()))",
        "slots.units",
        "Redis paused",
    ),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_campaign_finds_what_is_let_in_too_much_by_a_gatepost_with(defect: Defect, tmp_path: Path) -> None:
    source = tmp_path / "src"
    leave = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "src" / "gatepost", source / "gatepost", ignore=leave)
    file = source / "gatepost" / defect.file
    text = file.read_text()
    assert text.count(defect.text) == 1
    file.write_text(text.replace(defect.text, defect.broken))
    faults = [fault for fault in FAULTS if fault.name == defect.fault]
    try:
        (told,) = asyncio.run(campaign(faults, FAULT_SECONDS * defect.rounds, source=source))
    except ProgramMissingError as error:
        pytest.skip(str(error))
    assert told.over, f"{told}"
