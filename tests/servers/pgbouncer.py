"""A private pgbouncer before a PostgreSQL of these tests, on a port of 127.0.0.1."""

import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import URL, make_url

from tests.servers.folder import server_folder
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.programs import Program, newest

UNPRIVILEGED_USER = "nobody"
"""As whom root starts it, since it refuses to run as root: whose PostgreSQL's socket is, too."""

SETTINGS = {"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_type": "plain", "max_client_conn": "500"}
PASSWORD = "word"
READY = "process up"


@dataclass
class Pgbouncer:
    """A running pgbouncer. `version`: as far as it tells."""

    port: int
    version: tuple[int, ...]
    process: ServerProcess
    begin: Callable[[], ServerProcess]

    def restart(self) -> None:
        """Kill it, start it on the same port, and return when it takes connections."""
        self.process.kill()
        self.process = self.begin()

    def url(self, database: str, driver: str = "postgresql") -> str:
        """A URL of that database through it."""
        url = URL.create(driver, "postgres", PASSWORD, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)


def pgbouncer_program() -> Program:
    """The newest on this machine. Raises ProgramMissingError."""
    return newest(["pgbouncer"], re.compile(r"PgBouncer (\d+(?:\.\d+)+)"))


@contextmanager
def pgbouncer(behind: str, **settings: str) -> Iterator[Pgbouncer]:
    """Start one, and stop it at the end. `behind`: SQLAlchemy's URL of a server's socket, whose databases it offers by
    their names. `settings`: of pgbouncer.ini, such as `pool_mode`. Raises ProgramMissingError or ServerError."""
    program = pgbouncer_program()
    given = make_url(behind)
    with server_folder("pgbouncer") as folder:
        port = free_port()
        (folder / "users").write_text(f'"postgres" "{PASSWORD}"\n')
        lines = ["[databases]", f"* = host={given.query['host']} port={given.port or 5432} user={given.username}"]
        lines += ["[pgbouncer]", f"listen_port = {port}", f"auth_file = {folder / 'users'}"]
        lines += [f"{name} = {value}" for name, value in (SETTINGS | settings).items()]
        (folder / "ini").write_text("\n".join(lines))
        user = None
        if os.geteuid() == 0:
            user = UNPRIVILEGED_USER
            for path in (folder, folder / "ini", folder / "users"):
                os.chown(path, pwd.getpwnam(user).pw_uid, -1)

        def begin() -> ServerProcess:
            process = ServerProcess([program.path, folder / "ini"], folder, user=user)
            process.wait_until(lambda: READY in (folder / "log").read_text(errors="replace"))
            return process

        pooler = Pgbouncer(port, program.version, begin(), begin)
        try:
            yield pooler
        finally:
            pooler.process.stop()
