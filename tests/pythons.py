"""Runs the suite's core on every other CPython that this machine has, from 3.11 up.

    pyenv's versions, `python3.x` on the path ──> those that are what they say ──> the newest of each minor version
    ──> .venv/pythons/3.x, from constraints.txt ──> pytest on CORE

What pyproject.toml claims is what ran: in CI a Python that is claimed and not here, one that is here and not claimed,
and fewer than three of them are errors.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

OLDEST = (3, 11)

LEAST_IN_CI = 3
"""The oldest and the newest that users have, and one that is neither."""

CORE = ("pure", "frameworks", "freshness", "keyring", "connections", "simulation", "cli")
"""Folders of tests: what a Python can change. Not what asks whether a test would notice a defect, which it would on
every Python alike."""

COMPILED = "compiled"
"""The folder of what a Python that runs memory hits in C is asked besides."""

LEFT_OUT = (
    "tests/compiled/test_build.py",
    "tests/compiled/test_mutants.py",
    "tests/freshness/test_mutants.py",
    "tests/keyring/test_mutants.py",
    "tests/simulation/test_breaks.py",
)

SIMULATION_RUNS = "1"
"""Of each kind of weather: a third of what the whole suite plays."""

PROGRESS_SECONDS = 60
"""How often a run tells how far it is."""

LOOK_SECONDS = 60
"""Ends an interpreter that hangs."""

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (\d+)\.(\d+)")

_REACHED = re.compile(r"^[.FEsxX]+ +\[ *(\d+%)\]$", re.MULTILINE)

_LOOK = """
import json, sys, sysconfig
import ensurepip, venv
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": sys.version_info[:3],
    "release": sys.version_info[3],
    "has_lock": not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""

Minor = tuple[int, int]


class NotTakenError(Exception):
    """What is at a path is none of the Pythons that are tried. The message says why."""


@dataclass(frozen=True)
class Python:
    """An interpreter. `version`: three numbers."""

    version: tuple[int, int, int]
    path: Path

    @property
    def minor(self) -> Minor:
        """What a classifier names."""
        return self.version[:2]

    @property
    def name(self) -> str:
        """For people."""
        return ".".join(map(str, self.version))


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where a CPython may be: pyenv's versions, then `python3.x` on the path."""
    pyenv = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python"))
    for folder in os.get_exec_path(dict(environment)):
        with suppress(OSError):
            yield from sorted(
                path for path in Path(folder).glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name)
            )


