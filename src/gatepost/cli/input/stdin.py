"""What a command reads from standard input: answers, a secret, ids."""

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from typer import confirm, prompt

from gatepost.base import SECRET_MAX, BadInputError


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends what is read here at once: the handler of asyncio would wait until it has been read."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def confirmed(question: str) -> bool:
    """Ask, at a terminal."""
    with interruptible():
        return confirm(question, err=True)


def read_secret() -> bytes:
    """A secret that is typed unseen at a terminal, or that a pipe holds on one line. Raises `BadInputError`."""
    with interruptible():
        if sys.stdin.isatty():
            text: str = prompt("Secret", hide_input=True, err=True)
            return text.encode(errors="surrogateescape")
        given = sys.stdin.buffer.read(SECRET_MAX + 3)  # with a line's end, one more than the longest
    lines = given.splitlines()
    if len(lines) != 1 or not 0 < len(lines[0]) <= SECRET_MAX:
        raise BadInputError(f"Standard input must hold one line: a secret, of at most {SECRET_MAX} bytes")
    return lines[0]


def ids_of(given: Sequence[str], lines: Iterable[str]) -> list[str]:
    """The ids, with those of `lines` in place of a `-`: the first column of every line.

    A line's first tab ends it, so that what `gatepost keys list` prints can be piped in.
    """
    ids: list[str] = []
    for text in given:
        if text == "-":
            with interruptible():
                for line in lines:
                    ids.extend(line.partition("\t")[0].split())
        else:
            ids.append(text)
    return ids
