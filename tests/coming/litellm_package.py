"""LiteLLM, beside this environment: installed once into a folder of its own, without what it asks for.

Its proxy asks for some 120 packages (the AWS and Azure clients, Polars, …), with versions that others here cannot have.
Making a key takes seven that are not here in any case. Its own database client, Prisma's, is a program that is fetched
from neither PyPI nor npm: what it would do is done by `litellm_keys`.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

from tests.readme import ROOT

PACKAGES = (
    "litellm",
    "litellm-proxy-extras",
    "backoff",
    "expression",
    "fastuuid",
    "importlib-metadata",
    "openai",
    "tiktoken",
)


def install() -> Path:
    """The folder that has it; what is there already is taken."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    home = ROOT / ".venv" / f"litellm-{pinned['litellm']}"
    if not home.exists():
        begun = home.with_name(f"{home.name}-{token_hex(4)}")
        wanted = [f"{package}=={pinned[package]}" for package in PACKAGES]
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps")
        done = subprocess.run(
            [*pip, "--no-compile", "--target", begun, *wanted], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        try:
            begun.rename(home)
        except OSError:  # another run was first
            shutil.rmtree(begun)
    return home


def migrations(home: Path) -> list[str]:
    """The SQL that makes its tables, in order."""
    files = sorted((home / "litellm_proxy_extras" / "migrations").glob("*/migration.sql"))
    return [file.read_text() for file in files]
