"""Three ways to run the command: in this process, as a process with pipes, as a process at a terminal."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import orjson
import pytest
from typer.testing import CliRunner, Result

from gatepost.cli.app import app

COMMAND = (sys.executable, "-m", "gatepost")
IMPATIENT = """
import sys
from gatepost.cli import main
from gatepost.cli.output import progress
progress.DELAY_SECONDS = {delay}
sys.argv[0] = "gatepost"
main()
"""
"""The command, with another idea of what long work is."""

TYPING_SECONDS = 0.5
"""A command that disturbs who types does so by then, on a machine that is not too slow."""

ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""Colours and weights."""


class Run(Protocol):
    """Runs the command in this process. `given`: what standard input holds."""

    def __call__(self, *arguments: str, given: str | None = None) -> Result: ...


class Shell(Protocol):
    """Runs the command as a process, with pipes. `given`: what standard input holds."""

    def __call__(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]": ...


class Terminal(Protocol):
    """Runs the command at a terminal of 80 columns. `typed`: what is typed, once `prompt` is shown. `given`: what
    standard input holds instead, whose last line comes once `until` is shown. `delay`: seconds after which work is long
    enough to be told of; never, unless a test is about it: on a slow machine all work is long.

    Answers the exit code, and what was shown, without colours.
    """

    def __call__(
        self,
        *arguments: str,
        typed: str = "",
        prompt: str = "",
        given: str | None = None,
        until: str = "",
        delay: float = 1e6,
    ) -> tuple[int, str]: ...


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder, no setting of the person who runs the tests, and no module of another test's folder."""
    for name in [name for name in os.environ if name.startswith("GATEPOST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL that `GATEPOST_DATABASE` names: an SQLite file that does not exist yet."""
    monkeypatch.setenv("GATEPOST_DATABASE", sqlite_url)
    return sqlite_url


@pytest.fixture
def run(database: str) -> Run:
    """The command in this process, on `database`."""
    runner = CliRunner()

    def run(*arguments: str, given: str | None = None) -> Result:
        return runner.invoke(app, arguments, input=given, prog_name="gatepost")

    return run


@pytest.fixture
def answer(run: Run) -> Callable[..., Any]:
    """Runs the command with `--json`; it succeeds and says nothing on stderr. The object that it prints."""

    def answer(*arguments: str, given: str | None = None) -> Any:
        done = run(*arguments, "--json", given=given)
        assert (done.exit_code, done.stderr) == (0, "")
        return orjson.loads(done.stdout)

    return answer


@pytest.fixture
def shell() -> Shell:
    """The command as a process; any warning in it is an error."""

    def shell(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments], input=given, capture_output=True, text=True, check=False, env=environment()
        )

    return shell


@pytest.fixture
def terminal() -> Terminal:
    """The command at a terminal of 80 columns."""

    def terminal(
        *arguments: str,
        typed: str = "",
        prompt: str = "",
        given: str | None = None,
        until: str = "",
        delay: float = 1e6,
    ) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", IMPATIENT.format(delay=delay), *arguments],
            stdin=theirs if given is None else subprocess.PIPE,
            stdout=theirs,
            stderr=theirs,
            env=environment() | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            start_new_session=True,  # a hidden prompt must not find the terminal of who runs the tests
        )
        os.close(theirs)
        shown = b""
        with process:
            is_seen = threading.Event()
            feeding = threading.Thread(target=_feed, args=(process.stdin, given or "", is_seen))
            feeding.start()
            while prompt.encode() not in shown:
                shown += os.read(ours, 65_536)
            if typed:
                time.sleep(TYPING_SECONDS)
                os.write(ours, typed.encode())
            while True:
                if until in ANSI.sub("", shown.decode(errors="ignore")):
                    is_seen.set()
                chunk = _read(ours)
                if not chunk:
                    break
                shown += chunk
            is_seen.set()
            feeding.join()
        os.close(ours)
        return process.returncode, ANSI.sub("", shown.decode()).replace("\r\n", "\n")

    return terminal


def environment() -> dict[str, str]:
    """That of this process, with warnings as errors."""
    return os.environ | {"PYTHONWARNINGS": "error"}


def _feed(pipe: IO[bytes] | None, given: str, is_seen: threading.Event) -> None:
    """All but the last line, and that once what the test waits for has been shown, or the command has ended."""
    if pipe is not None:
        *lines, last = given.splitlines(keepends=True)
        with contextlib.suppress(BrokenPipeError):
            pipe.write("".join(lines).encode())
            pipe.flush()
            is_seen.wait()
            pipe.write(last.encode())
            pipe.close()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux says EIO when the other end is closed
        return b""
