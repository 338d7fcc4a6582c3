"""ASGI servers, as commands: one worker each, no access log."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess

from benchmarks.origin import ROOT
from benchmarks.rivals.rival import VARIABLE


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


QUIET = ("--log-level", "warning")
UVICORN_QUIET = ("--no-access-log", *QUIET)
UVICORN = Server(
    "uvicorn, uvloop and httptools", "uvicorn", ("--loop", "uvloop", "--http", "httptools", *UVICORN_QUIET)
)
UVICORN_PURE = Server("uvicorn, asyncio and h11", "uvicorn", ("--loop", "asyncio", "--http", "h11", *UVICORN_QUIET))
GRANIAN = Server("granian", "granian", ("--interface", "asgi", "--workers", "1", *QUIET))
