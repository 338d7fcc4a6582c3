"""The database's own clock, the only one that expiry is judged by."""

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


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
