"""Where figures come from: command, commit, machine, versions."""

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyperf  # type: ignore[import-untyped]
from tests.servers.postgres import postgres_program
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import redis_program

from benchmarks.cores import CORES
from benchmarks.measured import Origin

ROOT = Path(__file__).parents[1]

PACKAGES = (
    *("starlette", "fastapi", "litestar", "django", "djangorestframework", "djangorestframework-api-key"),
    *("keyshield", "fastapi-keygate", "redis", "hiredis", "sqlalchemy", "asyncpg", "aiosqlite", "orjson"),
    *("uvicorn", "granian", "uvloop", "httptools", "websockets"),
)
"""Whose versions matter for a figure."""


def origin(command: str, began: datetime, *, quick: bool) -> Origin:
    """Of what was measured from `began` until now."""
    return Origin(
        command=command,
        commit=commit(),
        began=began.isoformat(timespec="seconds"),
        seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
        quick=quick,
        cpus=len(CORES) or os.cpu_count() or 1,
        cpu=pyperf.Run([1.0], collect_metadata=True).get_metadata().get("cpu_model_name", "unknown"),
        system=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=dict(versions()),
    )


@cache
def commit() -> str:
    """Of the tree that is measured; `-dirty` where something in it is not committed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


@cache
def versions() -> Mapping[str, str]:
    """Of packages and of the servers on this machine, those that there are."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    for name, program in (("PostgreSQL", postgres_program), ("Redis", redis_program)):
        with suppress(ProgramMissingError):
            found[name] = ".".join(map(str, program().version))
    return found