def looked_at(path: Path) -> Python:
    """What is there. Raises `NotTakenError` for what does not run (pyenv's shims of versions that are not chosen, say),
    cannot make an environment, or is not a released CPython of the ordinary build, from 3.11 up."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _LOOK], capture_output=True, text=True, timeout=LOOK_SECONDS, check=False
        )
        said = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise NotTakenError(f"does not run: {failure}") from None
    except ValueError:
        told = (line for line in done.stderr.splitlines() if line.strip() and not line.startswith((" ", "Traceback")))
        raise NotTakenError(f"does not run: {next(told, 'it says nothing')}") from None
    python = Python(tuple(said["version"]), path)
    if said["implementation"] != "cpython":
        raise NotTakenError(f"is {said['implementation']}")
    if python.minor < OLDEST:
        raise NotTakenError(f"is {python.name}")
    if said["release"] != "final":
        raise NotTakenError(f"is {python.name}, not released yet")
    if not said["has_lock"]:
        raise NotTakenError(f"is {python.name}, free-threaded")
    return python


def newest(pythons: Iterable[Python]) -> Mapping[Minor, Python]:
    """One a minor version, oldest first; of two with the same version the first."""
    chosen: dict[Minor, Python] = {}
    for python in pythons:
        if python.minor not in chosen or python.version > chosen[python.minor].version:
            chosen[python.minor] = python
    return dict(sorted(chosen.items()))


def claimed(pyproject: Path) -> set[Minor]:
    """The minor versions that the classifiers name."""
    classifiers = tomllib.loads(pyproject.read_text())["project"]["classifiers"]
    matches = map(_CLASSIFIER.fullmatch, classifiers)
    return {(int(match[1]), int(match[2])) for match in matches if match is not None}


def objections(found: Iterable[Minor], claims: set[Minor]) -> Sequence[str]:
    """Why, in CI, these Pythons do not do."""
    found = set(found)
    missing, unclaimed = sorted(claims - found), sorted(found - claims)
    said = []
    if len(found) < LEAST_IN_CI:
        said.append(f"found {len(found)} minor version(s) of CPython from 3.11 up, not {LEAST_IN_CI} or more")
    if missing:
        said.append(f"pyproject.toml claims {_named(missing)}, not found here: install it, or take the classifier away")
    if unclaimed:
        said.append(f"pyproject.toml does not claim {_named(unclaimed)}, found here: add the classifier")
    return said


def _named(minors: Iterable[Minor]) -> str:
    return ", ".join(f"{major}.{minor}" for major, minor in minors)


def progress(log: str) -> str | None:
    """How far pytest is, by what it printed; `None` = it has not begun."""
    reached = _REACHED.findall(log)
    return reached[-1] if reached else None


class Trial:
    """The core on one Python, in an environment of its own. `log`: what was printed meanwhile. `pure`: memory hits run
    in Python, as where they could not be compiled."""

    def __init__(self, python: Python, folder: Path, *, pure: bool) -> None:
        self.name = python.name
        self._pure = pure
        self.log = folder / f"{_named([python.minor])}.log"
        self._python = python
        self._home = folder / _named([python.minor])
        self._program = self._home / "bin" / "python"
        self._stamp = self._home / "installed"

    async def run(self, arguments: Sequence[str], turn: asyncio.Lock) -> bool:
        """Install what is not there yet, then run the tests, on all processors; answers whether all passed.
        `arguments`: pytest's. `turn`: held while tests run."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        installed = await self._is_installed()
        async with turn:
            began = time.monotonic()
            passed = installed and await self._done(
                *(self._program, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", "--dist=worksteal"),
                *(f"--ignore={each}" for each in LEFT_OUT),
                *(*(f"tests/{folder}" for folder in self._folders), *arguments),
            )
        lines = self.log.read_text(errors="replace").splitlines()
        if not passed:
            print(*lines, sep="\n")
        last = lines[-1] if lines else "nothing was printed"
        print(f"CPython {self.name}: {last} ({time.monotonic() - began:.0f} s)", flush=True)
        return passed

    @property
    def _folders(self) -> Sequence[str]:
        return CORE if self._pure else (*CORE, COMPILED)

    async def _is_installed(self) -> bool:
        """Whether everything is there, now."""
        wanted = f"{self._python.name} {self._python.path}"
        sources = [ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / "build_hit.py"]
        sources += (ROOT / "src" / "gatepost" / "compiled").glob("*.[ch]")
        if self._stamp.exists() and self._stamp.read_text() == wanted:
            made = self._stamp.stat().st_mtime
            if all(made > source.stat().st_mtime for source in sources):
                return True
        print(f"CPython {self.name}: installing what its tests need (a minute or so) …", flush=True)
        pip = (self._program, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
        for command in (
            (self._python.path, "-m", "venv", "--clear", self._home),
            (*pip, "pip>=25.1"),
            (*pip, "-c", "constraints.txt", "-e", ".[all]", "--group", "core"),
        ):
            if not await self._done(*command):
                return False
        self._stamp.write_text(wanted)
        return True

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            reached = progress(self.log.read_text(errors="replace"))
            if reached is not None:
                print(f"CPython {self.name}: {reached}", flush=True)

    async def _done(self, *command: str | Path) -> bool:
        """Run a command to its end; answers whether it went well."""
        environment = {**os.environ, "TEST_SIMULATION_RUNS": SIMULATION_RUNS}
        if self._pure and self._stamp.exists():  # what is installed is compiled all the same
            environment["GATEPOST_PURE"] = "1"
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, cwd=ROOT, env=environment)
            telling = asyncio.create_task(self._tell_progress())
            try:
                return await process.wait() == 0
            finally:
                telling.cancel()
                if process.returncode is None:
                    process.terminate()  # pytest then ends the servers that it started
                    await process.wait()


async def try_all(pythons: Sequence[Python], arguments: Sequence[str]) -> bool:
    """Run the core on each of them, one after the other; answers whether all passed."""
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    assert this is not None
    loop.add_signal_handler(signal.SIGTERM, this.cancel)
    turn = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        folder = ROOT / ".venv" / "pythons"  # every other one is pure, so that all of the core runs both ways
        trials = (Trial(python, folder, pure=at % 2 == 0) for at, python in enumerate(pythons))
        tasks = [group.create_task(trial.run(arguments, turn)) for trial in trials]
    return all(task.result() for task in tasks)


def main(arguments: Sequence[str]) -> int:
    """Find them, say which, try them; answers the exit code. `arguments`: pytest's."""
    this = Python(sys.version_info[:3], Path(sys.executable))
    pythons = [this]
    for path in candidates(os.environ):
        try:
            pythons.append(looked_at(path))
        except NotTakenError as reason:
            print(f"Not taken: {path} {reason}")
    found = {**newest(pythons), this.minor: this}
    others = [python for minor, python in sorted(found.items()) if minor != this.minor]
    print(f"CPython {this.name} ({this.path}) runs the whole suite.")
    if not others:
        print("There is no other CPython from 3.11 up on this machine.")
    for python in others:
        print(f"CPython {python.name} ({python.path}) runs the core: {', '.join(CORE)}.", flush=True)
    said = objections(found, claimed(ROOT / "pyproject.toml"))
    for objection in said:
        print(f"Pythons: {objection}")
    if said and os.environ.get("CI") == "true":
        return 1
    return 0 if asyncio.run(try_all(others, arguments)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
