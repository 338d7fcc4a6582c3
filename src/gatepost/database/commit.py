"""Committing a change, so that its caller learns how it ended whatever happens in between.

A task that is cancelled while COMMIT is under way waits for its answer. Where the answer is lost with the connection,
the database is asked on another one: the counter's row stays locked until the lost transaction has ended, so who gets
that lock sees either its event or that there never will be one.
"""

import asyncio
from contextlib import suppress

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatepost.base import Timeout
from gatepost.database.changes import Change
from gatepost.database.schema import counter, events

ASK_AGAIN_SECONDS = 0.05
"""Pause between two tries to ask a database that does not answer."""


DEADLOCK = 1213
"""MariaDB's and MySQL's number for a transaction that was rolled back since others stood in its way."""


class CommitLostError(Exception):
    """COMMIT was sent, and its answer did not come."""


def is_conflict(lost: CommitLostError) -> bool:
    """Whether the commit failed since another node of the cluster had changed the same rows."""
    cause = lost.__cause__
    return isinstance(cause, DBAPIError) and cause.orig is not None and cause.orig.args[:1] == (DEADLOCK,)


async def commit(connection: AsyncConnection, change: Change) -> bool:
    """Commit, or roll back what wrote no event; answers whether it was committed. Raises `CommitLostError`; the
    connection is then closed.

    A cancellation is passed on when the answer is there, with a note of what became of the change.
    """
    if not await change.write_events():
        await connection.rollback()
        return False
    committing = asyncio.create_task(change.commit())
    cancelled: asyncio.CancelledError | None = None
    while not committing.done():
        try:
            await asyncio.wait({committing})
        except asyncio.CancelledError as ask:
            cancelled = ask
    failure = asyncio.CancelledError() if committing.cancelled() else committing.exception()
    if failure is not None:
        with suppress(SQLAlchemyError, OSError):
            await connection.invalidate()
    if cancelled is not None:
        became = "is committed" if failure is None else "may be committed: its connection was lost"
        cancelled.add_note(f"gatepost: change {change.seq} {became}")
        raise cancelled
    if failure is not None:
        raise CommitLostError from failure
    return True


async def was_committed(engine: AsyncEngine, change: Change, timeout: float) -> bool | None:
    """Whether a change whose commit got no answer was made; `None` where `timeout` seconds did not suffice to tell."""
    with suppress(TimeoutError):
        async with Timeout(timeout):
            while True:
                try:
                    return await _holds(engine, change)
                except (SQLAlchemyError, OSError):
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
    return None


async def _holds(engine: AsyncEngine, change: Change) -> bool:
    """Whether the log holds the change's event, once nobody can be about to write it any more."""
    async with engine.connect() as connection:
        await connection.execute(update(counter).values(seq=counter.c.seq))
        of_change = (events.c.seq == change.seq, events.c.n == 0)
        nonce = await connection.scalar(select(events.c.nonce).where(*of_change))
        await connection.rollback()
        return bool(nonce == change.nonce)
