"""Workers under uvicorn, each at an address of its own."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.servers.folder import server_folder
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Serving:
    """A worker that answers."""

    origin: str
    process: ServerProcess

    @property
    def url(self) -> str:
        return f"{self.origin}/_gatepost"

    def get(self, path: str, secret: str | None = None) -> httpx2.Response:
        headers = {} if secret is None else {"X-API-Key": secret}
        return httpx2.get(f"{self.origin}{path}", headers=headers, timeout=120)


@contextmanager
def serving(database: str, broken: str = "") -> Iterator[Serving]:
    """One worker over `database`, whose tables are there."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    environment = [
        f"PYTHONPATH={ROOT}",
        f"GATEPOST_TEST_DATABASE={database}",
        f"GATEPOST_TEST_BROKEN={broken}",
        f"GATEPOST_AUDIT_TOKEN={TOKEN}",
    ]
    command = [sys.executable, "-m", "uvicorn", "tests.audit.app:app", "--port", str(port), "--log-level", "warning"]
    with server_folder("audited") as folder:
        process = ServerProcess(["env", *environment, *command], folder)
        process.wait_until(lambda: _answers(origin))
        try:
            yield Serving(origin, process)
        finally:
            process.stop()


def _answers(origin: str) -> bool:
    try:
        return httpx2.get(f"{origin}/ready", timeout=120).status_code == 200
    except httpx2.TransportError:
        return False
