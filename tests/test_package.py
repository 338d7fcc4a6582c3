"""The package as a whole: what importing it loads, what it exports, how its layers lie."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import gatepost

ROOT = Path(__file__).parents[1]


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in `sys.modules` after `statement` in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_it_makes_nothing_that_only_a_few_need() -> None:
    """Its values take as long to make as the middleware: `Status` is there for whoever names it."""
    code = "import gatepost, sys; print('gatepost.health' in sys.modules, gatepost.Status.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "gatepost.health.health"]


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
        "jinja2",
        "itsdangerous",
        "msgspec",
        "cryptography",
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


def test_the_wheel_holds_the_migrations_and_makes_tables_from_them(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("gatepost-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert "gatepost/py.typed" in names
    assert "gatepost/database/schema/migrations/env.py" in names
    assert "gatepost/database/schema/migrations/versions/0001_first.py" in names
    for name in ("templates/list.html", "static/page.js", "static/page.css", "static/logo.svg"):
        assert f"gatepost/admin/page/{name}" in names
    assert not any("tests" in name for name in names)
    code = (
        "import asyncio, gatepost\n"
        "async def main():\n"
        f"    async with gatepost.APIKeys('sqlite:///{tmp_path}/keys.db') as keys:\n"
        "        print((await keys.create('from the wheel')).key.description, gatepost.__file__)\n"
        "asyncio.run(main())"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("from the wheel")
    assert str(tmp_path / "site") in done.stdout
