"""Builds the wheel and the sdist, and meets them as a user does: in a clean environment of each Python found.

source ──> dist/*.whl, dist/*.tar.gz ──> what must be in them ──> a wheel of the sdist: the same files
                                     ──> Python 3.x: a new environment, the README's first commands
                                         the sdist compiled, in the wheel's place: memory hits run in C

The wheel is for every Python and system, so nothing is compiled in it (docs/decisions/0042).
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.pythons import NotTakenError, Python, candidates, looked_at, newest
from tests.readme import INSTALL, ROOT, first_commands

IN_THE_WHEEL = (
    "gatepost/py.typed",
    "gatepost/database/schema/migrations/env.py",
    "gatepost/database/schema/migrations/versions/0001_first.py",
    "gatepost/admin/page/templates/list.html",
    "gatepost/admin/page/static/page.js",
    "gatepost/admin/page/static/page.css",
    "gatepost/admin/page/static/logo.svg",
)

IN_THE_SDIST = (
    "build_hit.py",
    "src/gatepost/__init__.py",
    "src/gatepost/compiled/hit.c",
    "src/gatepost/compiled/hit.h",
    "tests/release.py",
    "docs/architecture.md",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
)


class ReleaseError(Exception):
    """What was built must not go out. The message says why."""


def build(source: Path, target: Path) -> tuple[Path, Path]:
    """Wheel, for every Python, and sdist of a source, by hatchling."""
    run(sys.executable, "-m", "hatchling", "build", "-d", str(target), folder=source, GATEPOST_PURE="1")
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, sdist


def run(*command: str, folder: Path, **environment: str) -> str:
    """Run to its end; what it printed. Raises `ReleaseError` with what it said."""
    environment = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def missing(wheel: Path, sdist: Path) -> Iterator[str]:
    """Sentences about what is not in them and must be, or is and must not."""
    if not wheel.name.endswith("-py3-none-any.whl"):
        yield f"{wheel.name} is not for every Python and system"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    yield from (f"the wheel lacks {name}" for name in IN_THE_WHEEL if name not in names)
    beside = sorted(name for name in names if not name.startswith(("gatepost/", "gatepost-")))
    yield from (f"the wheel has {name}, which is none of its own" for name in beside)
    with tarfile.open(sdist) as archive:
        told = {name.partition("/")[2] for name in archive.getnames()}
    yield from (f"the sdist lacks {name}" for name in IN_THE_SDIST if name not in told)


def same_wheel(wheel: Path, sdist: Path, folder: Path) -> bool:
    """Whether a wheel made of the sdist has the same files."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    other, _ = build(source, folder / "built")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(other) as two:
        return sorted(one.namelist()) == sorted(two.namelist())


def tried(python: Python, wheel: Path, sdist: Path, folder: Path) -> str:
    """What the README's first commands print in a clean environment that has the wheel and what the README says to
    install beside it; then also with the sdist in its place, compiled. Raises `ReleaseError`."""
    home = folder / "environment"
    run(str(python.path), "-m", "venv", str(home), folder=folder)
    _, _, what, *others = INSTALL.split()  # pip install 'gatepost[cli]' …
    wanted = f"{wheel}{what.strip(chr(39)).removeprefix('gatepost')}"
    pip = (str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "-c", str(ROOT / "constraints.txt"), wanted, *others, folder=folder)
    for name, compiled in (("wheel", "False"), ("sdist", "True")):
        if name == "sdist":
            run(*pip, "--no-deps", "--force-reinstall", str(sdist), folder=folder, GATEPOST_PURE="")
        look = "from gatepost.compiled import is_built; print(is_built())"
        if run(str(home / "bin" / "python"), "-c", look, folder=folder, GATEPOST_PURE="").strip() != compiled:
            raise ReleaseError(f"CPython {python.name}: of the {name} memory hits are compiled: not {compiled}")
        (folder / name).mkdir()
        out, err = first_commands(home / "bin", folder / name)
        if not out.endswith('["sunset.jpg"]'):
            raise ReleaseError(f"CPython {python.name}, {name}: the README's first commands printed {out!r}\n{err}")
    return out


def pythons(environment: dict[str, str]) -> Sequence[Python]:
    """Those of this machine, oldest first."""
    found = [Python(sys.version_info[:3], Path(sys.executable))]
    for path in candidates(environment):
        try:
            found.append(looked_at(path))
        except NotTakenError:
            continue
    return list(newest(found).values())


def check(wheel: Path, sdist: Path) -> None:
    """Raises `ReleaseError` where they are not what they must be."""
    wrong = [*missing(wheel, sdist)]
    with tempfile.TemporaryDirectory(prefix="gatepost-release-") as folder:
        if not same_wheel(wheel, sdist, Path(folder)):
            wrong.append("a wheel made of the sdist has other files")
    if wrong:
        raise ReleaseError("\n".join(wrong))


def main() -> int:
    """Build into `dist/`, check, try; answers the exit code."""
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    try:
        wheel, sdist = build(ROOT, target)
        print(f"Built {wheel.relative_to(ROOT)} and {sdist.relative_to(ROOT)}", flush=True)
        check(wheel, sdist)
        for python in pythons(dict(os.environ)):
            with tempfile.TemporaryDirectory(prefix="gatepost-release-") as folder:
                tried(python, wheel, sdist, Path(folder))
            print(
                f"CPython {python.name}: in a clean environment the README's first app answers, both ways", flush=True
            )
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
