"""The database's own clock, the only one that expiry is judged by."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""A moment later than any expiry that can be given, for what never expires."""


class database_now(GenericFunction[float]):  # noqa: N801 - written like the SQL functions beside it
    """Seconds since the epoch (UTC) by the database's clock, to the millisecond or better."""

    type = Float(53)
    inherit_cache = True
    name = "database_now"


@compiles(database_now, "postgresql")
def _postgresql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(database_now, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "mysql")
@compiles(database_now, "mariadb")
def _mysql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1e6)"


class database_moment(GenericFunction[datetime]):  # noqa: N801 - written like the SQL functions beside it
    """The moment so many seconds from now by the database's clock, to be compared with columns of moments; the same
    all through a statement, so that an index is of use."""

    inherit_cache = True
    name = "database_moment"


def moment_in(seconds: float) -> ColumnElement[datetime]:
    """`database_moment`, `seconds` from now."""
    return database_moment(literal(float(seconds), Float(53)))


@compiles(database_moment, "postgresql")
def _moment_in_postgresql(element: Any, compiler: Any, **kwargs: Any) -> str:
    return f"(statement_timestamp() + {compiler.process(element.clauses, **kwargs)} * interval '1 second')"


@compiles(database_moment, "sqlite")
def _moment_in_sqlite(element: Any, compiler: Any, **kwargs: Any) -> str:
    seconds = compiler.process(element.clauses, **kwargs)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(database_moment, "mysql")
@compiles(database_moment, "mariadb")
def _moment_in_mysql(element: Any, compiler: Any, **kwargs: Any) -> str:
    return f"(utc_timestamp(6) + interval {compiler.process(element.clauses, **kwargs)} second)"


class never_moment(GenericFunction[datetime]):  # noqa: N801 - written like the SQL functions beside it
    """`NEVER`, of the type that the columns of moments have: a parameter would be a text to MariaDB and MySQL."""

    inherit_cache = True
    name = "never_moment"


@compiles(never_moment, "postgresql")
def _never_in_postgresql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "timestamp with time zone '9999-12-31 00:00:00+00'"


@compiles(never_moment, "sqlite")
def _never_in_sqlite(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "'9999-12-31 00:00:00.000000'"


@compiles(never_moment, "mysql")
@compiles(never_moment, "mariadb")
def _never_in_mysql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "timestamp '9999-12-31 00:00:00.000000'"


class unused_moment(GenericFunction[datetime]):  # noqa: N801 - written like the SQL functions beside it
    """`NEVER_USED`, likewise."""

    inherit_cache = True
    name = "unused_moment"


@compiles(unused_moment, "postgresql")
def _unused_in_postgresql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "timestamp with time zone '1970-01-01 00:00:00+00'"


@compiles(unused_moment, "sqlite")
def _unused_in_sqlite(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "'1970-01-01 00:00:00.000000'"


@compiles(unused_moment, "mysql")
@compiles(unused_moment, "mariadb")
def _unused_in_mysql(_element: Any, _compiler: Any, **_kwargs: Any) -> str:
    return "timestamp '1970-01-01 00:00:00.000000'"
