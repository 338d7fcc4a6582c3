"""Files that are written."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gatepost.base import BadInputError


@contextmanager
def written(output: Path | None) -> Iterator[TextIO]:
    """Where an export goes; `None` = standard output. Raises `BadInputError` where it cannot."""
    if output is None:
        yield sys.stdout
        return
    try:
        out = output.open("w", encoding="utf-8", newline="")
    except OSError as failure:
        raise BadInputError(f"--output {output}: {failure.strerror or failure}") from None
    with out:
        yield out
