"""`gatepost serve`: a real process on a free port."""

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import pytest

from tests.cli.conftest import COMMAND, Run, Shell, environment

START_SECONDS = 120.0


@dataclass
class Served:
    """A running server: where it is, and what it printed."""

    process: subprocess.Popen[bytes]
    url: str
    printed: str

    def get(self, path: str, secret: str | None = None) -> httpx2.Response:
        """Ask it, with a key or without."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return httpx2.get(self.url + path, headers=headers, timeout=120)


@contextmanager
def serving(folder: Path, *arguments: str, number: int = signal.SIGINT) -> Iterator[Served]:
    """Start it, wait until it says where it is, and end it by a signal."""
    log, errors = folder / "serve.out", folder / "serve.err"
    with log.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--json", *arguments], stdout=out, stderr=err, env=environment()
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not log.read_text().endswith("\n"):
            assert process.poll() is None, errors.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Served(process, orjson.loads(log.read_text())["url"], log.read_text())
    finally:
        if process.poll() is None:
            os.kill(process.pid, number)
        process.wait(15)
    assert process.returncode == 0, errors.read_text()
    assert errors.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_lets_in_who_has_a_key_and_ends_on_a_signal(run: Run, tmp_path: Path, number: int) -> None:
    secret = run("keys", "create", "admin", "-p", "ACCESS_READ,ACCESS_MANAGE", "-q").stdout.strip()
    other = run("keys", "create", "other", "-p", "FILE_MOVE", "-q").stdout.strip()
    with serving(tmp_path, number=number) as served:
        assert served.get("/api/keys").status_code == 401
        assert served.get("/api/keys", other).status_code == 403
        assert {key["description"] for key in served.get("/api/keys", secret).json()["items"]} == {"admin", "other"}
        assert served.get("/openapi.json", secret).json()["openapi"].startswith("3.1")
        assert "<form" in served.get("/").text
        run("keys", "deactivate", secret.split("_")[1])
        assert served.get("/api/keys", secret).status_code == 401
    with pytest.raises(httpx2.ConnectError):
        served.get("/")


def test_json_tells_where_it_is(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    with serving(tmp_path) as served:
        told = orjson.loads(served.printed)
        assert told["url"].startswith("http://127.0.0.1:")
        assert (told["api"], told["openapi"]) == (f"{told['url']}/api", f"{told['url']}/openapi.json")


def introduction(folder: Path, *arguments: str) -> tuple[str, str]:
    """What it prints for people, until Ctrl-C."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout
        said = ""
        while "Ctrl-C" not in said:
            told = process.stdout.readline()
            assert told, said
            said += told
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return said + rest, errors


def test_it_tells_how_to_make_a_first_key_while_none_can_sign_in(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "reader", "-p", "ACCESS_READ")
    run("keys", "create", "off", "-p", "ACCESS_MANAGE", "--inactive")
    printed, errors = introduction(tmp_path)
    assert "Manage keys: http://127.0.0.1:" in printed
    assert 'gatepost keys create "admin" -p ACCESS_READ,ACCESS_MANAGE' in printed
    assert errors == ""
    hint = next(line for line in printed.splitlines() if "keys create" in line)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [*COMMAND, *shlex.split(hint)[1:]], cwd=elsewhere, env=environment(), check=True, capture_output=True
    )
    assert not list(elsewhere.iterdir())
    assert "keys create" not in introduction(tmp_path)[0]


def test_it_warns_where_it_listens_to_more_than_this_machine(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    _, errors = introduction(tmp_path, "--host", "0.0.0.0")
    assert errors.startswith("Warning: http://0.0.0.0:")
    assert "not https" in errors
    assert introduction(tmp_path, "--host", "127.0.0.2")[1] == ""


NO_ACCESS = 'from gatepost import Catalogue\nclass Notes(Catalogue):\n    NOTES_READ = "read notes"\n'


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--host", "192.0.2.1"), 2, "--host"),
        (("--host", "nowhere.invalid"), 2, "--host"),
        (("--port", "65536"), 2, "--port"),
        (("--database", "sqlite:///nowhere.db"), 4, "There is no SQLite file"),
        (("--catalogue", "notes:Notes"), 1, "lacks ACCESS_READ and ACCESS_MANAGE"),
    ],
)
@pytest.mark.usefixtures("database")
def test_what_hinders_it_is_one_clear_line(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    shell("db", "upgrade")
    (tmp_path / "notes.py").write_text(NO_ACCESS)
    done = shell("serve", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_busy_port_is_a_clear_error_that_names_the_option(shell: Shell, run: Run) -> None:
    run("db", "upgrade")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = shell("serve", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is in use" in done.stderr
    assert "--port" in done.stderr
