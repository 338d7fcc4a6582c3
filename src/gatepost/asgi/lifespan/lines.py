"""Where in an app's source a middleware was put into a list: who makes it, as the app starts, does not know."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

NAME = "APIKeyMiddleware"

LINES_MAX = 8
"""Most lines that tell somebody something."""


def lines_of_lists() -> str:
    """The lines, in the modules below the current folder, that hand the middleware's class to something else, as
    `app.add_middleware(APIKeyMiddleware, ...)` does: `main.py:8 or main.py:9`; empty = none is found, or too many. Read
    for a message alone."""
    found: list[str] = []
    here = os.getcwd() + os.sep  # noqa: PTH109 - as modules have it, links and all
    loaded = {
        name: vars(module).get("__file__") for name, module in [*sys.modules.items()] if hasattr(module, "__dict__")
    }
    for file in sorted({str(file) for name, file in loaded.items() if not name.startswith("gatepost.")}):
        if file.startswith(here) and file.endswith(".py") and "site-packages" not in file:
            found += dict.fromkeys(f"{file}:{line}" for line in _lines_in(Path(file)))
    return " or ".join(found) if len(found) <= LINES_MAX else ""


def _lines_in(file: Path) -> Iterator[int]:
    try:
        text = file.read_text("utf-8")
        tree = ast.parse(text) if NAME in text else None
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and any(_is_named(each) for each in node.args[:1]):
            yield node.lineno


def _is_named(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == NAME) or (isinstance(node, ast.Attribute) and node.attr == NAME)
