"""Files that are read, by what the shell was given."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gatepost.base import BadInputError


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """The lines of a file; of standard input for `-`. Raises `BadInputError` where there is none that can be read."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield lines
    except OSError as failure:
        raise BadInputError(f"{file}: {failure.strerror or failure}") from None


def file_name(file: str) -> str:
    """What a message calls it."""
    return "standard input" if file == "-" else file
