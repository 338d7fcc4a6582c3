"""Four uvicorn workers, PostgreSQL and Redis, while keys are switched off and on and one thing after another fails."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.campaign.campaign import SETTINGS, Phase, campaign
from tests.campaign.crew import Plan
from tests.campaign.faults import FAULTS, Fault
from tests.campaign.site import Site
from tests.campaign.truth import Finding
from tests.servers.programs import ProgramMissingError

ROOT = Path(__file__).parents[2]
FAULT_SECONDS = 3.0
CHECKED_PART = 0.05
"""Requests of each fault whose only right answer is known, of each kind, as a part of what half of the faults have."""

SLACK_SECONDS = 2.0
"""What may be added to a wait that ends with a lease."""

REQUEST_SECONDS = 0.5
"""What a request may take beside a dead Redis."""

LATE_FACTOR = 10
"""What takes so many times as long as half of its kind in the same campaign is not the machine's fault any more."""

BY_NAME: Mapping[str, Fault[Site]] = {f"{fault.system}: {fault.name}": fault for fault in FAULTS}
TEMPLATES = {"templates.deactivate", "templates.rotate"}
"""What ends what was issued of a template."""

CHOSEN = [
    "redis: killed",
    "redis: restarted from an old dump",
    "redis: lying",
    "database: killed",
    "database: silent for one worker",
    "worker: paused and resumed",
    "worker: killed while waited for",
]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a campaign gave: each fault's phase by name, and what the processes logged of bugs."""

    phases: Mapping[str, Phase]
    tracebacks: str


@pytest.fixture(scope="module")
def seen() -> Seen:
    """One campaign over the chosen faults, for all tests of this module."""
    try:
        phases, tracebacks = asyncio.run(campaign([BY_NAME[name] for name in CHOSEN], seconds=FAULT_SECONDS))
    except ProgramMissingError as error:
        pytest.skip(str(error))
    return Seen({f"{phase.fault.system}: {phase.fault.name}": phase for phase in phases}, tracebacks)


@pytest.mark.timeout(1800)  # the first of them runs the campaign
@pytest.mark.parametrize("name", CHOSEN)
def test_no_request_is_let_in_after_its_key_was_taken_away_nor_refused_before(seen: Seen, name: str) -> None:
    phase = seen.phases[name]
    assert phase.wrong == []
    for kind in (Finding.RIGHTLY_REFUSED, Finding.RIGHTLY_LET_IN):
        assert phase.findings[kind] > CHECKED_PART * median(each.findings[kind] for each in seen.phases.values())
    assert phase.taken
    assert phase.under_way["roles.update"]
    assert phase.under_way.keys() & TEMPLATES


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_up_serves_and_what_was_down_is_used_again_by_itself(seen: Seen, name: str) -> None:
    phase = seen.phases[name]
    assert phase.recovered is not None, phase.stuck
    if not phase.fault.unavailable:
        assert phase.findings[Finding.UNAVAILABLE] == 0


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in CHOSEN if not name.startswith("database: killed")])
def test_a_wait_for_all_workers_ends_with_the_longest_lease(seen: Seen, name: str) -> None:
    longest = max(taken.seconds for taken in seen.phases[name].taken)
    usual = median(taken.seconds for phase in seen.phases.values() for taken in phase.taken if not taken.expired)
    assert longest < SETTINGS["max_staleness"] + SLACK_SECONDS + LATE_FACTOR * usual


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in CHOSEN if name.startswith("redis")])
def test_requests_do_not_wait_for_a_dead_redis_one_by_one(seen: Seen, name: str) -> None:
    waits = sorted(seen.phases[name].seconds)
    usual = median(seconds for phase in seen.phases.values() for seconds in phase.seconds)
    assert waits[int(0.99 * len(waits))] < REQUEST_SECONDS + LATE_FACTOR * usual


@pytest.mark.timeout(1800)
def test_no_process_logs_a_traceback_in_any_fault(seen: Seen) -> None:
    assert seen.tracebacks == ""


@dataclass(frozen=True, slots=True)
class Defect:
    """`text` in `file` becomes `broken`; then the fault shows it, in one of so many `rounds`."""

    name: str
    file: str
    text: str
    broken: str
    fault: str
    rounds: int = 1

    def put_in(self, source: Path) -> Path:
        """Make `source` a folder with a gatepost that has it, to be imported from. It is not compiled: the defects are
        in Python."""
        leave = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / "src" / "gatepost", source / "gatepost", ignore=leave)
        file = source / "gatepost" / self.file
        text = file.read_text()
        assert text.count(self.text) == 1
        file.write_text(text.replace(self.text, self.broken))
        return source


DEFECTS = [
    Defect(
        "the wait skipped",
        "freshness/propagation.py",
        "complete = self.waiting is not None and not self.waiting",
        "complete = True",
        "redis: killed",
    ),
    Defect(
        "memory not dropped",
        "freshness/freshness.py",
        "self._memory.drop(digest, below=seq)",
        "pass",
        "none: none",
    ),
    Defect(
        "the lease not heeded",
        "lookup/lookup.py",
        "if now < freshness.until and now < record.until and now + freshness.offset < record.usable_until",
        "if now < record.until and now + freshness.offset < record.usable_until",
        "database: cut off from one worker",
        rounds=3,  # it shows only after a verb has waited a lease out, and for a key still in that worker's memory
    ),
    Defect(
        "a role's edit that does not reach all of its keys",
        "keys/roles/roles.py",
        "await change.update_keys(edits)",
        "await change.update_keys(edits[:-1])",
        "none: none",
    ),
    Defect(
        "a temporary secret that outlives what it was made from",
        "lookup/lookup.py",
        " and self._remembered(record.digest) is record.parent",
        "",
        "none: none",
    ),
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_campaign_finds_wrong_answers_of_a_gatepost_with(defect: Defect, tmp_path: Path) -> None:
    plan = Plan(settings=SETTINGS, source=defect.put_in(tmp_path / "src"))
    try:
        faults = [BY_NAME[defect.fault]] * defect.rounds
        phases, _ = asyncio.run(campaign(faults, plan=plan, seconds=FAULT_SECONDS))
    except ProgramMissingError as error:
        pytest.skip(str(error))
    assert sum(phase.findings[Finding.WRONG_PASS] for phase in phases) > 0
