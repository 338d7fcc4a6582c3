"""The promise holds in every world that is tried, and the worlds are not dull."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.scenario import WEATHERS, plan, play

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(1800)  # ends a callback that never returns: time has no other part in a world

OFTEN = int(os.environ.get("TEST_SIMULATION_RUNS", "3"))
"""How many worlds of each kind of weather are tried."""

RUNS = OFTEN * WEATHERS
"""Of worlds where the database's past stays what it is."""

RESTORED_RUNS = OFTEN * WEATHERS // 3

HAPPENED = {
    "recalled from memory": 10_000,
    "found in Redis": 5_000,
    "reads": 2_000,
    "joined reads": 200,
    "values below their floor": 1_000,
    "values resurrected": 1_000,
    "values that outlived the lease": 5,
    "leases lost with the row": 10,
    "pasts that did not continue": 5,
    "waits by acknowledgement alone": 100,
    "waits that needed a lease to run out": 20,
    "workers that had left": 20,
    "promises for later": 100,
    "verbs told: still spreading": 5,
    "verbs told: nothing changed": 5,
    "commits without an answer": 5,
    "changes committed with others": 200,
    "nudges lost": 500,
    "fault pause": 10,
    "fault kill": 10,
    "fault cut": 10,
    "fault block": 100,
    "exchanges given up": 100,
    "fault prune": 10,
    "fault prune_as_told": 100,
    "events pruned as told": 100,
    "fault restore": 5,
    "verb edit role": 100,
    "temporary secrets shown": 10_000,
    "secrets of templates issued": 1_000,
    "secrets of templates shown": 50_000,
    "verb deactivate template": 100,
    "verb rotate template": 50,
    "verb terms template": 50,
    "outcome unavailable": 100,
}
"""What must have been seen at least so often, in three runs of each weather: a quiet world proves nothing."""


def test_no_key_is_let_in_after_it_was_taken_away_and_no_good_key_is_refused_whatever_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts: Counter[str] = Counter()
    requests = 0
    for number, past in [
        *((number, "") for number in range(RUNS)),
        *((number, "r") for number in range(RESTORED_RUNS)),
        *((number, "o") for number in range(WEATHERS)),
        *((number, "t") for number in range(WEATHERS)),
        *((number, "m") for number in range(WEATHERS)),
    ]:
        report = play(plan(number, past))
        assert report.violation is None, (
            f"seed {report.seed}: {report.violation}\n{report.trace}\n"
            f"Replay it: .venv/bin/python -m tests.simulation --seed {report.seed}"
        )
        counts += report.counts
        requests += report.requests
    faults = sum(count for what, count in counts.items() if what.startswith("fault"))
    with capsys.disabled():
        print(
            f"\n{RUNS + RESTORED_RUNS + 3 * WEATHERS} worlds, {requests} requests, {faults} faults: no promise broken"
        )
    dull = {what: counts[what] for what, least in HAPPENED.items() if counts[what] < least * OFTEN // 3}
    assert not dull, dull


def test_a_seed_makes_the_same_world_in_any_process() -> None:
    script = "from tests.simulation.scenario import plan, play; print(play(plan(1, 'r')).fingerprint)"
    prints = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        prints.add(done.stdout)
    assert prints == {play(plan(1, "r")).fingerprint + "\n"}


def test_another_seed_makes_another_world() -> None:
    assert play(plan(1)).fingerprint != play(plan(10)).fingerprint
