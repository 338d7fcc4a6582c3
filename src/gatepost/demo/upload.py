"""A file on its way in, written piece by piece to a scratch file that becomes the real one in a single step."""

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from gatepost.demo.errors import TooLargeError


class Upload:
    """A context manager: whatever was not moved into place when it ends is removed.

    `path`: where the file shall be. `scratch`: a folder on the same file system as that. `max_bytes`: most that may
    come. `replace`: a file that is there gives way. `airbox`: the id of the airbox that it came through, or `None`.
    """

    def __init__(
        self, path: str, scratch: Path, max_bytes: int, *, replace: bool = False, airbox: str | None = None
    ) -> None:
        self.path = path
        self.replace = replace
        self.airbox = airbox
        self.size_bytes = 0
        self._max_bytes = max_bytes
        descriptor, name = tempfile.mkstemp(dir=scratch)
        self._file = os.fdopen(descriptor, "wb")
        self._place = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._place.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Add to the file. Raises `TooLargeError` before it would hold more than `max_bytes`."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._max_bytes:
            raise TooLargeError(f"A file has at most {self._max_bytes} bytes here.")
        self._file.write(chunk)

    def move_to(self, target: Path) -> None:
        """Make it the file at `target`, in one step, replacing what is there."""
        self._file.close()
        self._place.replace(target)
