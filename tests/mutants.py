"""Safety tests can fail: a defect is put into a copy of the source, and its test must notice."""

import multiprocessing
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LOADED = (
    "aiosqlite",
    "alembic.command",
    "asyncmy",
    "asyncpg",
    "httpx2",
    "orjson",
    "redis.asyncio",
    "sqlalchemy.dialects.mysql.asyncmy",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.ext.asyncio",
    "starlette.testclient",
    "uvicorn",
)
"""What is the same with every defect: loaded once, in a process that each run is a fork of."""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(LOADED))


@dataclass(frozen=True)
class Mutant:
    """`text` in `file` becomes `broken`; then `test` must fail. Where the file is C it is compiled again; else memory
    hits run in Python, so that the defect is in what runs."""

    name: str
    file: str
    text: str
    broken: str
    test: str
    crashes: bool = False
    """Whether its test may end the interpreter instead, with SIGSEGV."""
    stays_compiled: bool = False
    """Whether memory hits run compiled though the defect is in Python: it is in what C asks."""


def assert_caught(mutant: Mutant, folder: Path) -> None:
    """Run the mutant's test on a copy of the source in `folder`."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source)  # compiled already, but for the file with the defect
    file = source / "gatepost" / mutant.file
    text = file.read_text()
    assert text.count(mutant.text) >= 1, "the mutant's text is not in the source any more"
    file.write_text(text.replace(mutant.text, mutant.broken))
    is_compiled = mutant.stays_compiled or file.suffix == ".c"
    if file.suffix == ".c":
        from build_hit import build  # noqa: PLC0415 - needs what other Pythons' environments do not have

        build(file.parent, file.parent, ["-O0"])
    told = folder / "told"
    process = _forks.Process(target=_run, args=(source, mutant.test, told, "" if is_compiled else "1"))
    process.start()
    process.join()
    if mutant.crashes and process.exitcode == -signal.SIGSEGV:
        return
    said = told.read_text()
    assert process.exitcode == pytest.ExitCode.TESTS_FAILED, said[-3000:]
    assert "1 failed" in said, said[-3000:]


def _run(source: Path, test: str, told: Path, pure: str) -> None:
    """In a process of its own: the test, on that source. `pure`: for the environment."""
    with told.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(ROOT)
    # other plugins take longer to load than the test does to run
    os.environ |= {"PYTHONPATH": str(source), "CI": "", "GATEPOST_PURE": pure, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    os.environ["TEST_ESTATES"] = "250"  # until one is found that shows it
    sys.path.insert(0, str(source))
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"]
    # many defects make a test wait for what never comes: it has failed then, and need not wait as long as others
    sys.exit(pytest.main(["-q", "-x", *plugins, "--timeout=60", test]))
