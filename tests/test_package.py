"""The package as a whole: what importing it loads, what it exports, how its layers lie."""

import subprocess
import sys
from importlib.metadata import version

import gatepost


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in `sys.modules` after `statement` in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_gatepost_loads_no_database_no_redis_and_no_command_line_library() -> None:
    loaded = loaded_by("import gatepost; from gatepost import *; gatepost.APIKeys(redis='redis://localhost')")
    assert "starlette" in loaded
    assert not loaded & {
        "sqlalchemy",
        "alembic",
        "redis",
        "aiosqlite",
        "asyncpg",
        "asyncmy",
        "typer",
        "rich",
        "uvicorn",
    }


def test_opening_keys_on_sqlite_loads_no_redis() -> None:
    loaded = loaded_by(
        "import asyncio, tempfile; from gatepost import APIKeys\n"
        "async def main():\n"
        "    async with APIKeys('sqlite://') as keys: await keys.create('x')\n"
        "asyncio.run(main())"
    )
    assert "sqlalchemy" in loaded
    assert "redis" not in loaded


def test_the_version_is_the_one_installed() -> None:
    assert gatepost.__version__ == version("gatepost")
