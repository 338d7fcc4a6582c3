"""What an app wants to know of a key: a JSON object of its own, small and without surprises. Pure."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import orjson

from gatepost.base.errors import BadInputError

logger = logging.getLogger("gatepost.metadata")

METADATA_BYTES_MAX = 4096
"""Longest metadata, in bytes of what `metadata_text` makes of it: JSON in UTF-8, without blanks, names in order, and
only those characters escaped that JSON wants escaped (RFC 8259, section 7)."""

METADATA_DEPTH_MAX = 8
"""Most objects and lists within each other, the outermost one counted: what is deeper is a document, not a note."""

INTEGER_MAX = 2**53 - 1
"""Largest whole number, and least below 0: what every reader of JSON reads as it is (RFC 7493, section 2.2)."""

MEMBERS_ASKED_MAX = 10
"""Most members that keys are looked for by at once: each is asked for by itself."""

_TEXT_MAX = 16 * METADATA_BYTES_MAX
"""Longest text that is read at all, in characters: each character escaped, with blanks."""


def checked_metadata(value: object, field: str = "metadata") -> str | None:
    """Metadata as it is stored: its text, at most 4,096 bytes; `None` for an empty object. Raises `BadInputError`,
    which names the place of what is no JSON that everybody reads alike: a name that is no text, NaN, a whole number
    beyond 53 bits, half a surrogate pair, what is deeper than 8."""
    if not isinstance(value, Mapping):
        raise BadInputError(f"{field} must be a JSON object, such as {{'plan': 'pro'}}, not {value!r:.50}", field)
    _check(value, field, field, 1)
    try:
        text = metadata_text(value)
    except TypeError as wrong:  # a mapping that is no dict, a named tuple, NumPy's float: orjson's own word for it
        raise BadInputError(f"{field} must be of dict, list, str, int, float, bool and None: {wrong}", field) from None
    size = 0 if text is None else len(text.encode())
    if size > METADATA_BYTES_MAX:
        raise BadInputError(f"{field} must be at most {METADATA_BYTES_MAX:,} bytes of JSON, not {size:,}", field)
    return text


def metadata_text(metadata: Mapping[str, Any]) -> str | None:
    """The one text of an object: two that are equal have the same. `None` for an empty one."""
    return orjson.dumps(dict(metadata), option=orjson.OPT_SORT_KEYS).decode() if metadata else None


def member_text(name: str, value: Any) -> str | None:
    """The one text of a member, as of an object that has it alone. `None` for what is deeper than any text can be made
    of, which only somebody can have written by hand."""
    try:
        return metadata_text({name: value})
    except TypeError:
        return None


def checked_members(wanted: object, field: str = "metadata") -> Mapping[str, str]:
    """The members that keys are looked for by: their texts (`member_text`) by their names. Raises `BadInputError` for
    what `checked_metadata` refuses, for an empty object, and for more than 10."""
    if checked_metadata(wanted, field) is None or not isinstance(wanted, Mapping):
        raise BadInputError(f"{field} must name a member that keys have, such as {{'plan': 'pro'}}: it is empty", field)
    if len(wanted) > MEMBERS_ASKED_MAX:
        raise BadInputError(f"{field} may name at most {MEMBERS_ASKED_MAX} members, not {len(wanted)}", field)
    return {name: member_text(name, value) or "" for name, value in wanted.items()}  # no member is left out


def metadata_of(text: str | bytes | None) -> dict[str, Any]:
    """The object of a column or a payload, a new one each time. Empty where somebody has written what is none there by
    hand, which is told to the log."""
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        return found
    _tell(text)
    return {}


def metadata_of_json(text: str | bytes, field: str = "metadata") -> dict[str, Any]:
    """The object that somebody has typed or sent as JSON. Raises `BadInputError`, also for two members of one name, of
    which readers take one or the other, and for NaN and its like. What it may hold else says `checked_metadata`."""
    if len(text) > _TEXT_MAX:
        raise BadInputError(f"{field} must be at most {METADATA_BYTES_MAX:,} bytes of JSON", field)

    def pairs(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInputError(f"{field} has two members called {twice!r:.50}: which one counts?", field)
        return found

    def constant(name: str) -> NoReturn:
        raise BadInputError(f"{field} has {name}, which is no JSON: leave it out, or write null", field)

    try:
        found = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except BadInputError:
        raise
    except RecursionError:
        raise BadInputError(f"{field} is deeper than {METADATA_DEPTH_MAX} objects and lists", field) from None
    except ValueError as wrong:
        raise BadInputError(f'{field} must be a JSON object, such as {{"plan": "pro"}}: {wrong}', field) from None
    if not isinstance(found, dict):
        raise BadInputError(f'{field} must be a JSON object, such as {{"plan": "pro"}}, not {found!r:.50}', field)
    return found


def _check(value: object, field: str, place: str, depth: int) -> None:
    """Raise `BadInputError` for what stands at `place`, `depth` deep, and is no plain JSON."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, field, place)
    elif isinstance(value, int | float):
        _check_number(value, field, place)
    elif depth > METADATA_DEPTH_MAX:
        raise BadInputError(f"{place} is deeper than {METADATA_DEPTH_MAX} objects and lists", field)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            if not isinstance(name, str):
                raise BadInputError(f"{place} has the name {name!r:.50}: names in JSON are texts", field)
            _check_text(name, field, place)
            _check(member, field, f"{place}[{name!r:.50}]", depth + 1)
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            _check(member, field, f"{place}[{number}]", depth + 1)
    else:
        raise BadInputError(f"{place} is a {type(value).__name__}, which JSON does not have: write a text", field)


def _check_number(number: float, field: str, place: str) -> None:
    if isinstance(number, float) and not math.isfinite(number):
        raise BadInputError(f"{place} is {number}, which is no JSON: leave it out, or write None", field)
    if isinstance(number, int) and not -INTEGER_MAX <= number <= INTEGER_MAX:
        raise BadInputError(f"{place} is beyond 2**53 - 1, which not every reader can hold: write a text", field)


def _check_text(text: str, field: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInputError(f"{place} has half a surrogate pair, which is no character", field) from None


@lru_cache(maxsize=256)
def _tell(text: str | bytes) -> None:
    """Once for each text."""
    logger.error("Metadata cannot be read, so its keys have none: %s", f"{text!r:.60}")
