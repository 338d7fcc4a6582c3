"""Lines as people type them: taken apart into the single commands, as a shell does, without running any."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.pages.reading import Block

SIGNS = frozenset("|&;")
ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """`words`: the program and its arguments; empty where a line only sets variables, which are in `variables`."""

    line: str
    words: Sequence[str]
    variables: Sequence[str] = field(default=())


def typed(block: Block) -> Iterator[str]:
    """The lines that are typed: of a `console` those after a `$`, which all are, with what they go on in. Raises
    `ValueError` for any other line there."""
    whole = re.sub(r"\\\n\s*", "", block.text)
    for line in whole.splitlines():
        if block.language == "console" and not line.startswith("$ "):
            raise ValueError(f"{block}: {line!r} is no line that is typed: begin it with '$ '")
        if line.strip():
            yield line.removeprefix("$ ") if block.language == "console" else line


def commands(line: str) -> Iterator[Command]:
    """Each command of a line, those in `$(…)` first. Raises `ValueError` for what a shell would not take."""
    outside, inside = _substituted(line)
    for each in inside:
        yield from commands(each)
    lexer = shlex.shlex(outside, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= SIGNS:
            if words:
                yield _command(line, words)
            words = []
        else:
            words.append(word)


def _command(line: str, words: Sequence[str]) -> Command:
    """Without what stands before and after the command itself: variables, and files to read and write."""
    kept: list[str] = []
    variables: list[str] = []
    rest = iter(words)
    for word in rest:
        if set(word) <= set("<>"):
            next(rest)  # the file
        elif not kept and ASSIGNED.fullmatch(word):
            variables.append(word)
        else:
            kept.append(word)
    return Command(line, kept, variables)


def _substituted(line: str) -> tuple[str, Sequence[str]]:
    """The line with a word for each `$(…)`, and what stands in those."""
    outside, inside, start = "", [], 0
    while (begin := line.find("$(", start)) >= 0:
        depth, end = 1, begin + 2
        quote = ""
        while depth:
            if end == len(line):
                raise ValueError(f"nothing closes the $( in {line!r}")
            character = line[end]
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            else:
                depth += {"(": 1, ")": -1}.get(character, 0)
            end += 1
        outside += line[start:begin] + "substituted"
        inside.append(line[begin + 2 : end - 1])
        start = end
    return outside + line[start:], inside
