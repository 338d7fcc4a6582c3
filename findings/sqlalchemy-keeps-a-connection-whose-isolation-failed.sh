#!/usr/bin/env bash
# SQLAlchemy 2.1.9, CPython 3.11.
# `engine.execution_options(isolation_level=...).connect()` takes a connection from the pool and then sets its isolation, which is a
# statement on MySQL, MariaDB and SQLite. Where that fails, since the server has gone or refuses it, two things surprise: the error is the
# driver's own, not one of `sqlalchemy.exc`, so `except SQLAlchemyError` does not see it; and the connection stays checked out until the
# error is collected. With `connect()` first and `Connection.execution_options` inside the block it is given back at once. The
# connection here dies while it is handed out, as one to a server does that ends it just then.
# Seen: "the engine's option: sqlite3.ProgrammingError, a SQLAlchemyError: False, checked out: 1", "the connection's: …, checked out: 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install sqlalchemy==2.1.9
cat >"$folder/seen.py" <<'PYTHON'
import logging
import sqlite3

from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

logging.disable(logging.CRITICAL)  # the pool tells of the dead connection
engine = create_engine("sqlite://", poolclass=QueuePool)


@event.listens_for(engine, "checkout")
def die(driver, _record, _proxy):
    driver.close()


def by_engine():
    with engine.execution_options(isolation_level="READ UNCOMMITTED").connect():
        raise AssertionError("it was set on a dead connection")


def by_connection():
    with engine.connect() as connection:
        connection.execution_options(isolation_level="READ UNCOMMITTED")
        raise AssertionError("it was set on a dead connection")


for what, connect, out in (("the engine's option", by_engine, 1), ("the connection's", by_connection, 0)):
    try:
        connect()
    except sqlite3.ProgrammingError as failure:
        is_mapped = isinstance(failure, SQLAlchemyError)
        print(f"{what}: sqlite3.ProgrammingError, a SQLAlchemyError: {is_mapped}, checked out: {engine.pool.checkedout()}")
        assert not is_mapped
        assert engine.pool.checkedout() == out
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
