"""Nodes of MariaDB Galera that are in step, on ports of 127.0.0.1."""

import os
import pwd
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL

from tests.servers.folder import server_folder
from tests.servers.mariadb import install_script
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess, run
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


@contextmanager
def galera_nodes(count: int = 3) -> Iterator[list[str]]:
    """SQLAlchemy's URLs of so many nodes, of the database `keys`. Raises ProgramMissingError or ServerError."""
    program = newest(["mariadbd"], re.compile(r"(\d+(?:\.\d+)+)-MariaDB"))
    client = next(iter(on_this_machine(["mariadb"])), None)
    if not LIBRARY.exists() or client is None or not list(on_this_machine(["rsync"])):
        raise ProgramMissingError("no Galera (galera-4, rsync) found on this machine")
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    with ExitStack() as stack:
        urls: list[str] = []
        first_group = free_port()
        for number in range(count):
            folder = stack.enter_context(server_folder("galera"))
            if user is not None:
                os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
            as_root = [] if user is None else [f"--user={user}"]
            options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
            run([install_script(program), *common, *as_root, *options], folder)
            port, group = free_port(), free_port() if number else first_group
            provider = (
                f"gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{free_port()};gcache.size=16M"
            )
            network = [
                f"--port={port}",
                f"--socket={folder / 'socket'}",
                f"--wsrep-cluster-address=gcomm://{f'127.0.0.1:{first_group}' if number else ''}",
                f"--wsrep-node-address=127.0.0.1:{group}",
                f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
                f"--wsrep-provider-options={provider}",
            ]
            process = ServerProcess([program.path, *common, *SETTINGS, *network], folder, user=user)
            stack.callback(process.kill)
            ask: list[str | Path] = [client, "-uroot", f"-S{folder / 'socket'}", "-Ne"]
            process.wait_until(partial(_is_in_step, ask))
            if not number:
                run([*ask, "CREATE DATABASE `keys`"], folder)
            urls.append(
                URL.create("mysql+asyncmy", "root", host="127.0.0.1", port=port, database="keys").render_as_string()
            )
        yield urls


def _is_in_step(ask: Sequence[str | Path]) -> bool:
    """Whether the node takes statements and has all that the others have."""
    query = "SHOW STATUS LIKE 'wsrep_local_state_comment'"
    done = subprocess.run([*ask, query], capture_output=True, text=True, check=False)
    return "Synced" in done.stdout
