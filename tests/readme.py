"""The README's blocks, and its first commands as a new user types them."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.ports import free_port

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str = "python") -> Sequence[str]:
    """The blocks of a page in that language."""
    text = (ROOT / page).read_text()
    return [each[1] for each in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


MAIN, *REST = blocks("README.md")
"""The first app, and what follows."""

_, INSTALL, COMMANDS = blocks("README.md", "sh")
"""What the first app needs, and what is typed then."""


def first_commands(programs: Path, folder: Path) -> tuple[str, str]:
    """Run them in an empty folder, with the programs of an environment that has what they need; what was printed, and
    what was complained. They need bash and curl."""
    (folder / "main.py").write_text(MAIN)
    port = free_port()
    script = COMMANDS.replace("uvicorn main:app &", f"uvicorn main:app --port {port} & echo $! > pid").replace(
        "8000", str(port)
    )
    script = script.replace("--retry 5", "--retry 300 --retry-delay 1")  # however busy the machine is
    if "echo $! > pid" not in script or "--retry-delay 1" not in script:
        raise ValueError("the README's first commands are not the ones that are known here")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GATEPOST_")}
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    with (folder / "out").open("w") as told, (folder / "err").open("w") as errors:
        subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdout=told, stderr=errors, check=False)
    os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
    return (folder / "out").read_text(), (folder / "err").read_text()
