"""Nodes of MariaDB Galera that are in step, on ports of 127.0.0.1."""

import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.servers.folder import server_folder
from tests.servers.mariadb import install_script
from tests.servers.ports import free_port
from tests.servers.process import Command, ServerProcess, run
from tests.servers.programs import ProgramMissingError, newest, on_this_machine

LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
UNPRIVILEGED_USER = "mysql"
"""The state transfer's script runs as it, and wants to own what it copies."""

SETTINGS = (
    "--bind-address=127.0.0.1",
    "--character-set-server=utf8mb4",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=32M",
    "--binlog-format=ROW",
    "--innodb-autoinc-lock-mode=2",
    "--wsrep-on=ON",
    f"--wsrep-provider={LIBRARY}",
    "--wsrep-cluster-name=tests",
    "--wsrep-sst-method=rsync",
)


class GaleraNode:
    """One of them: `kill()` and `start()` as often as needed, on the same data. `url`: SQLAlchemy's, of the database
    `keys`."""

    def __init__(self, command: Command, ask: Command, folder: Path, port: int, user: str | None) -> None:
        self._command = command
        self._ask = ask
        self._folder = folder
        self._user = user
        self._process: ServerProcess | None = None
        url = URL.create("mysql+asyncmy", "root", host="127.0.0.1", port=port, database="keys")
        self.url = url.render_as_string()

    def start(self) -> None:
        """Start it, and return when it has all that the others have. No effect if it runs."""
        if self._process is None or not self._process.running:
            self._process = ServerProcess(self._command, self._folder, user=self._user)
            self._process.wait_until(self._is_in_step)

    def kill(self) -> None:
        """As a crash would. No effect if it is gone."""
        if self._process is not None:
            self._process.kill()

    def do(self, statement: str) -> str:
        """Run a statement as root; what the client prints."""
        done = subprocess.run([*self._ask, statement], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def _is_in_step(self) -> bool:
        query = "SHOW STATUS LIKE 'wsrep_local_state_comment'"
        done = subprocess.run([*self._ask, query], capture_output=True, text=True, check=False)
        return "Synced" in done.stdout


@contextmanager
def galera_cluster(count: int = 3, *options: str) -> Iterator[list[GaleraNode]]:
    """So many nodes. `options`: more of each server's own. Raises ProgramMissingError or ServerError."""
    program = newest(["mariadbd"], re.compile(r"(\d+(?:\.\d+)+)-MariaDB"))
    client = next(iter(on_this_machine(["mariadb"])), None)
    if not LIBRARY.exists() or client is None or not list(on_this_machine(["rsync"])):
        raise ProgramMissingError("no Galera (galera-4, rsync) found on this machine")
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    with ExitStack() as stack:
        nodes: list[GaleraNode] = []
        groups = [free_port() for _ in range(count)]
        for number, group in enumerate(groups):
            folder = stack.enter_context(server_folder("galera"))
            if user is not None:
                os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
            as_root = [] if user is None else [f"--user={user}"]
            making = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
            run([install_script(program), *common, *as_root, *making], folder)
            port = free_port()
            provider = (
                f"gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{free_port()};gcache.size=16M"
            )
            network = [
                f"--port={port}",
                f"--socket={folder / 'socket'}",
                f"--wsrep-cluster-address=gcomm://{f'127.0.0.1:{groups[0]}' if number else ''}",
                f"--wsrep-node-address=127.0.0.1:{group}",
                f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
                f"--wsrep-provider-options={provider}",
            ]
            ask: Command = [client, "-uroot", f"-S{folder / 'socket'}", "-Ne"]
            command: Command = [program.path, *common, *SETTINGS, *network, *options]
            node = GaleraNode(command, ask, folder, port, user)
            stack.callback(node.kill)
            node.start()
            if not number:
                node.do("CREATE DATABASE `keys`")
            nodes.append(node)
        yield nodes


@contextmanager
def galera_nodes(count: int = 3) -> Iterator[list[str]]:
    """Their URLs alone."""
    with galera_cluster(count) as nodes:
        yield [node.url for node in nodes]
