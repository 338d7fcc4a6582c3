"""Server programs on this machine: where they are, and which is the newest."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# Debian keeps these off an ordinary user's PATH.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/usr/lib/postgresql/*/bin")


class ProgramMissingError(Exception):
    """No program of that name is on this machine, or none that runs."""


@dataclass(frozen=True, order=True)
class Program:
    """A server's executable. The order is that of the versions."""

    version: tuple[int, ...]
    path: Path


def newest(names: Iterable[str], version: re.Pattern[str], bundled: Iterable[Path] = ()) -> Program:
    """The newest of the `bundled` programs and those called one of `names` on the machine.

    `version` finds the version, as its group 1, in what the program prints for `--version`; a program that does not
    run, or prints something else, does not count. Raises ProgramMissingError.
    """
    names = tuple(names)
    found: set[Program] = set()
    for path in (*bundled, *on_this_machine(names)):
        match = version.search(_printed_version(path))
        if match:
            found.add(Program(tuple(map(int, match[1].split("."))), path.resolve()))
    if not found:
        raise ProgramMissingError(f"no {' or '.join(names)} found on this machine")
    return max(found)


def on_this_machine(names: Iterable[str]) -> Iterator[Path]:
    """The executables called one of `names` on PATH and in the system's folders, PATH first."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    for pattern in SYSTEM_FOLDERS:
        folders += Path("/").glob(pattern.removeprefix("/"))
    for name in names:
        for folder in folders:
            if os.access(folder / name, os.X_OK) and (folder / name).is_file():
                yield folder / name


def first_on_this_machine(name: str, package: str) -> Path:
    """The first of that name. Raises ProgramMissingError, which tells of Debian's `package`."""
    for path in on_this_machine([name]):
        return path
    raise ProgramMissingError(f"no {name} found on this machine: apt install {package}")


def wheel_folder(package: str) -> Path | None:
    """Where a wheel's package is installed, found without importing it; None if it is not."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _printed_version(path: Path) -> str:
    try:
        return subprocess.run([path, "--version"], capture_output=True, text=True, timeout=120, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
