"""One server process: started, waited for, paused and stopped by its id alone."""

import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 120.0  # each takes under a second on an idle two-core machine
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01

Command = Sequence[str | Path]


class ServerError(Exception):
    """A server ended, or did not answer in time; the text ends with its log."""


class ServerProcess:
    """A running server. `user` is the system user to run it as; only root may name one.

    It gets a session of its own, so that Ctrl-C in the terminal reaches the tests alone, which then stop it.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._program = command[0]
        self._stop_signal = stop_signal
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=_group(user),
                extra_groups=None if user is None else (),
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended; a paused one has not."""
        return self._process.poll() is None

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Return when `answers()` is true. Else stop the process and raise ServerError."""
        try:
            self._wait_until(answers)
        except BaseException:
            self.stop()
            raise

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: the end of a pause; no effect on a process that runs."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Return when the process is gone, killed if it does not end by itself. No effect on one that is gone."""
        self.resume()
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when Ctrl-C interrupts the wait
            self.kill()

    def kill(self) -> None:
        """SIGKILL, and return when the process is gone."""
        self._process.kill()
        self._process.wait()

    def _wait_until(self, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if not self.running:
                raise ServerError(f"{self._program} ended with status {self._process.returncode}{self._log_text()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self._program} did not answer in {START_SECONDS:.0f} s{self._log_text()}")
            time.sleep(POLL_SECONDS)

    def _log_text(self) -> str:
        return f"; its log:\n{self._log.read_text(errors='replace')}"


def run(command: Command, folder: Path, *, user: str | None = None) -> None:
    """Run a program to its end in that folder, as that user. Raises ServerError, with what it printed, if it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=2 * START_SECONDS,
        check=False,
        user=user,
        group=_group(user),
        extra_groups=None if user is None else (),
    )
    if done.returncode:
        raise ServerError(f"{command[0]} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid
