"""What the environment says of the keys: one variable for each argument of `APIKeys`, and where the app is.

The library reads it when asked (`APIKeys.from_env`), the command always: `GATEPOST_DATABASE`, `GATEPOST_REDIS`,
`GATEPOST_MAX_STALENESS`, … (docs/settings.md). A variable that is empty counts as not set.
"""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from gatepost.base import BadInputError, line_of
from gatepost.rules import Catalogue

PREFIX = "GATEPOST_"

APP = "GATEPOST_APP"
"""Where the command finds the app, `MODULE:NAME`."""

CATALOGUE = "GATEPOST_CATALOGUE"

SERVER_KEYS = "GATEPOST_SERVER_KEYS"
"""The server keys. Never an argument of a command: those are seen by everybody on the machine."""

ENVIRONMENT = "GATEPOST_ENVIRONMENT"
"""What new keys are for, and of which environment the process is."""

VAULT_KEYS = "GATEPOST_VAULT_KEYS"
"""The keys of the vault, never an argument for the same reason."""

_OTHERS = {APP, "GATEPOST_AUDIT_TOKEN", "GATEPOST_PURE"}
_OF_KUBERNETES = re.compile(r"GATEPOST_(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)")
"""What Kubernetes sets in every container where there is a service called gatepost."""

