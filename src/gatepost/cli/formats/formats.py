"""Keys as JSON Lines and as CSV: how they are written to a file, and how keys made elsewhere are read from one. Pure.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, which whoever
describes a key could make run on the machine of whoever opens the file. So in CSV such a cell gets a `'` in front, as
OWASP advises ("CSV Injection"), and so does one that has a `'` there already: reading takes it away again.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TextIO

import orjson

from gatepost.base import (
    APIKey,
    BadInputError,
    ImportedKey,
    limit_as_json,
    limit_of_json,
    limit_of_text,
    limit_text,
    limits_of_json,
    metadata_of_json,
    metadata_text,
)
from gatepost.cli.input import parse_moment
from gatepost.keys import key_json

Format = Literal["jsonl", "csv"]

EXPORTED = (
    "id",
    "project",
    "description",
    "permissions",
    "roles",
    "active",
    "created_at",
    "updated_at",
    "expires_at",
    "allow",
    "limits",
    "owner",
    "environment",
    "metadata",
    "resources",
    "hint",
)
"""The columns of an export: the members of a key in JSON, but `permissions` are those of its own, beside its roles'."""

IMPORTED = (
    "digest",
    "description",
    "permissions",
    "roles",
    "project",
    "active",
    "expires_at",
    "allow",
    "limits",
    "owner",
    "environment",
    "metadata",
    "resources",
    "hint",
)
"""What an import may have. The first two it must."""

NOWHERE = "nowhere"
"""What stands in CSV for a list of networks that has none."""

_NEEDED = IMPORTED[:2]
_FORMULA = re.compile(r"[=+\-@\t\r']")
_QUOTED_FORMULA = re.compile(rf"'(?={_FORMULA.pattern})")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_BOOLEANS = {"true": True, "false": False}


def format_of(name: str) -> Format:
    """The format that a file's name tells of."""
    return "csv" if name.lower().endswith(".csv") else "jsonl"


def key_writer(form: Format, out: TextIO) -> Callable[[APIKey], object]:
    """What writes one key after the other. The head of CSV is written at once."""
    if form == "jsonl":
        options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
        return lambda key: out.write(orjson.dumps(_exported(key), option=options).decode())
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(EXPORTED)
    return lambda key: rows.writerow([_cell(_in_csv(_exported(key))[head]) for head in EXPORTED])


def _exported(key: APIKey) -> Mapping[str, Any]:
    """The key as an import would make it: what its roles give it, they give it there."""
    told = {**key_json(key)}
    own = told.pop("own_permissions")
    del told["role_resources"]
    return told if own is None else {**told, "permissions": own}


def read_keys(form: Format, lines: Iterable[bytes]) -> Iterator[tuple[int, ImportedKey]]:
    """The keys of a file, each with the number of its line. `lines`: with their ends.

    Raises `BadInputError` that names the line.
    """
    texts = _decoded(lines)
    line_of: dict[bytes, int] = {}
    for number, values in _read_csv(texts) if form == "csv" else _read_json(texts):
        try:
            key = _imported(values)
        except BadInputError as wrong:
            raise BadInputError(f"line {number}: {wrong}", wrong.field) from None
        first = line_of.setdefault(key.digest, number)
        if first != number:
            raise BadInputError(f"line {number}: its digest stands on line {first} already", "digest")
        yield number, key


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise BadInputError(f"line {number}: it is not UTF-8") from None


