"""What no verb takes, put into the database by hand."""

import asyncio
import sqlite3

from sqlalchemy import make_url


async def put(url: str, called: str, **values: str) -> None:
    """Change columns of the key whose description is `called`.

    In a thread: keys that are open in the same event loop may be about to commit, and hold the database's lock until
    the loop runs on.
    """
    await asyncio.to_thread(_put, url, called, values)


def _put(url: str, called: str, values: dict[str, str]) -> None:
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
