"""A private MariaDB: the newest on the machine, on a unix socket in a folder of its own."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from tests.servers.folder import server_folder
from tests.servers.process import ServerProcess, run
from tests.servers.programs import Program, ProgramMissingError, newest, on_this_machine

SETTINGS = (
    "--skip-networking",
    "--max-connections=200",
    # Debian's packages and MariaDB from 11.6 on do so by default; 10.11 as it comes is latin1.
    "--character-set-server=utf8mb4",
    # What follows spares the disk; a transaction means the same, as long as the machine stays up.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-fast-shutdown=2",
    "--innodb-buffer-pool-dump-at-shutdown=0",
)


@dataclass
class MariaDBServer:
    """A running MariaDB. `url` is SQLAlchemy's, of no database, as `root` with no password."""

    url: str
    process: ServerProcess
    version: tuple[int, ...]
    begin: Callable[[], ServerProcess]

    def restart(self) -> None:
        """Kill it, as a crash would, start it on the same data, and return when it takes connections."""
        self.process.kill()
        self.process = self.begin()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid


@contextmanager
def mariadb_server(*options: str) -> Iterator[MariaDBServer]:
    """Start MariaDB, and stop it at the end. `options`: more of its own. Raises ProgramMissingError or ServerError."""
    program = newest(["mariadbd", "mysqld"], re.compile(r"(\d+(?:\.\d+)+)-MariaDB"))
    with server_folder("mariadb") as folder:
        address = folder / "socket"
        # A server that starts removes what others work with in a common temporary folder.
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        if os.geteuid() == 0:
            common.append("--user=root")
        _initialise(program, common, folder)

        def begin() -> ServerProcess:
            process = ServerProcess([program.path, *common, f"--socket={address}", *SETTINGS, *options], folder)
            process.wait_until(lambda: _greets(address))
            return process

        url = URL.create("mysql+asyncmy", "root", host="localhost", query={"unix_socket": str(address)})
        server = MariaDBServer(url.render_as_string(hide_password=False), begin(), program.version, begin)
        try:
            yield server
        finally:
            server.process.stop()


def _initialise(program: Program, common: list[str], folder: Path) -> None:
    """Make the data folder. Only this user can reach the socket beside it: hence a `root` with no password."""
    script = install_script(program)
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    run([script, *common, *options], folder)


def install_script(program: Program) -> Path:
    """`mariadb-install-db` of the same installation, or else the first on the machine."""
    name = "mariadb-install-db"
    beside = (program.path.parent.parent / folder / name for folder in ("bin", "scripts", "sbin"))
    for script in (*beside, *on_this_machine([name])):
        if script.is_file():
            return script
    raise ProgramMissingError(f"no {name} found on this machine")


def _greets(address: Path) -> bool:
    """Whether the server sends its first packet, as it does once it takes connections."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(address))
            return bool(connection.recv(1))
        except OSError:
            return False
