"""The temporary folder of one server: its data, its socket and its log."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

# A unix socket's path holds 103 bytes on macOS and 107 on Linux; this leaves room for the names below the base.
LONGEST_BASE = 60


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A new folder that only this user can enter, removed with all that is in it at the end."""
    with TemporaryDirectory(prefix=f"gatepost-{name}-", dir=_base()) as folder:
        yield Path(folder).resolve()


def _base() -> Path:
    bases = [Path(gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")]
    return next(
        (base for base in bases if len(os.fsencode(base)) <= LONGEST_BASE and _others_can_enter(base)), bases[0]
    )


def _others_can_enter(base: Path) -> bool:
    """Whether a server that root starts as another user gets there (Debian's pam_tmpdir gives root a closed one)."""
    return os.geteuid() != 0 or all(folder.stat().st_mode & stat.S_IXOTH for folder in (base, *base.parents))
