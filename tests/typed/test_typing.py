"""mypy and pyright find nothing wrong with what users write, and do find what is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USER = Path(__file__).with_name("user.py")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SILENCED = "  # type: ignore["


def mypy(*files: Path) -> subprocess.CompletedProcess[str]:
    """Strict, by the settings of this repository, and with what `make check` has cached."""
    command = [sys.executable, "-m", "mypy", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def pyright(*files: Path) -> subprocess.CompletedProcess[str]:
    """As an editor runs it, without settings; strict where a file says so. Its npm package is that of the wheel's
    version: fetched once, then kept."""
    if (shutil.which("node") is None or shutil.which("npm") is None) and "CI" not in os.environ:
        pytest.skip("pyright needs node and npm")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("checker", [mypy, pyright], ids=lambda checker: checker.__name__)
def test_a_checker_finds_nothing_in_the_examples_and_in_what_users_write(
    checker: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    checked = checker(USER, *EXAMPLES)
    assert checked.returncode == 0, checked.stdout


def test_what_the_examples_are_checked_with_is_what_the_page_tells_users_to_write() -> None:
    """Beyond `strict`, of the examples."""
    (told,) = re.findall(
        r"```toml\n(\[\[tool\.mypy\.overrides.+?)```", (ROOT / "docs" / "django.md").read_text(), re.DOTALL
    )
    examples = {file.stem for file in EXAMPLES}
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    assert tomllib.loads(told)["tool"]["mypy"]["overrides"] == [each for each in ours if each["module"] in examples]


@pytest.mark.parametrize(
    ("checker", "error"), [(mypy, r":(\d+): error:"), (pyright, r":(\d+):\d+ - error:")], ids=["mypy", "pyright"]
)
def test_a_checker_finds_the_mistakes_and_nothing_else(
    checker: Callable[..., "subprocess.CompletedProcess[str]"], error: str, tmp_path: Path
) -> None:
    lines = USER.read_text().splitlines()
    wrong = tmp_path / "wrong.py"
    wrong.write_text("\n".join(line.partition(SILENCED)[0] for line in lines))
    found = {int(number) for number in re.findall(error, checker(wrong).stdout)}
    assert found == {number for number, line in enumerate(lines, 1) if SILENCED in line}
    assert found
