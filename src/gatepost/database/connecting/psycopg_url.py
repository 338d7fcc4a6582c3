"""The options of a PostgreSQL URL that names the driver psycopg: libpq's own, handed to libpq as they stand."""

from typing import Any

from sqlalchemy import URL

from gatepost.base import BadInputError
from gatepost.database.connecting.options import number, single
from gatepost.database.connecting.postgres_url import (
    OF_ASYNCPG,
    OF_LIBPQ,
    check_encoding,
    check_session,
)


def for_psycopg(url: URL) -> tuple[URL, dict[str, Any]]:
    """No statement is prepared by name: psycopg would do so at the fifth use of a text, and find through a pooler that
    another session has the name (docs/decisions/0038)."""
    options = single(url, OF_LIBPQ | OF_ASYNCPG, several=("host", "port"))
    for name in sorted(OF_ASYNCPG & options.keys()):
        raise BadInputError(f"database: {name} is an option of the driver asyncpg: with psycopg leave it out")
    if "connect_timeout" in options:
        number("connect_timeout", options["connect_timeout"], int)
    check_encoding(options)
    given = {name: options[name] for name in ("target_session_attrs",) if name in options}
    check_session(given, several="," in options.get("host", ""))
    arguments: dict[str, Any] = {"prepare_threshold": None}
    return url.update_query_dict(given), arguments
