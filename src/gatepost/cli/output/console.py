"""How answers look: for people at a terminal, for pipes, for programs.

A terminal gets Rich's tables, cut to its width. A pipe gets the same values in full, a line each, with tabs between.
"""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console, OverflowMethod
from rich.table import Table
from rich.text import Text

STATUS = "status"
"""Name of the column and of the line whose word is coloured."""

_STATUS_STYLES = {
    "active": "green",
    "activated": "green",
    "deactivated": "yellow",
    "expiring": "yellow",
    "expired": "yellow",
    "ended": "yellow",
    "deleted": "red",
    "unknown": "red",
}


def is_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return sys.stdout.isatty()


def print_json(value: Any) -> None:
    """One JSON object on stdout, with times in ISO 8601 and UTC; indented at a terminal only."""
    options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if is_terminal() else 0)
    sys.stdout.write(orjson.dumps(value, option=options).decode())


def print_line(text: str, style: str = "") -> None:
    """One line on stdout, wrapped by nobody but the terminal, so that it can be copied."""
    _console().print(Text(text, style), soft_wrap=True)


def print_note(text: str) -> None:
    """One line on stderr: for people, not part of the answer."""
    sys.stderr.write(text + "\n")


def print_rows(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, cut: Sequence[str] = (), fold: Sequence[str] = ()
) -> None:
    """A table; in a pipe without its heads. Where the terminal is narrow, columns of `cut` are shortened, and those of
    `fold` go on in further lines."""
    if not is_terminal():
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(
            head.upper(), no_wrap=head not in (*cut, *fold), overflow="fold" if head in fold else "ellipsis"
        )
    for row in rows:
        table.add_row(
            *(_cell(head, text, None if head in fold else "ellipsis") for head, text in zip(heads, row, strict=True))
        )
    _console().print(table)


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Names with their values, a line each."""
    if not is_terminal():
        for name, value in pairs:
            sys.stdout.write(f"{name}\t{value}\n")
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, _cell(name, value, None))
    _console().print(grid)


def _cell(name: str, text: str, overflow: OverflowMethod | None) -> Text:
    """`overflow`: how to keep to one line; `None` = several are fine. A `Text`, so that `[red]` in it means nothing."""
    style = _STATUS_STYLES.get(text, "") if name == STATUS else ""
    return Text(text, style, overflow=overflow, no_wrap=overflow is not None)


def _console() -> Console:
    """Made for each use: stdout may have been replaced in between, as tests do."""
    return Console(highlight=False, markup=False, emoji=False)