def _read_json(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = orjson.loads(line)
        except orjson.JSONDecodeError:
            values = None
        if not isinstance(values, dict):
            raise BadInputError(f"line {number}: it is no JSON object")
        if "metadata" in values:
            _check_names(number, line)
        yield number, values


def _check_names(number: int, line: str) -> None:
    """Raise `BadInputError` for a member that stands there twice: orjson takes the last."""
    try:
        metadata_of_json(line, "it")
    except BadInputError as wrong:
        raise BadInputError(f"line {number}: {wrong}", "metadata") from None


def _read_csv(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Empty cells are left out: what they mean is the same."""
    rows = csv.reader(lines, strict=True)
    heads: list[str] | None = None
    try:
        for cells in rows:
            if heads is None:
                heads = [head.strip() for head in cells]
                _check_heads(heads)
            elif cells and len(cells) != len(heads):
                raise BadInputError(f"line {rows.line_num}: it has {len(cells)} cells, and the head has {len(heads)}")
            elif cells:
                texts = {head: cell for head, cell in zip(heads, cells, strict=True) if cell}
                yield rows.line_num, _of_cells(rows.line_num, texts)
    except csv.Error as wrong:
        raise BadInputError(f"line {rows.line_num}: it is no CSV ({wrong})") from None


def _of_cells(number: int, texts: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        return {head: _of_cell(head, cell) for head, cell in texts.items()}
    except BadInputError as wrong:
        raise BadInputError(f"line {number}: {wrong}", wrong.field) from None


def _check_heads(heads: list[str]) -> None:
    for head in heads:
        if head not in IMPORTED:
            raise BadInputError(f"line 1: no column {head!r:.50} can be imported, only {', '.join(IMPORTED)}")
        if heads.count(head) > 1:
            raise BadInputError(f"line 1: the column {head} stands there twice")
    for head in _NEEDED:
        if head not in heads:
            raise BadInputError(f"line 1: the column {head} is missing")


def _in_csv(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """A key's members for CSV, where an empty cell says nothing: a list without networks is a word, and so is each
    limit."""
    limits = [limit_text(limit_of_json(each)) for each in told["limits"]] or None
    metadata = metadata_text(told["metadata"])
    resources = None if told["resources"] is None else orjson.dumps(told["resources"]).decode()  # names have blanks
    allow = NOWHERE if told["allow"] == [] else told["allow"]
    return {**told, "limits": limits, "metadata": metadata, "allow": allow, "resources": resources}


def _cell(value: Any) -> str:
    """A value in CSV. `None` is an empty cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _of_cell(head: str, cell: str) -> Any:
    """The value that a cell stands for; one that stands for none as it is."""
    text = _QUOTED_FORMULA.sub("", cell, count=1) if _QUOTED_FORMULA.match(cell) else cell
    if head == "allow":
        return [] if text == NOWHERE else text.split()
    if head == "limits":
        return [limit_as_json(limit_of_text(word)) for word in text.split()]
    if head in ("permissions", "roles"):
        return text.split()
    if head == "metadata":
        return metadata_of_json(text)
    if head == "resources":
        return _resources_of_json(text)
    return _BOOLEANS.get(text.lower(), text) if head == "active" else text


def _resources_of_json(text: str) -> Any:
    try:
        told = orjson.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, list):  # null as well: it would be everything
        raise BadInputError(f"resources must be a JSON array of texts, not {text!r:.50}", "resources")
    return told


def _imported(values: Mapping[str, Any]) -> ImportedKey:
    """The key that an entry tells of. What it may hold is for the verb to say; here, only what the types are."""
    for name in values:
        if name not in IMPORTED:
            raise BadInputError(f"{name!r:.50} cannot be imported, only {', '.join(IMPORTED)}", name)
    for name in _NEEDED:
        if values.get(name) is None:
            raise BadInputError(f"{name} is missing", name)
    permissions, roles = (values.get(name) or [] for name in ("permissions", "roles"))
    for name, given in (("permissions", permissions), ("roles", roles)):
        if not isinstance(given, list):
            raise BadInputError(f"{name} must be a list of names", name)
    resources = values.get("resources")
    if resources is not None and not isinstance(resources, list):
        raise BadInputError("resources must be a list of texts, such as dir:/campaigns/*", "resources")
    active = values.get("active", True)
    if not isinstance(active, bool):
        raise BadInputError("active must be true or false", "active")
    hint = values.get("hint") or ""
    if not isinstance(hint, str):
        raise BadInputError("hint must be a text", "hint")
    metadata = values.get("metadata")
    return ImportedKey(
        digest=_digest(values["digest"]),
        description=values["description"],
        permissions=permissions,
        roles=roles,
        project=values.get("project"),
        active=active,
        expires_at=_moment(values.get("expires_at")),
        allow=values.get("allow"),
        limits=limits_of_json(values.get("limits") or []),
        owner=values.get("owner"),
        environment=values.get("environment"),
        metadata={} if metadata is None else metadata,
        resources=resources,
        hint=hint,
    )


def _digest(value: Any) -> bytes:
    """It may be a secret that was put there by mistake: the error does not show it."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise BadInputError("digest must be 64 hexadecimal digits: SHA-256 of the secret", "digest")
    return bytes.fromhex(value)


def _moment(value: Any) -> datetime | None:
    try:
        return None if value is None else parse_moment(value)
    except (ValueError, TypeError, OverflowError):
        raise BadInputError(
            f"expires_at must be a date or a moment such as 2030-01-31T18:00Z, not {value!r:.50}", "expires_at"
        ) from None
