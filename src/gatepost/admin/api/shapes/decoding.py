"""From text to checked values: bodies, queries and headers as the structs that say what they may hold. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec

from gatepost.base import BadInputError

S = TypeVar("S", bound=msgspec.Struct)

_FIELD_SHOWN_MAX = 100
"""Characters of an unknown member's name that are told back."""

_NUMBER = re.compile(r"\s*[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*\Z", re.IGNORECASE)
_MEMBER = re.compile(r"Object (contains unknown|missing required) field `(.*)`\Z", re.DOTALL)
_NESTED = re.compile(r"Object .* - at `\$\.(selection|changes|(changes\.)?limits\[[0-9]+\])`\Z", re.DOTALL)
_PLACED = re.compile(r"(.*) - at `\$\.(.*)`\Z", re.DOTALL)
"""How msgspec says which member is wrong. Of structs only these are held by others: all else of the first kind is at
the top, whatever a caller has called it."""


def from_json(body: bytes, kind: type[S]) -> S:
    """A body. Nothing is converted: `"5"` is no number. Raises `BadInputError`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as wrong:
        raise _bad_input("body", wrong) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BadInputError(f"The body must be JSON in UTF-8: {wrong}") from None
    except RecursionError:
        raise BadInputError("The body must be JSON that is not as deep as this") from None


def from_query(query: bytes, kind: type[S]) -> S:
    """A query, whose values are all text: `5` is a number where one is wanted. Raises `BadInputError`."""
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadInputError("The query must be UTF-8, percent-encoded") from None
    return _from_pairs("query", pairs, kind)


def from_headers(headers: Iterable[tuple[bytes, bytes]], kind: type[S]) -> S:
    """Those of a request's headers that the struct names. Raises `BadInputError`."""
    wanted = {name.lower().encode(): name for name in kind.__struct_encode_fields__}
    pairs = [(wanted[name], value.decode("latin-1")) for name, value in headers if name in wanted]
    return _from_pairs("header", pairs, kind)


def _from_pairs(where: str, pairs: list[tuple[str, str]], kind: type[S]) -> S:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = _shortened(next(name for name in names if names.count(name) > 1))
        raise BadInputError(f"{where}: {twice!r} stands more than once", twice)
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name in values and _is_moment(field.type) and _NUMBER.match(values[name]):  # msgspec would take seconds
            raise BadInputError(f"{where}: {name}: Expected a moment as in RFC 3339", name)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as wrong:
        raise _bad_input(where, wrong) from None


def _is_moment(kind: Any) -> bool:
    """Whether a member is a moment, or may be left out."""
    return any(getattr(each, "__origin__", each) is datetime for each in get_args(kind))


def _bad_input(where: str, wrong: msgspec.ValidationError) -> BadInputError:
    """What msgspec found wrong, with the member's name as the field: `limit`, `ids[3]`."""
    text = str(wrong)
    if not _NESTED.match(text) and (found := _MEMBER.match(text)):
        field = _shortened(found[2])
        fault = "is unknown" if found[1] == "contains unknown" else "is missing"
        return BadInputError(f"{where}: {field!r} {fault}", field)
    if found := _PLACED.match(text):
        return BadInputError(f"{where}: {found[2]}: {found[1]}", found[2])
    return BadInputError(f"{where}: {text}")


def _shortened(name: str) -> str:
    return name[:_FIELD_SHOWN_MAX]
