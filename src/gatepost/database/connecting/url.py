"""From a database's URL, as hosts hand it out, to what its driver takes; or to a sentence that says what to write.

The drivers take keyword arguments of types of their own, and SQLAlchemy passes on what stands in the URL as texts. So
each option that can be meant is known here by name: libpq's (PostgreSQL's manual, "Parameter Key Words") and MySQL's
`--ssl-mode` with its siblings. What libpq's mean in TLS is asyncpg's own code: it is given them as a DSN, which holds
neither user nor password. No message repeats a value that could be a part of a password.
"""

import re
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gatepost.base import BadInputError
from gatepost.database.connecting.mysql_url import for_asyncmy
from gatepost.database.connecting.options import PERCENT
from gatepost.database.connecting.postgres_url import for_asyncpg
from gatepost.database.connecting.psycopg_url import for_psycopg
from gatepost.database.connecting.sqlite_url import for_sqlite

DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", ""),
    "postgresql": ("postgresql+asyncpg", "postgres"),
    "postgres": ("postgresql+asyncpg", "postgres"),
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mariadb+asyncmy", "mysql"),
}
"""Of each backend the driver where the URL names none, and the extra that installs it."""

ALTERNATIVES = {"postgresql+psycopg": "psycopg"}
"""Drivers that are understood as well, where the URL names one, and their extras."""

PLACES = ("host", "port", "unix_socket")
"""Options that tell where the server is: what may be shown of a URL's query."""

_EXAMPLES = "Examples: sqlite:///keys.db, postgresql://user:password@host/name"
_HOSTS = re.compile(r"(?P<head>[^:/]+://(?:[^/?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<tail>[/?].*)?", re.DOTALL)


def parse_url(database: str) -> URL:
    """The URL with an async driver put in where none is named, and several hosts as SQLAlchemy writes them. Raises
    `BadInputError` for what is none."""
    hosts: list[str] = []
    try:
        found = _HOSTS.fullmatch(database)
        if found is not None and found["head"].partition("+")[0].partition(":")[0] in {"postgresql", "postgres"}:
            hosts = found["hosts"].split(",")
            database = f"{found['head']}{found['tail'] or ''}"
        url = make_url(database)
    except (ArgumentError, ValueError, TypeError):
        raise BadInputError(f"database is not a URL. {_EXAMPLES}. {PERCENT}") from None
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise BadInputError(f"database {backend!r} is not supported: use sqlite, postgresql, mysql or mariadb")
    if backend == "sqlite":
        if url.host:
            raise BadInputError(f"database: an SQLite URL has three slashes before the path: sqlite:///{url.host}")
    elif "@" in (url.host or "") or "@" in (url.database or ""):
        raise BadInputError(f"database: there is more than one @ in the URL. {PERCENT}")
    elif not _is_query(database, url):
        raise BadInputError(f"database: what stands behind the ? is not NAME=VALUE. {PERCENT}")
    if "+" not in url.drivername:
        url = url.set(drivername=DRIVERS[backend][0])
    return url.update_query_pairs([("host", host) for host in hosts], append=True) if hosts else url


def _is_query(text: str, url: URL) -> bool:
    """Whether behind the `?` there are names and values only. SQLAlchemy drops the rest in silence."""
    _, mark, query = text.rpartition("?")
    if not mark or "?" in f"{url.username}{url.password}":
        return True
    return all(piece.find("=") > 0 for piece in query.split("&") if piece)


def shown(url: URL) -> str:
    """The URL without anything secret: no password, and of the query only where the server is."""
    places = {name: value for name, value in url.query.items() if name in PLACES}
    return url.set(query=places).render_as_string(hide_password=True)


def to_driver(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL without options, and what its driver is to be called with. Drivers other than ours get their options as
    SQLAlchemy passes them. Raises `BadInputError` for an option that cannot be used."""
    translate = {
        "postgresql+asyncpg": for_asyncpg,
        "postgresql+psycopg": for_psycopg,
        "mysql+asyncmy": for_asyncmy,
        "mariadb+asyncmy": for_asyncmy,
        "sqlite+aiosqlite": for_sqlite,
    }.get(url.drivername)
    return (url, {}) if translate is None else translate(url)
