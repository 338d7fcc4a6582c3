"""ASGI servers, as commands: one worker each, no access log."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess

from benchmarks.rivals.rival import VARIABLE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Server:
    """A way to serve an app. `options`: of the module `program`'s command line."""

    name: str
    program: str
    options: Sequence[str]

    def start(self, app: str, settings: Mapping[str, Any], folder: Path, port: int) -> ServerProcess:
        """Start it on that port of 127.0.0.1, with a log in `folder`, and return at once. `app`: `module:factory`."""
        variables = [f"PYTHONPATH={ROOT}", f"{VARIABLE}={json.dumps(settings)}"]
        command = [sys.executable, "-m", self.program, app, "--factory", *self.options, "--port", str(port)]
        return ServerProcess(["env", *variables, *command], folder)


UVICORN = Server(
    "uvicorn, uvloop and httptools",
    "uvicorn",
    ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
)
UVICORN_PURE = Server(
    "uvicorn, asyncio and h11",
    "uvicorn",
    ("--loop", "asyncio", "--http", "h11", "--no-access-log", "--log-level", "warning"),
)
GRANIAN = Server(
    "granian",
    "granian",
    ("--interface", "asgi", "--workers", "1", "--log-level", "warning"),
)
