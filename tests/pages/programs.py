"""What pages tell people to type: which programs, and whether what is typed means something."""

import ast
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from typer.main import get_command

from gatepost.cli.app import app
from gatepost.keys.parts import variables
from tests.pages.shell import Command
from tests.readme import ROOT

OWN = frozenset({"SECRET", "ADMIN"})
"""Variables that are for lines below of the same page."""


def check(command: Command) -> None:
    """Raise where the command would fail before it did anything: by its options, names, files."""
    _known(command.variables)
    if command.words:
        program, *arguments = command.words
        if program not in PROGRAMS:
            raise ValueError(f"{program!r} is no program that pages use: {', '.join(PROGRAMS)}")
        PROGRAMS[program](arguments)


def parse(arguments: Sequence[str]) -> None:
    """Have the command's own parser take a line, and run nothing. Raises as it does."""
    command: Any = get_command(app)
    name, given, context = "gatepost", list(arguments), None
    while True:
        context = command.make_context(name, given, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        given = [*context._protected_args, *context.args]  # as its `invoke` does
        if not given:
            return  # a group, which does something by itself, or shows its help
        name, command, given = command.resolve_command(context, given)


def _known(given: Sequence[str]) -> None:
    for each in given:
        name, _, text = each.partition("=")
        if name not in OWN:
            assert name.startswith(variables.PREFIX), name
            variables.read({name: text})  # which raises for a name that nobody reads


@cache
def _project() -> Mapping[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pip(arguments: Sequence[str]) -> None:
    """What is installed is gatepost with extras that it has, or something that its own tests have installed."""
    verb, *wanted = arguments
    assert verb == "install"
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text().lower(), re.MULTILINE))
    for each in wanted:
        name, _, extras = each.rstrip("]").partition("[")
        assert name in {"gatepost", *pinned}, name
        if extras:
            assert set(extras.split(",")) <= set(_project()["project"]["optional-dependencies"]), each


def _make(arguments: Sequence[str]) -> None:
    """The Makefile has the target."""
    target, *rest = arguments
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert all(re.match(r"[A-Z]+=", each) for each in rest), rest


def _export(arguments: Sequence[str]) -> None:
    _known(arguments)


def _cd(arguments: Sequence[str]) -> None:
    (folder,) = arguments
    assert (ROOT / folder).is_dir(), folder


def _python(arguments: Sequence[str]) -> None:
    """What `-c` is given is Python."""
    option, code = arguments
    assert option == "-c"
    ast.parse(code)


def _uvicorn(arguments: Sequence[str]) -> None:
    """An app, as MODULE:NAME."""
    assert re.fullmatch(r"[\w.]+:\w+", arguments[0]), arguments


def _docker(arguments: Sequence[str]) -> None:
    """Compose's words, and in the container a line of `gatepost`."""
    compose, verb, *rest = arguments
    assert compose == "compose"
    if verb == "exec":
        service, program, *given = rest
        assert service == "app"
        check(Command(" ".join(arguments), [program, *given]))
    else:
        assert (verb, rest) == ("up", ["--build"])


def _any(_: Sequence[str]) -> None:
    """It is not gatepost's."""


PROGRAMS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "gatepost": parse,
    "pip": _pip,
    "make": _make,
    "export": _export,
    "cd": _cd,
    "python": _python,
    "uvicorn": _uvicorn,
    "hypercorn": _uvicorn,
    "docker": _docker,  # what compose.yaml says is run in tests/examples/test_deploying.py
    "curl": _any,  # the README's and the tutorial's first are run in tests/test_pages.py
    "openssl": _any,  # makes a random text
    "echo": _any,  # writes it into a file
}
"""All programs that pages may tell people to type, and what is looked at of each."""
