"""One ASGI server that serves `app.py` on a free port of the loopback."""

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from gatepost import APIKeys
from tests.patience import PATIENCE_SECONDS
from tests.servers.folder import server_folder
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.2
"""How often a server looks for changes."""

APP = "tests.asgi_servers.app:app"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers. `name`: the program. `database`: the URL of its keys."""

    name: str
    port: int
    database: str

    def keys(self) -> APIKeys:
        """The same keys, seen from another process: the test's."""
        return APIKeys(self.database)

    def client(self, secret: str = "", **options: Any) -> httpx2.AsyncClient:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=PATIENCE_SECONDS, **options
        )

    def exchange(self, target: str, *headers: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
        """Send one GET exactly as written; the status and all that came back."""
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1"))
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return int(answer.split(b" ", 2)[1]), answer


COMMANDS: dict[str, Sequence[str]] = {
    "uvicorn": ["uvicorn", APP, "--port"],
    "hypercorn": ["hypercorn", APP, "--graceful-timeout", "1", "--bind"],
    "granian": ["granian", APP, "--interface", "asgi", "--port"],
}


@contextmanager
def serving(name: str, *options: str, app: str = APP) -> Iterator[Serving]:
    """Start one of the programs of `COMMANDS` with an empty SQLite database, to serve `app`; stop it at the end."""
    port = _free_port()
    command = [app if part == APP else part for part in COMMANDS[name]]
    address = f"127.0.0.1:{port}" if name == "hypercorn" else str(port)
    with server_folder(name) as folder:
        database = f"sqlite:///{folder}/keys.db"
        environment = [
            f"PYTHONPATH={ROOT}",
            f"GATEPOST_TEST_DATABASE={database}",
            f"GATEPOST_TEST_POLL_SECONDS={POLL_SECONDS}",
        ]
        process = ServerProcess(
            ["env", *environment, sys.executable, "-m", *command, address, *options],
            folder,
        )
        process.wait_until(lambda: _answers(port))
        try:
            yield Serving(name, port, database)
        finally:
            process.stop()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=PATIENCE_SECONDS).status_code == 200
    except httpx2.TransportError:
        return False
