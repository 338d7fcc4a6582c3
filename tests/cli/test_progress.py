"""What long work shows at a terminal, and that it leaves nothing behind in a pipe."""

import fcntl
import re
import signal
import subprocess
import sys
import termios
import time
from typing import IO

import pytest

from tests.cli.conftest import COMMAND, Run, Shell, Terminal, environment
from tests.cli.test_exchange import line

MANY = 5_000
CONTROL = re.compile(r"\x1b\[\??[0-9;]*[A-Za-z]")


@pytest.fixture
def ids(run: Run) -> str:
    """The ids of 5,000 keys, a line each."""
    run("db", "upgrade")
    return run("keys", "import", "-", "-q", given="".join(line(f"secret {n}", f"key {n}") for n in range(MANY))).stdout


def test_a_terminal_sees_the_ids_being_counted_and_then_the_answer_alone(terminal: Terminal, ids: str) -> None:
    code, shown = terminal("keys", "deactivate", "-", given=ids, until="Reading ids: 4,000 0:0", delay=0)
    assert code == 0
    progress, _, answer = shown.rpartition("\x1b[2K")  # the line is taken away before the answer comes
    assert "Reading ids: 4,000 0:0" in progress
    assert "deactivated" not in progress
    answer = CONTROL.sub("", answer)
    assert answer.split()[:2] == ["ID", "STATUS"]
    assert len(re.findall(r"^\w{12}  deactivated", answer, re.MULTILINE)) == MANY


def test_a_terminal_sees_nothing_of_quick_work(run: Run, terminal: Terminal) -> None:
    key_id = run("keys", "create", "x").stdout.split()[1]
    _, shown = terminal("keys", "deactivate", key_id)
    assert not CONTROL.search(shown)


def test_a_pipe_gets_a_line_per_id_and_nothing_of_the_progress(shell: Shell, ids: str) -> None:
    done = shell("keys", "deactivate", "-", given=ids)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{key_id}\tdeactivated" for key_id in ids.split()]
    done = shell("keys", "delete", "-", "--yes", "--json", given=ids)
    assert (done.returncode, done.stderr) == (0, "")
    assert shell("keys", "export").stdout == ""


def test_a_terminal_sees_an_import_being_read(run: Run, terminal: Terminal) -> None:
    run("db", "upgrade")
    code, shown = terminal("keys", "import", "-", given=line("1") + line("2"), until="Reading keys 0:0", delay=0)
    assert code == 0
    assert "Reading keys 0:0" in shown.rpartition("\x1b[2K")[0]


def unread(pipe: IO[bytes]) -> int:
    """Bytes that nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("verb", [("deactivate", "-"), ("import", "-"), ("whoami",)])
def test_ctrl_c_ends_a_command_that_waits_for_its_standard_input(run: Run, verb: tuple[str, ...]) -> None:
    run("keys", "create", "x")
    with subprocess.Popen([*COMMAND, "keys", *verb], stdin=subprocess.PIPE, bufsize=0, env=environment()) as process:
        assert process.stdin
        process.stdin.write(b"x")
        while unread(process.stdin):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_typing_ids_is_not_disturbed(run: Run, terminal: Terminal) -> None:
    key_id = run("keys", "create", "x").stdout.split()[1]
    code, shown = terminal("keys", "deactivate", "-", typed=f"{key_id}\n\x04", delay=0)
    assert code == 0
    assert not CONTROL.search(shown.partition(key_id)[0])
    assert f"{key_id}  deactivated" in shown
