"""What no verb takes, put into the database by hand."""

import sqlite3

from sqlalchemy import make_url


def put(url: str, called: str, **values: str) -> None:
    """Change columns of the key whose description is `called`."""
    path = make_url(url).database
    assert path is not None
    columns = ", ".join(f"{name} = ?" for name in values)
    with sqlite3.connect(path, timeout=60) as database:
        done = database.execute(
            f"UPDATE gatepost_keys SET {columns} WHERE description = ?",
            (*values.values(), called),
        )
        assert done.rowcount == 1
    database.close()
