"""`gatepost demo` as a person meets it: the real command, its printed keys and `curl` lines."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "gatepost", "demo"]
START_SECONDS = 30.0


@dataclass
class Demo:
    """A running demo and what it printed."""

    process: subprocess.Popen[bytes]
    printed: str

    @property
    def url(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.printed)
        assert found is not None
        return found[0]


@contextmanager
def running(folder: Path, *arguments: str, killed: bool = False) -> Iterator[Demo]:
    """Start the demo, wait until it has introduced itself, and stop it as Ctrl-C does; `killed`: so that it can do
    nothing any more."""
    log = folder / "demo.log"
    environment = os.environ | {"TMPDIR": str(folder), "COLUMNS": "80"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*DEMO, "--port", "0", *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Demo(process, log.read_text())
    finally:
        process.send_signal(signal.SIGKILL if killed else signal.SIGINT)
        process.wait(60)
    if killed:
        return
    assert process.returncode == 0, log.read_text()
    assert not list(folder.glob("gatepost-demo-*")), "the temporary folder was left behind"


def try_line(line: str, folder: Path) -> int:
    """The status that a printed `curl` line gets."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    words = [*shlex.split(line), "-s", "-o", str(folder / "body"), "-w", "%{http_code}"]
    return int(subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder).stdout)


def assert_lines_answer_as_printed(demo: Demo, folder: Path) -> None:
    """Every printed command gets the status that stands above it."""
    lines = re.findall(r"# .*: (\d{3})\n +(curl .*)", demo.printed)
    assert len(lines) >= 8
    for status, line in lines:
        assert try_line(line, folder) == int(status), line


def test_the_printed_commands_are_answered_as_printed(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        assert_lines_answer_as_printed(demo, tmp_path)
        assert {status for status, _ in re.findall(r"# .*: (\d{3})\n +(curl .*)", demo.printed)} >= {
            "200",
            "401",
            "403",
        }
        (deactivated,) = re.findall(r"deactivated (gp_\S+)", demo.printed)
        try_line(f"curl -H 'X-API-Key: {deactivated}' {demo.url}/objects", tmp_path)
        assert b"key_deactivated" in (tmp_path / "body").read_bytes()


def test_the_demo_runs_on_a_database_and_a_redis_of_the_user(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    with running(tmp_path, "--database", postgres_url, "--redis", redis_url) as demo:
        assert_lines_answer_as_printed(demo, tmp_path)


def test_a_busy_port_is_a_clear_error_that_names_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*DEMO, "--port", str(port)], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60
        )
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--database", "--redis"])
def test_a_wrong_url_is_a_clear_error(tmp_path: Path, option: str) -> None:
    done = subprocess.run(
        [*DEMO, "--port", "0", option, "nonsense"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert option.removeprefix("--") in done.stderr
    assert "Traceback" not in done.stderr
