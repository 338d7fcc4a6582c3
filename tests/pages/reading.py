"""The pages that users read, and each block of code in them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.readme import ROOT

NOT_PAGES = ("docs/decisions/",)
"""What was decided, and why: told as of that day, in words of that day."""

FENCE = re.compile(r"(?P<indent>\s*)(?P<marks>`{3,}|~{3,})\s*(?P<language>[^`]*)")


@dataclass(frozen=True)
class Block:
    """Of a page. `language`: as the fence has it, `""` where it has none. `line`: that of the fence."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> Sequence[str]:
    """All of them, by their paths."""
    found = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"]
    found += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if not page.startswith(NOT_PAGES)]


def read(page: str) -> Sequence[Block]:
    """The blocks of a page."""
    return list(blocks_in((ROOT / page).read_text(), page))


def blocks_in(text: str, page: str) -> Iterator[Block]:
    """Fenced blocks, those in lists included. Raises `ValueError` for a fence that nothing ends."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        begun = FENCE.fullmatch(line)
        if begun is None:
            continue
        inside: list[str] = []
        for _, each in lines:
            if each.strip() == begun["marks"]:
                break
            inside.append(each.removeprefix(begun["indent"]))
        else:
            raise ValueError(f"{page}:{number}: nothing ends this block")
        yield Block(page, number, begun["language"].strip(), "\n".join([*inside, ""]))


ALL = tuple(block for page in pages() for block in read(page))
"""Every block of every page."""


def of(*languages: str, page: str | None = None) -> Sequence[Block]:
    """Those in these languages, of that page or of all."""
    return [block for block in ALL if block.language in languages and page in (None, block.page)]
