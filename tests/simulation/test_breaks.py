"""The simulation can fail: each of these defects, put into the code, breaks the promise within the fixed budget."""

import pytest

from tests.simulation.breaks import BREAKS, Break
from tests.simulation.scenario import plan, play

pytestmark = pytest.mark.timeout(1800)  # as in test_simulation


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_a_defect_is_found(broken: Break, capsys: pytest.CaptureFixture[str]) -> None:
    requests = 0
    for number in broken.numbers:
        with broken.applied():
            report = play(plan(number, broken.past))
        requests += report.requests
        if report.violation is not None:
            with capsys.disabled():
                print(f"\n{broken.name}: seed {report.seed}, after {report.requests} requests", end="")
            return
    pytest.fail(f"not found in {requests} requests")