_MEANT = {"URL": "DATABASE", "DB": "DATABASE", "DB_URL": "DATABASE", "DSN": "DATABASE", "ENV": "ENVIRONMENT"}
"""What others call it, behind `GATEPOST_`."""

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `APIKeys` that the environment gives. Raises `BadInputError`, without the text of anything that
    may be secret, also for a variable that begins with `GATEPOST_` and is none, with the nearest name."""
    check_names(environment)
    return {
        argument_of(name): parse(name, environment[name]) for name, parse in _PARSERS.items() if environment.get(name)
    }


def read_beside(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """As `read`, without the variables of `arguments`, which are given: what those hold need not be right."""
    given = set(map(variable_of, arguments))
    return read({name: value for name, value in environment.items() if name not in given})


def said(environment: Mapping[str, str], but_for: Collection[str]) -> frozenset[str]:
    """Which arguments of `APIKeys` have a variable in the environment that is not empty, but for those."""
    return frozenset(argument_of(name) for name in VARIABLES if environment.get(name)) - frozenset(but_for)


@contextmanager
def named(said: Collection[str]) -> Iterator[None]:
    """Put a variable's name in front of what a `BadInputError` within says of the argument that it gave, one of `said`:
    that which the error is about, or else the one that its message names first."""
    try:
        yield
    except BadInputError as wrong:
        about = [wrong.field] if wrong.field is not None else re.findall(r"\w+", str(wrong))
        name = next((each for each in about if each in said), None)
        if name is not None:
            wrong.args = (f"{variable_of(name)}: {wrong}",)
        raise


def check_names(environment: Mapping[str, str]) -> None:
    """Raise `BadInputError` for a variable that begins with `GATEPOST_` and that nobody reads: one with a letter wrong
    would leave the default in force, say a file in the current folder."""
    known = _PARSERS.keys() | _OTHERS
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not _OF_KUBERNETES.fullmatch(name):
            from difflib import get_close_matches  # noqa: PLC0415 - only for who made a mistake

            begun = name.removeprefix(PREFIX)
            near = get_close_matches(_MEANT.get(begun, begun), [each.removeprefix(PREFIX) for each in known], 1)
            told = f"Did you mean {PREFIX}{near[0]}?" if near else f"There are: {', '.join(sorted(known))}"
            raise BadInputError(f"The environment variable {name} means nothing to gatepost. {told}")


def argument_of(name: str) -> str:
    """`GATEPOST_MAX_STALENESS`: `max_staleness`."""
    return name.removeprefix(PREFIX).lower()


def variable_of(argument: str) -> str:
    """`max_staleness`: `GATEPOST_MAX_STALENESS`."""
    return f"{PREFIX}{argument.upper()}"


def server_keys(environment: Mapping[str, str]) -> list[bytes] | None:
    """The server keys of the environment, `None` without any. Raises `BadInputError`, without their text."""
    given = environment.get(SERVER_KEYS, "")
    return _hexadecimal(SERVER_KEYS, given) if given.strip() else None


def vault_keys(environment: Mapping[str, str]) -> list[str] | None:
    """The keys of the vault, `None` without any. Whether they are any is for the vault to say."""
    given = environment.get(VAULT_KEYS, "")
    return _texts(VAULT_KEYS, given) if given.strip() else None


def load(given: str, name: str, example: str) -> Any:
    """What `MODULE:NAME` names, looked for in the current folder too; `NAME()` is called. `name`: where the text comes
    from. Raises `BadInputError`, whatever the module raises."""
    module_name, _, path = given.partition(":")
    if not module_name or not path:
        raise BadInputError(f"{name} {given!r} must be MODULE:NAME, such as {example}")
    if (folder := os.getcwd()) not in sys.path:  # noqa: PTH109 - pathlib is not needed for anything else
        sys.path.insert(0, folder)
    try:
        found: Any = import_module(module_name)
        for part in path.removesuffix("()").split("."):
            found = getattr(found, part)
        return found() if path.endswith("()") else found
    except Exception as failure:  # importing the user's module may raise anything
        raise BadInputError(f"{name} {given!r}: {line_of(failure)}") from failure


def load_catalogue(given: str, name: str = CATALOGUE) -> type[Catalogue]:
    """The class that `MODULE:CLASS` names. Raises `BadInputError`."""
    found = load(given, name, "myapp.permissions:Notes")
    if not (isinstance(found, type) and issubclass(found, Catalogue)):
        raise BadInputError(f"{name} {given!r} is not a subclass of gatepost.Catalogue")
    return found


def _hexadecimal(name: str, given: str) -> list[bytes]:
    keys = []
    for number, text in enumerate(given.split(","), 1):
        try:
            keys.append(bytes.fromhex(text))
        except ValueError:
            raise BadInputError(
                f"{name}: entry {number} is not hexadecimal. Make one with: openssl rand -hex 32"
            ) from None
    return keys


def _texts(_name: str, given: str) -> list[str]:
    return [text.strip() for text in given.split(",")]


def _text(_name: str, given: str) -> str:
    return given


def _catalogue(name: str, given: str) -> type[Catalogue]:
    return load_catalogue(given, name)


def _seconds(name: str, given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise BadInputError(f"{name} must be a number of seconds, not {given!r:.50}") from None


def _whole(name: str, given: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise BadInputError(f"{name} must be a whole number, not {given!r:.50}") from None


def _flag(name: str, given: str) -> bool:
    if given.lower() not in _TRUE | _FALSE:
        raise BadInputError(f"{name} must be true or false, not {given!r:.50}")
    return given.lower() in _TRUE


_PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "GATEPOST_DATABASE": _text,
    "GATEPOST_REDIS": _text,
    CATALOGUE: _catalogue,
    "GATEPOST_PREFIX": _text,
    SERVER_KEYS: _hexadecimal,
    VAULT_KEYS: _texts,
    "GATEPOST_FOREIGN_SECRETS": _flag,
    "GATEPOST_MAX_STALENESS": _seconds,
    "GATEPOST_POLL_INTERVAL": _seconds,
    "GATEPOST_MEMORY_ENTRIES": _whole,
    "GATEPOST_MEMORY_TTL": _seconds,
    "GATEPOST_REDIS_TTL": _seconds,
    "GATEPOST_ABSENT_TTL": _seconds,
    "GATEPOST_READ_TIMEOUT": _seconds,
    "GATEPOST_REDIS_TIMEOUT": _seconds,
    "GATEPOST_MAX_GRACE": _seconds,
    "GATEPOST_USAGE": _flag,
    ENVIRONMENT: _text,
}

VARIABLES: Sequence[str] = tuple(_PARSERS)
"""The variables that `APIKeys.from_env` reads."""
