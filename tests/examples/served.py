"""An example under uvicorn, and the command beside it, in a folder of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's, with these settings of gatepost's and no others; the examples can be imported."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GATEPOST_")}
    return {**kept, "PYTHONPATH": str(EXAMPLES), **settings}


def gatepost(*arguments: str, folder: Path, **settings: str) -> str:
    """What the command printed. It succeeds."""
    command = [sys.executable, "-m", "gatepost", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(settings), capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def served(command: list[str], port: int, folder: Path, **settings: str) -> Iterator[str]:
    """A server that this command starts, once it answers; its address."""
    place = folder / f"served-{port}"
    place.mkdir()
    given = [f"{name}={text}" for name, text in environment(settings).items() if name in {"PYTHONPATH", *settings}]
    process = ServerProcess(["env", "-C", str(folder), *given, *command], place)

    def answers() -> bool:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/", timeout=30)
        except httpx2.TransportError:
            return False
        return True

    try:
        process.wait_until(answers)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@contextmanager
def serving(name: str, folder: Path, **settings: str) -> Iterator[str]:
    """An example's app under uvicorn; its address."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port), "--log-level", "warning"]
    with served(command, port, folder, **settings) as url:
        yield url
