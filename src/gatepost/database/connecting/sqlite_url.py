"""The options of an SQLite URL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL

from gatepost.database.connecting.options import number, single

_SQLITE_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "cached_statements": int,
    "detect_types": int,
    "timeout": float,
}
SQLITE_OPTIONS = {*_SQLITE_NUMBERS, "check_same_thread", "isolation_level", "uri"}


def for_sqlite(url: URL) -> tuple[URL, dict[str, Any]]:
    if url.query.get("uri") in {"true", "1"}:  # the rest is SQLite's own
        return url, {}
    options = single(url, SQLITE_OPTIONS)
    for name, kind in _SQLITE_NUMBERS.items():
        if name in options:
            number(name, options[name], kind)
    return url, {}
