"""The model of the rule of freshness (docs/model), through its own runner: needs `spin` and `gcc`."""

import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "docs" / "model"

pytestmark = pytest.mark.timeout(1800)  # some 40 s, but it takes all processors, which others may want too

Table = dict[str, str]
"""What came out, by the name of a configuration or a mutant."""


def run(folder: Path, *arguments: str) -> tuple[int, str, Table]:
    done = subprocess.run(
        [sys.executable, folder / "check.py", *arguments], capture_output=True, text=True, timeout=1700, check=False
    )
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in done.stdout.splitlines()[1:]]
    return done.returncode, done.stdout + done.stderr, {row[0]: row[-1] for row in rows}


@pytest.fixture(scope="module")
def quick() -> tuple[int, str, Table]:
    """The smallest configuration and every mutant: some 40 s on two processors."""
    return run(MODEL, "--quick", "--jobs", "2")


def test_the_protocol_keeps_its_promise_and_no_part_of_the_model_is_left_unreached(
    quick: tuple[int, str, Table],
) -> None:
    code, told, table = quick
    assert table["changes, L=1"] == "no violation", told
    assert code == 0, told


def test_without_any_one_of_its_rules_the_protocol_breaks_its_promise(quick: tuple[int, str, Table]) -> None:
    _, told, table = quick
    mutants = {name: result for name, result in table.items() if name.isupper()}
    assert len(mutants) >= 30, told
    assert set(mutants.values()) == {"counterexample"}, told


def test_every_mutant_that_is_run_is_told_in_the_readme_and_is_in_the_model(quick: tuple[int, str, Table]) -> None:
    _, told, table = quick
    readme, model = (MODEL / "README.md").read_text(), (MODEL / "freshness.pml").read_text()
    names = [name for name in table if name.isupper()]
    assert [name for name in names if f"`{name}`" not in readme] == [], told
    assert [name for name in names if f"def {name}\n" not in model and f"defined({name})" not in model] == [], told


@pytest.mark.parametrize(
    ("original", "broken"),
    [
        pytest.param("#ifndef WAIT_SKIPPED", "#if 1", id="the mutant breaks nothing any more"),
        pytest.param("#ifndef WAIT_SKIPPED", "#if (", id="the model does not compile"),
    ],
)
def test_a_mutant_that_survives_or_cannot_be_run_is_a_failure(tmp_path: Path, original: str, broken: str) -> None:
    model = (MODEL / "freshness.pml").read_text()
    assert original in model
    (tmp_path / "freshness.pml").write_text(model.replace(original, broken))
    (tmp_path / "check.py").write_text((MODEL / "check.py").read_text())
    code, told, _ = run(tmp_path, "--mutant", "WAIT_SKIPPED")
    assert code != 0, told
