"""Options of a URL's query, checked: texts become numbers, names and files. Each message names the option."""

import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from sqlalchemy import URL

from gatepost.base import BadInputError

PERCENT = (
    "In a user name or password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for % "
    "(python -c \"import urllib.parse; print(urllib.parse.quote(input(), safe=''))\" does it)"
)
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def single(url: URL, known: Iterable[str], *, several: Iterable[str] = ()) -> dict[str, str]:
    """The options by name, each once and known. Raises `BadInputError`."""
    for name, value in url.query.items():
        if name not in known:
            raise BadInputError(unknown(url, name, known))
        if not isinstance(value, str) and name not in several:
            raise BadInputError(f"database: the URL names {name} more than once")
    return {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}


def unknown(url: URL, name: str, known: Iterable[str]) -> str:
    """What is no option is perhaps a piece of a password, and is not repeated then."""
    if any("@" in text for value in url.query.values() for text in as_list(value)) or "@" in name:
        return f"database: the URL has an option that is none. {PERCENT}"
    near = get_close_matches(name.lower().replace("-", "_"), known, 1, 0.7)
    told = [f"database: {name!r:.60} is no option of a URL for {url.get_backend_name()}"]
    if near:
        told.append(f"did you mean {near[0]}?")
    elif "options" in known:
        told.append("a setting of the server is written options=-cNAME%3DVALUE")
    return "; ".join(told)


def number(name: str, text: str, kind: type[int] | type[float], *, above: float | None = None) -> int | float:
    whole = "a whole number" if kind is int else "a number"
    try:
        number = kind(text)
    except ValueError:
        raise BadInputError(f"database: {name} must be {whole}") from None
    if not abs(number) < 1e9 or (above is not None and number <= above):  # noqa: PLR2004 - neither infinity nor NaN
        raise BadInputError(f"database: {name} must be {whole}{'' if above is None else f' above {above:g}'}")
    return number


def one_of(name: str, value: str, allowed: Iterable[str], told: str) -> str:
    if value not in allowed:
        raise BadInputError(f"database: {name} must be {told}")
    return value


def check_files(options: Mapping[str, str], names: Iterable[str]) -> None:
    for name in names:
        if name in options and not (Path(options[name]).is_file() and os.access(options[name], os.R_OK)):
            raise BadInputError(f"database: {name}: there is no file {options[name]} that can be read")


def load(load: Callable[[], None], name: str) -> None:
    try:
        load()
    except (ssl.SSLError, OSError, ValueError) as wrong:
        raise BadInputError(f"database: {name} cannot be used: {wrong}") from None


def texts(url: URL, name: str) -> Sequence[str]:
    return as_list(url.query.get(name, ()))


def as_list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value)
