"""Workers on two topologies while their own fault is made: no answer is wrong, and a broken gatepost is found."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import measured
from tests.campaign import page
from tests.campaign.campaign import Phase
from tests.campaign.test_faults import Defect
from tests.campaign.topologies import TOPOLOGIES, faced
from tests.campaign.truth import Finding
from tests.servers.programs import ProgramMissingError

FAULT_SECONDS = 5.0
"""Longer than two leases: what is stale shows only when a verb has waited for one to run out."""

CHOSEN = [("sqlite", "the file is replaced by a copy, thrice"), ("galera", "a node lags")]


def seen(topology: str, fault: str, source: Path | None = None) -> tuple[Phase, str]:
    """What the fault did, and what the processes logged of bugs."""
    try:
        phases, bugs = asyncio.run(faced(TOPOLOGIES[topology], seconds=FAULT_SECONDS, only=fault, source=source))
    except ProgramMissingError as error:
        pytest.skip(str(error))
    (phase,) = phases
    return phase, bugs


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("topology", "fault"), CHOSEN)
def test_no_answer_is_wrong_on_a_topology_whose_own_fault_is_made(topology: str, fault: str) -> None:
    phase, bugs = seen(topology, fault)
    assert phase.wrong == []
    for kind in (Finding.RIGHTLY_REFUSED, Finding.RIGHTLY_LET_IN):
        assert phase.findings[kind]
    assert phase.taken
    assert phase.recovered is not None, phase.stuck
    assert bugs == ""


DEFECTS: Sequence[tuple[str, Defect]] = [
    (
        "sqlite",
        Defect(
            "a commit into a file that was replaced counts",
            "database/commit.py",
            "file is not None and not file.is_in_place",
            "False",
            "the file is replaced by a copy, thrice",
        ),
    ),
    (
        "galera",
        Defect("reads do not wait", "database/connecting/primary.py", "SYNC_WAIT = 7", "SYNC_WAIT = 0", "a node lags"),
    ),
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("topology", "defect"), DEFECTS, ids=lambda told: getattr(told, "name", told))
def test_the_campaign_finds_wrong_answers_of_a_gatepost_with(topology: str, defect: Defect, tmp_path: Path) -> None:
    phase, _ = seen(topology, defect.fault, defect.put_in(tmp_path / "src"))
    assert phase.findings[Finding.WRONG_PASS] + phase.findings[Finding.WRONG_REFUSAL] > 0


def test_the_page_has_what_was_measured_last() -> None:
    kept = measured.read(measured.RESULTS).revocation["topologies"]
    assert page.table(kept["faults"]) in page.PAGE.read_text()
