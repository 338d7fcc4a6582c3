"""A wall clock that can be stepped, for one process: a library in C that the process preloads (Linux, and a compiler).

Nobody but the machine's owner can step the machine's clock. What a process sees of such a step is the same.
"""

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.programs import ProgramMissingError

SOURCE = Path(__file__).with_name("clock.c")


class SteppedClock:
    """The wall clock of the processes that were started with its `environment`."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        file.write_bytes(struct.pack("=q", 0))
        file.chmod(0o644)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for a process whose wall clock this is."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._file)}

    def step(self, seconds: float) -> None:
        """Put the clock that much ahead of the machine's, or behind it."""
        descriptor = os.open(self._file, os.O_WRONLY)  # in place: processes have mapped it
        try:
            os.pwrite(descriptor, struct.pack("=q", int(seconds * 1e9)), 0)
        finally:
            os.close(descriptor)


def compile_clock(folder: Path) -> Path:
    """The library, made in that folder. Raises ProgramMissingError where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not Path("/proc/self").exists():
        raise ProgramMissingError("no C compiler found on this machine, or it is no Linux")
    library = folder / "clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
    library.chmod(0o755)
    return library
