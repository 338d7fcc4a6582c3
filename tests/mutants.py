"""Safety tests can fail: a defect is put into a copy of the source, and its test must notice."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mutant:
    """`text` in `file` becomes `broken`; then `test` must fail."""

    name: str
    file: str
    text: str
    broken: str
    test: str


def assert_caught(mutant: Mutant, folder: Path) -> None:
    """Run the mutant's test on a copy of the source in `folder`."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source)  # compiled already, but for the file with the defect
    file = source / "gatepost" / mutant.file
    text = file.read_text()
    assert text.count(mutant.text) >= 1, "the mutant's text is not in the source any more"
    file.write_text(text.replace(mutant.text, mutant.broken))
    environment = {**os.environ, "PYTHONPATH": str(source), "CI": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # other plugins take longer to load than the test does to run
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"]
    # many defects make a test wait for what never comes: it has failed then, and need not wait as long as others
    command = [sys.executable, "-m", "pytest", "-q", "-x", *plugins, "--timeout=30", mutant.test]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-3000:]
    assert "1 failed" in done.stdout
